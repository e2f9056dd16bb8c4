"""A voter's weight counts in the selection of pseudo-labels and in the vote, and stands in the records of both."""

import json

import numpy as np
import pytest

from slowfast.apps.why import tree_of
from slowfast.parents import read_record

SELECT = "gen_pseudo_tools/select_pseudo_labels.py"
VOTE = "test_ensemble_vote.py"
WEIGHTS = {"a": 0.5, "b": 1.0, "c": 1.5, "d": 2.0, "e": 2.5, "f": 3.0}


@pytest.fixture
def six(kit, tmp_path):
    """Predictions of six voters who know 60 clips of four classes more or less well."""
    rng = np.random.default_rng(0)
    names = [f"{row}.mp4" for row in range(60)]
    for voter in WEIGHTS:
        scores = 1.2 * np.eye(4)[np.arange(60) % 4] + rng.normal(size=(60, 4))
        kit.write_pkl(tmp_path / f"{voter}.pkl", scores, video_names=names, score_kind="logits", num_views=1)
    kit.write_list(tmp_path / "pool.csv", names)
    return tmp_path


def select(run_tool, root, weights, output="o.csv", more=()):
    """Select half of the pool; return the written bytes."""
    words = [word for name, weight in weights.items() for word in ("--voter", f"{name}={root}/{name}.pkl:{weight:g}")]
    words += ["--list", root / "pool.csv", "--coverage", "0.5", "--output", root / output, *more]
    result = run_tool(SELECT, *words)
    assert result.code == 0, result.err
    return (root / output).read_bytes()


@pytest.mark.parametrize("rule", ["stable", "agreement", "margin"])
def test_equal_weights_change_nothing_and_others_do(rule, six, run_tool):
    rule = ("--rule", rule)
    files = [six / f"{name}.pkl" for name in WEIGHTS]
    plain = ["--predictions", *files, "--list", six / "pool.csv", "--coverage", "0.5", "--output", six / "p.csv", *rule]
    assert run_tool(SELECT, *plain).code == 0
    expected = (six / "p.csv").read_bytes()
    assert select(run_tool, six, dict.fromkeys(WEIGHTS, 1.0), more=rule) == expected
    assert select(run_tool, six, dict.fromkeys(WEIGHTS, 2.5), more=rule) == expected
    assert select(run_tool, six, WEIGHTS, more=rule) != expected


def test_the_labels_are_those_of_a_voter_that_weighs_all(six, run_tool, kit):
    """Probabilities of the table are the mean: with all the weight on one voter, that voter's calibrated ones."""
    most = {**dict.fromkeys(WEIGHTS, 1e-9), "c": 1.0}
    options = ("--rule", "confidence", "--coverage", "1")
    select(run_tool, six, most, more=options)
    rows, _ = kit.read_rows((six / "o.csv").read_text())
    alone = run_tool(
        SELECT, "--predictions", six / "c.pkl", "--list", six / "pool.csv", *options, "--output", six / "c.csv"
    )
    assert alone.code == 0
    assert rows == kit.read_rows((six / "c.csv").read_text())[0]


def test_a_witness_counts_as_its_weight(six, run_tool):
    """The rule `agreement` multiplies the margin by 1 and the weights of the witnesses that agree."""
    from slowfast.ensemble.label_free import rank_pool

    newest_NK = np.array([[0.6, 0.4], [0.6, 0.4]])
    witnesses = [np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([[0.1, 0.9], [0.9, 0.1]])]
    ranking = rank_pool(newest_NK, witnesses, "agreement", weights=[0.5, 1.5])
    np.testing.assert_allclose(ranking.score, [0.2 * 1.5, 0.2 * 2.5])
    ranking = rank_pool(newest_NK, witnesses, "agreement")
    np.testing.assert_allclose(ranking.score, [0.4, 0.4])


