"""select_pseudo_labels.py: corrections of a person, separators, and what it tells about odd pools."""

import json

import numpy as np
import pytest

TOOL = "gen_pseudo_tools/select_pseudo_labels.py"


@pytest.fixture
def table(tmp_path):
    """120 videos of three classes."""
    rng = np.random.default_rng(0)
    truth = np.arange(120) % 3
    probs = 0.2 + 3 * np.eye(3)[truth] + rng.random((120, 3))
    probs /= probs.sum(axis=1, keepdims=True)
    rows = [f"{number}.mp4,{row.argmax()},{','.join(map(str, row))}" for number, row in enumerate(probs)]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "t.csv"


def selected(path) -> dict[str, int]:
    return {row.split(",")[0]: int(row.split(",")[1]) for row in path.read_text().splitlines()}


@pytest.mark.parametrize("rule", ["stable", "confidence", "class-balanced"])
@pytest.mark.parametrize("coverage", ["0.5", "1", None])
def test_corrections_win_over_every_rule(rule, coverage, table, run_tool, tmp_path):
    (tmp_path / "fixed.csv").write_text("0.mp4,2\n./1.mp4,1\n2.mp4,-1\n3.mp4,-1\n")
    options = ["--coverage", coverage] if coverage else []
    result = run_tool(
        TOOL, "--tables", table, "--rule", rule, *options, "--fixed", tmp_path / "fixed.csv", "--output",
        tmp_path / "o.csv",
    )  # fmt: skip
    assert result.code == 0, result.err
    found = selected(tmp_path / "o.csv")
    assert found["0.mp4"] == 2 and found["1.mp4"] == 1 and not {"2.mp4", "3.mp4"} & set(found)
    assert len(found) == {"0.5": 60, "1": 118}.get(coverage, len(found))
    record = json.loads((tmp_path / "o.json").read_text())
    assert record["fixed"]["labelled"] == 2 and record["fixed"]["never"] == 2 and record["fixed"]["changed"] == 1
    assert record["inputs"]["fixed"][0]["path"].endswith("fixed.csv") and record["inputs"]["fixed"][0]["sha256"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0.mp4,3\n", "'0.mp4' has the label 3, 0 to 2 or -1"), ("0.mp4,-2\n", "has the label -2"),
        ("x.mp4,1\n", "names none of the videos"), ("0.mp4,1\n./0.mp4,2\n", "stands twice"),
        ("0.mp4\n", "line 1"), ("".join(f"{number}.mp4,-1\n" for number in range(120)), "no row is left"),
    ],
)  # fmt: skip
def test_corrections_that_cannot_be(text, sentence, table, run_tool, tmp_path):
    (tmp_path / "fixed.csv").write_text(text)
    result = run_tool(TOOL, "--tables", table, "--fixed", tmp_path / "fixed.csv", "--output", tmp_path / "o.csv")
    assert result.code == 2 and sentence in result.err and not (tmp_path / "o.csv").exists()


def test_corrections_of_other_videos_are_told(table, run_tool, tmp_path):
    (tmp_path / "fixed.csv").write_text("0.mp4,1\nelsewhere.mp4,1\n")
    result = run_tool(TOOL, "--tables", table, "--fixed", tmp_path / "fixed.csv", "--output", tmp_path / "o.csv")
    assert result.code == 0 and "1 of 2 rows of" in result.err


def test_lists_with_blanks_join_predictions_of_names_with_blanks(run_tool, kit, tmp_path):
    """The list that a training with the default separator reads is the one that selection reads."""
    names = [f"clip {number}.mp4" for number in range(66)]
    scores = (3 * np.eye(3)[np.arange(66) % 3] + np.random.default_rng(0).normal(size=(66, 3))).astype("f4")
    kit.write_pkl(tmp_path / "v.pkl", scores, video_names=names, score_kind="logits", num_views=1)
    (tmp_path / "l.csv").write_text("".join(f"{name} -1\n" for name in names))
    for options in ([], ["--separator", " "], ["--separator", "space"]):
        result = run_tool(
            TOOL, "--predictions", tmp_path / "v.pkl", "--list", tmp_path / "l.csv", *options, "--output",
            tmp_path / "o.csv",
        )  # fmt: skip
        assert result.code == 0, result.err
    wrong = run_tool(
        TOOL, "--predictions", tmp_path / "v.pkl", "--list", tmp_path / "l.csv", "--separator", ",", "--output",
        tmp_path / "o.csv",
    )  # fmt: skip
    assert wrong.code == 2 and "does not belong to" in wrong.err


def test_a_pool_that_cannot_be_aligned_says_so(run_tool, kit, tmp_path):
    scores = np.full((40, 11), -5, "f4")
    scores[:, 3] = 5
    names = [f"{number}.mp4" for number in range(40)]
    kit.write_pkl(tmp_path / "v.pkl", scores, video_names=names, score_kind="logits", num_views=1)
    result = run_tool(TOOL, "--predictions", tmp_path / "v.pkl", "--output", tmp_path / "o.csv")
    assert result.code == 0 and "note: class shares are not aligned: 40 videos are too few" in result.err
    assert "all 40 selected videos have the class 3" in result.err
    assert set(selected(tmp_path / "o.csv").values()) == {3}
    assert "too few" in json.loads((tmp_path / "o.json").read_text())["unaligned"]


@pytest.mark.parametrize(("row", "sentence"), [([-1, 0.5, 0.2], "a negative number"), ([0, 0, 0], "zeros only")])
def test_probabilities_that_are_none(row, sentence, run_tool, kit, tmp_path):
    scores = np.full((3, 3), 1 / 3, "f4")
    scores[1] = row
    kit.write_pkl(tmp_path / "v.pkl", scores, video_names=["a", "b", "c"], score_kind="probs", num_views=1)
    result = run_tool(TOOL, "--predictions", tmp_path / "v.pkl", "--output", tmp_path / "o.csv")
    assert result.code == 2 and f"row 2 ('b') has {sentence}" in result.err
