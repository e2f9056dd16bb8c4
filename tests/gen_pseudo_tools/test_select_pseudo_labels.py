import hashlib
import json
import pickle

import numpy as np
import pytest

from slowfast.lists.tables import read_table

TOOL = "gen_pseudo_tools/select_pseudo_labels.py"
MEASURE = "gen_pseudo_tools/measure_pseudo_labels.py"


def real_tables(shared, last=4):
    return [shared / "ug2" / "pseudo" / f"stage{stage}.csv" for stage in range(1, last + 1)]


def real_precision(kit, shared, path) -> tuple[float, float]:
    """Coverage and precision in percent on the labelled rows."""
    truth = dict(line.rsplit(",", 1) for line in (shared / "ug2" / "arid.csv").read_text().splitlines())
    rows, _ = kit.read_rows(path.read_text())
    right = [truth[name] == label for name, label in rows if name in truth]
    return 100 * len(right) / len(truth), 100 * sum(right) / len(right)


@pytest.mark.parametrize("coverage, least", [(0.939, 92.4), (0.756, 97.2), (0.495, 98.7), (1.0, 89.8)])
def test_published_tables(coverage, least, shared, run_tool, kit, tmp_path):
    result = run_tool(
        TOOL, "--tables", *real_tables(shared), "--list", shared / "ug2" / "total_unlabel.csv",
        "--coverage", coverage, "--output", tmp_path / "o.csv",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert len((tmp_path / "o.csv").read_text().splitlines()) == round(coverage * 9295)
    covered, precision = real_precision(kit, shared, tmp_path / "o.csv")
    assert covered == pytest.approx(100 * coverage, abs=0.6)
    assert precision >= least


def test_sorted_rows_start_with_the_surest(shared, run_tool, kit, tmp_path):
    run_tool(TOOL, "--tables", *real_tables(shared), "--sort", "--output", tmp_path / "o.csv")
    lines = (tmp_path / "o.csv").read_text().splitlines()
    (tmp_path / "first.csv").write_text("\n".join(lines[:2000]))
    assert real_precision(kit, shared, tmp_path / "first.csv")[1] > 98.5
    record = json.loads((tmp_path / "o.json").read_text())
    assert record["rule"] == "stable" and record["kept"] == len(lines) and record["pool"] == 9295


def test_measured_curve(shared, run_tool, tmp_path):
    result = run_tool(
        MEASURE, "--tables", *real_tables(shared), "--truth", shared / "ug2" / "arid.csv",
        "--rules", "stable", "confidence", "--coverages", "0.5", "1", "--json", tmp_path / "m.json",
    )  # fmt: skip
    assert result.code == 0
    figures = json.loads((tmp_path / "m.json").read_text())
    assert figures["confidence"]["precision"][1] == pytest.approx(89.56, abs=0.005)
    assert figures["stable"]["precision"][0] > figures["confidence"]["precision"][0] + 2
    assert "| confidence |" in result.out


def write_voters(kit, folder, voters=3, rows=40, classes=4, scales=(1.0, 30.0, 0.01), seed=0):
    """Voters that are right in most rows, on very different scales."""
    rng = np.random.default_rng(seed)
    truth = np.arange(rows) % classes
    names = [f"clip {row}.mp4" for row in range(rows)]
    paths = []
    for voter in range(voters):
        scores = scales[voter % 3] * (3 * np.eye(classes)[truth] + rng.normal(size=(rows, classes)))
        paths.append(
            kit.write_pkl(
                folder / f"voter{voter}.pkl", scores.astype("f4"), video_names=names, score_kind="logits", num_views=1
            )
        )
    return paths, names, truth


@pytest.mark.parametrize("rule", [None, "agreement", "aligned", "keep-better", "class-balanced", "per-class", "margin"])
def test_any_number_of_voters_and_classes(rule, run_tool, kit, tmp_path):
    paths, names, truth = write_voters(kit, tmp_path)
    arguments = [] if rule is None else ["--rule", rule]
    result = run_tool(TOOL, "--predictions", *paths, *arguments, "--coverage", "0.5", "--output", tmp_path / "o.csv")
    assert result.code == 0, result.err
    rows, probs = kit.read_rows((tmp_path / "o.csv").read_text())
    assert len(rows) == 20
    places = [names.index(row[0]) for row in rows]
    assert places == sorted(places)
    assert np.mean([int(row[1]) == truth[place] for row, place in zip(rows, places)]) >= 0.9
    np.testing.assert_allclose(probs.sum(axis=1), 1.0)
    assert probs.argmax(axis=1).tolist() == [int(row[1]) for row in rows]


def test_predictions_with_earlier_tables(run_tool, kit, tmp_path):
    paths, names, _ = write_voters(kit, tmp_path)
    run_tool(TOOL, "--predictions", *paths[:1], "--output", tmp_path / "round1.csv")
    result = run_tool(
        TOOL, "--predictions", *paths, "--tables", tmp_path / "round1.csv", "--output", tmp_path / "round2.csv"
    )
    assert result.code == 0
    record = json.loads((tmp_path / "round2.json").read_text())
    assert len(record["inputs"]["predictions"]) == 3 and len(record["inputs"]["tables"]) == 1
    assert len(record["temperatures"]) == 3


def test_output_in_the_place_of_an_input(run_tool, kit, tmp_path):
    paths, _, _ = write_voters(kit, tmp_path)
    run_tool(TOOL, "--predictions", *paths, "--output", tmp_path / "t.csv")
    before = hashlib.sha256((tmp_path / "t.csv").read_bytes()).hexdigest()
    result = run_tool(TOOL, "--tables", tmp_path / "t.csv", "--coverage", "0.1", "--output", tmp_path / "t.csv")
    assert result.code == 0 and hashlib.sha256((tmp_path / "t.csv").read_bytes()).hexdigest() != before
    assert json.loads((tmp_path / "t.json").read_text())["inputs"]["tables"][0]["sha256"] == before


def test_names_with_commas(run_tool, kit, tmp_path):
    paths, names, _ = write_voters(kit, tmp_path)
    commas = [f"sit, {name}" for name in names]
    for path in paths:
        content = pickle.loads(path.read_bytes()) | {"video_names": commas}
        path.write_bytes(pickle.dumps(content))
    kit.write_list(tmp_path / "list.csv", commas)
    result = run_tool(
        TOOL,
        "--predictions",
        *paths,
        "--list",
        tmp_path / "list.csv",
        "--coverage",
        "1",
        "--output",
        tmp_path / "o.csv",
    )
    assert (result.code, result.err) == (0, "")
    assert read_table(tmp_path / "o.csv").names == commas


def test_videos_without_scores_are_reported(run_tool, kit, tmp_path):
    paths, names, truth = write_voters(kit, tmp_path, voters=1)
    scores = (9 * np.eye(4)[truth]).astype("f4")
    scores[7] = np.nan
    kit.write_pkl(paths[0], scores, video_names=names)
    result = run_tool(TOOL, "--predictions", *paths, "--coverage", "1", "--output", tmp_path / "o.csv")
    assert result.code == 0 and "1 of 40 videos have no scores" in result.err and names[7] in result.err
    rows, _ = kit.read_rows((tmp_path / "o.csv").read_text())
    assert [row[0] for row in rows] == [name for name in names if name != names[7]]


def test_wrong_usage(run_tool, tmp_path):
    assert run_tool(TOOL, "--output", tmp_path / "o.csv").code == 2
    for coverage in ("0", "1.5", "nan", "much"):
        result = run_tool(TOOL, "--tables", "t.csv", "--coverage", coverage, "--output", tmp_path / "o.csv")
        assert result.code == 2 and "--coverage" in result.err
    assert run_tool(TOOL, "--tables", "t.csv", "--rule", "magic", "--output", tmp_path / "o.csv").code == 2


TABLE = "a,0,0.9,0.1\nb,1,0.2,0.8\n"
BAD_TABLES = {
    "absent": ("t.csv", None, "cannot be read"),
    "empty": ("t.csv", "", "is empty"),
    "ragged": ("t.csv", TABLE + "c,0,0.5\n", "line 3: 3 columns"),
    "words": ("t.csv", TABLE + "c,0,high,low\n", "line 3: a probability is not a number"),
    "label": ("t.csv", TABLE + "c,2,0.5,0.5\n", "line 3: the label 2"),
    "twice": ("t.csv", TABLE + "a,0,0.5,0.5\n", "'a' stands twice"),
    "negative": ("t.csv", TABLE + "c,0,1.5,-0.5\n", "row 3 ('c') does not hold probabilities"),
    "zero": ("t.csv", TABLE + "c,0,0,0\n", "row 3 ('c') does not hold probabilities"),
    "list only": ("t.csv", "a,-1\nb,-1\n", "2 columns"),
    "binary": ("t.csv", b"\xff\xfe\x00", "not a text file"),
    "no scores": ("t.csv", "a,0,,\n", "no row of the pool has scores"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_table(name, run_tool, tmp_path):
    file, text, phrase = BAD_TABLES[name]
    if text is not None:
        (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    (tmp_path / "o.csv").write_text("before")
    result = run_tool(TOOL, "--tables", tmp_path / file, "--output", tmp_path / "o.csv")
    assert result.code == 2 and phrase in result.err and len(result.err.splitlines()) == 1
    assert (tmp_path / "o.csv").read_text() == "before"


def test_output_must_not_be_the_record(run_tool, tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    result = run_tool(TOOL, "--tables", tmp_path / "t.csv", "--output", tmp_path / "o.json")
    assert result.code == 2 and "must be a CSV file" in result.err


@pytest.mark.parametrize("tool", [TOOL, MEASURE, "gen_pseudo_tools/select_thresholds.py", "tools/join_predictions.py"])
def test_help_has_an_example(tool, run_tool):
    result = run_tool(tool, "--help")
    assert result.code == 0 and "example:" in result.out


def test_tables_that_do_not_fit(run_tool, kit, tmp_path):
    first, second, third = (tmp_path / f"{name}.csv" for name in "abc")
    first.write_text(TABLE)
    second.write_text("a,0,0.5,0.3,0.2\n")
    third.write_text("other,0,0.9,0.1\n")
    result = run_tool(TOOL, "--tables", second, first, "--output", tmp_path / "o.csv")
    assert result.code == 2 and "2 classes but" in result.err
    result = run_tool(TOOL, "--tables", third, first, "--output", tmp_path / "o.csv")
    assert result.code == 2 and "has none of the videos" in result.err
    result = run_tool(TOOL, "--tables", first, "--shares", "1,2,3", "--output", tmp_path / "o.csv")
    assert result.code == 2 and "--shares has 3 numbers" in result.err
    pkl = kit.write_pkl(tmp_path / "p.pkl", np.ones((2, 2), "f4"))
    result = run_tool(TOOL, "--predictions", pkl, "--output", tmp_path / "o.csv")
    assert result.code == 2 and "pass the list it was made from with --list" in result.err
    assert not (tmp_path / "o.csv").exists()
