"""The pseudo-label tools and the vote on bad input: one sentence, exit 2, the table of before stays."""

import pickle

import numpy as np
import pytest

VOTERS = ("ssv2", "uni", "mvit", "sf")


@pytest.fixture
def pool(experiment):
    """A pool of three clips of eleven classes, four voters without an opinion, and a table of an earlier run."""
    names = [f"{number}.mp4" for number in range(3)]
    for voter in VOTERS:
        content = {"video_preds": np.zeros((3, 11), np.float32), "video_labels": np.full(3, -1), "video_names": names}
        (experiment.home / f"{voter}.pkl").write_bytes(pickle.dumps(content))
    (experiment.home / "stage1.csv").write_text("an earlier table\n")
    return experiment


def stage(pool, **changed):
    """Run the tool of stage 1 with some arguments changed."""
    given = {"list": pool.data / "pool.csv", "output": pool.home / "stage1.csv"}
    given |= {voter: pool.home / f"{voter}.pkl" for voter in VOTERS} | changed
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    return pool.tool("gen_pseudo_tools/generate_pseudo_label_stage1.py", *words)


def refused(done, *wanted):
    """Whether a command ended with exit 2 and one sentence that holds the wanted parts."""
    last = done.said.splitlines()[-1]
    assert done.code == 2, done.said
    assert "Traceback" not in done.said and done.said.count("error: ") == 1 and last.startswith("error: ")
    assert all(part in last for part in wanted), last
    return True


def test_nothing_selected(pool):
    before = pool.contents()
    assert refused(stage(pool), "selects none of the 3 rows", "stage1.csv is not written", "select_pseudo_labels.py")
    assert pool.contents() == before


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"list": "nowhere.csv"}, ("nowhere.csv",)),
        ({"uni": "nowhere.pkl"}, ("nowhere.pkl does not exist", "--uni", "test.sh")),
    ],
    ids=["missing list", "stage before its inputs"],
)
def test_missing_input(pool, changed, wanted):
    before = pool.contents()
    assert refused(stage(pool, **changed), *wanted)
    assert pool.contents() == before


def test_empty_list(pool):
    (pool.data / "pool.csv").write_text("")
    before = pool.contents()
    assert refused(stage(pool), "pool.csv", "empty")
    assert pool.contents() == before


def test_no_scores_at_all(pool):
    content = {"video_preds": np.full((3, 2), np.nan, np.float32), "video_labels": np.full(3, -1)}
    (pool.home / "nan.pkl").write_bytes(pickle.dumps(content))
    before = pool.contents()
    done = pool.tool(
        "gen_pseudo_tools/select_pseudo_labels.py", "--predictions", pool.home / "nan.pkl",
        "--list", pool.data / "pool.csv", "--output", pool.home / "stage1.csv",
    )  # fmt: skip
    assert refused(done)
    assert pool.contents() == before


def test_vote_without_predictions(pool):
    before = pool.contents()
    arguments = ("--exp-root", pool.home, "--list", pool.data / "pool.csv", "--output-dir", pool.home / "submission")
    assert refused(pool.tool("test_ensemble_vote.py", *arguments), "10 of 10 prediction files are missing", "test.sh")
    assert pool.contents() == before
