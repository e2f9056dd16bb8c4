"""The vote over any voters: weighted mean probabilities of a clip, joined by name."""

import csv

import numpy as np
import pytest

from slowfast.parents import Input, MadeOf, read_record

TOOL = "test_ensemble_vote.py"
NAMES = ["a.mp4", "b.mp4", "c.mp4"]
PROBS = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])


@pytest.fixture
def voters(kit, tmp_path):
    """Logits of nine views, probabilities of one view in another order, each with its own opinion."""
    kit.write_list(tmp_path / "test.csv", NAMES)
    logits = 9 * np.log(PROBS)
    kit.write_pkl(tmp_path / "one.pkl", logits, video_names=NAMES, score_kind="logits", num_views=9)
    other = PROBS[[2, 0, 1]]
    kit.write_pkl(tmp_path / "two.pkl", other, video_names=NAMES[::-1], score_kind="probs", num_views=1)
    return tmp_path


def call(run_tool, root, *voters, more=()):
    words = [word for voter in voters for word in ("--voter", voter)]
    return run_tool(TOOL, *words, "--list", root / "test.csv", "--output-dir", root / "out", *more)


def test_weighted_mean_is_joined_by_name(voters, run_tool):
    result = call(run_tool, voters, f"one={voters}/one.pkl:3", f"two={voters}/two.pkl")
    assert (result.code, result.err) == (0, "")
    expected = (3 * PROBS + PROBS[[1, 0, 2]]) / 4
    rows = [line.split(",") for line in (voters / "out/predictions.csv").read_text().splitlines()[1:]]
    np.testing.assert_allclose([list(map(float, row[4:])) for row in rows], expected, atol=1e-4)
    assert [row[0] for row in rows] == NAMES and [row[1] for row in rows] == ["0", "1", "2"]
    with open(voters / "out/arid_pred.csv", newline="") as handle:
        assert [row["ClassID"] for row in csv.DictReader(handle)] == ["0", "1", "2"]
    assert "agreement with the vote: one 100 %, two 33 %" in result.out


def test_what_does_not_fit_is_refused(voters, kit, run_tool):
    gone = call(run_tool, voters, f"one={voters}/one.pkl", f"two={voters}/gone.pkl")
    assert gone.code == 2 and "1 of 2 prediction files are missing: two: " in gone.err
    both = call(run_tool, voters, f"one={voters}/one.pkl", more=("--exp-root", voters))
    assert both.code == 2 and "--voter is a vote without --rules and --exp-root" in both.err
    assert not (voters / "out").exists()


def test_voters_of_other_rounds_are_refused_and_the_vote_knows_its_parents(voters, kit, run_tool):
    for name, round_ in (("one", 2), ("two", 1)):
        made_of = MadeOf("predictions", {"weights": Input(name, round=round_)}, {"gamma": 0.25}).as_plain()
        kit.write_pkl(voters / f"{name}.pkl", PROBS, video_names=NAMES, score_kind="probs", made_of=made_of)
    words = f"one={voters}/one.pkl", f"two={voters}/two.pkl:0.5"
    refused = call(run_tool, voters, *words)
    assert refused.code == 2 and "one.pkl and " in refused.err and "are of round 2 and 1" in refused.err
    assert call(run_tool, voters, *words, more=("--mixed",)).code == 0
    made_of, circumstances = read_record(voters / "out/arid_pred.csv")
    assert made_of.inputs.keys() == {"voter one", "voter two", "list"} and made_of.round == 2
    assert made_of.settings["weights"] == {"one": 1.0, "two": 0.5} and "voter one" in circumstances["paths"]


@pytest.mark.parametrize("kind", ["logits", "probs"])
def test_voter_without_scores_is_undecided_when_asked(kind, voters, kit, run_tool):
    scores = PROBS.copy()
    scores[0] = np.nan
    kit.write_pkl(voters / "nan.pkl", scores, video_names=NAMES, score_kind=kind, num_views=1)
    refused = call(run_tool, voters, f"nan={voters}/nan.pkl", f"one={voters}/one.pkl")
    assert refused.code == 2 and "1 videos have no scores (NaN), first 'a.mp4'" in refused.err
    filled = call(run_tool, voters, f"nan={voters}/nan.pkl", f"one={voters}/one.pkl", more=("--fill-missing",))
    assert filled.code == 0
    row = (voters / "out/predictions.csv").read_text().splitlines()[1].split(",")
    np.testing.assert_allclose(list(map(float, row[4:])), (PROBS[0] + 1 / 3) / 2, atol=1e-4)