def test_six_weights_stand_in_the_records_of_table_and_submission(six, run_tool):
    select(run_tool, six, WEIGHTS, "stage1.csv")
    words = [word for name, weight in WEIGHTS.items() for word in ("--voter", f"{name}={six}/{name}.pkl:{weight:g}")]
    assert run_tool(VOTE, *words, "--list", six / "pool.csv", "--output-dir", six / "out").code == 0
    record = json.loads((six / "stage1.json").read_text())
    assert record["weights"] == WEIGHTS and len(record["inputs"]["predictions"]) == 6
    for path in (six / "stage1.csv", six / "out/arid_pred.csv"):
        made_of, _ = read_record(path)
        assert made_of.settings["weights"] == WEIGHTS
        tree = tree_of(path)
        shown = [line for line in tree.lines() if line.strip().startswith("voter ")]
        assert len(shown) == 6
        for line, (name, weight) in zip(shown, WEIGHTS.items()):
            assert f"voter {name}: " in line and f", weight {weight:g}" in line
        weights = {node["role"]: node["weight"] for node in tree.as_plain() if "weight" in node}
        assert weights == {f"voter {name}": weight for name, weight in WEIGHTS.items()}
        assert run_tool("tools/why.py", path).out.count(", weight ") == 6


def test_another_weight_is_the_difference_of_two_tables(six, run_tool):
    select(run_tool, six, WEIGHTS, "one.csv")
    select(run_tool, six, {**WEIGHTS, "d": 9.0}, "two.csv")
    said = run_tool("tools/why.py", six / "one.csv", six / "two.csv").out
    assert "weights" in said and "9.0" in said


def test_names_and_plain_files_together_are_refused(six, run_tool):
    words = ["--predictions", six / "a.pkl", "--voter", f"b={six}/b.pkl", "--output", six / "o.csv"]
    result = run_tool(SELECT, *words)
    assert result.code == 2 and "--voter names the predictions, leave --predictions out" in result.err
    assert run_tool(SELECT, "--voter", "b=x.pkl:0", "--output", six / "o.csv").code == 2


def test_vote_by_agreement_over_alternatives_is_that_of_a_table(six, repo, run_tool, kit):
    """What the rules of configs/real_small say, for voters that a table does not name."""
    table = (repo / "configs/real_small/vote.yaml").read_text()
    known_four = ("uniformer_b32_ssv2", "uniformer_b32_k600", "mvit_b32_k600", "sf32_k700")
    rng, names = np.random.default_rng(1), [f"{row}.mp4" for row in range(60)]
    voters = []
    for folder, own in (
        *((f"exp_pseudo_stage2/{name}", name) for name in known_four),
        ("exp_experts/uniformer_b32_ssv2", "e"),
    ):
        for ending, known in (("", 1.0), ("_gamma1_bn-train_unlabel", 0.2 if own == "e" else 1.5)):
            scores = 9 * (known * np.eye(4)[np.arange(60) % 4] + rng.normal(size=(60, 4)))
            path = six / folder / f"testx8x56x3x3{ending}.pkl"
            kit.write_pkl(path, scores, video_names=names, score_kind="logits", num_views=9)
        voters += ["--voter", f"{own}={six / folder}/testx8x56x3x3.pkl"]
    (six / "rules.yaml").write_text(table)
    common = ["--list", six / "pool.csv", "--output-dir"]
    ruled = run_tool(VOTE, "--rules", six / "rules.yaml", "--exp-root", six, *common, six / "ruled")
    plain = run_tool(
        VOTE, *voters, "--alternative", "_gamma1_bn-train_unlabel", "--weigh", "agreement", *common, six / "plain"
    )
    assert ruled.code == plain.code == 0, ruled.err + plain.err
    found, expected = (
        [line.split(",") for line in (six / part / "predictions.csv").read_text().splitlines()[1:]]
        for part in ("plain", "ruled")
    )
    assert [row[:3] for row in found] == [row[:3] for row in expected]
    np.testing.assert_allclose(
        [list(map(float, row[4:])) for row in found], [list(map(float, row[4:])) for row in expected], atol=2e-4
    )
    taken = [line.split(" is taken from ")[1] for line in plain.out.splitlines() if " is taken from " in line]
    assert [line.split(",")[0] for line in taken] == [
        str(six / line.split(" is taken from ")[1].split(",")[0])
        for line in ruled.out.splitlines()
        if " taken from " in line
    ]
    assert any("_gamma1" in path for path in taken) and any("_gamma1" not in path for path in taken)
    assert "weights by agreement: uniformer_b32_ssv2 0." in plain.out
    made_of, circumstances = read_record(six / "plain/arid_pred.csv")
    assert made_of.settings["weigh"] == "agreement"
    assert circumstances["paths"]["voter e"] in "".join(taken)


def test_agreement_is_for_named_voters(six, run_tool):
    result = run_tool(VOTE, "--exp-root", six, "--weigh", "agreement")
    assert result.code == 2 and "--alternative and --weigh are for voters that --voter names" in result.err
