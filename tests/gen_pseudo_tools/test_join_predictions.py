import numpy as np
import pytest

from slowfast.ensemble import load_predictions

TOOL = "tools/join_predictions.py"


def test_two_lists_without_names(kit, run_tool, tmp_path):
    scores = np.random.default_rng(0).normal(size=(7, 3)).astype("f4")
    parts = [kit.write_pkl(tmp_path / "a.pkl", scores[:3]), kit.write_pkl(tmp_path / "b.pkl", scores[3:])]
    assert run_tool(TOOL, *parts, "--output", tmp_path / "o.pkl").code == 0
    joined = load_predictions(tmp_path / "o.pkl")
    np.testing.assert_array_equal(joined.video_preds, scores)
    assert joined.video_names is None


def test_list_gives_names_or_order(kit, run_tool, tmp_path):
    names = [f"v{row}" for row in range(7)]
    scores = np.arange(21, dtype="f4").reshape(7, 3)
    full = kit.write_list(tmp_path / "list.csv", names)
    plain = [kit.write_pkl(tmp_path / "a.pkl", scores[:3]), kit.write_pkl(tmp_path / "b.pkl", scores[3:])]
    assert run_tool(TOOL, *plain, "--list", full, "--output", tmp_path / "o.pkl").code == 0
    assert load_predictions(tmp_path / "o.pkl").video_names == names
    extra = {"score_kind": "probs", "num_views": 3}
    named = [
        kit.write_pkl(tmp_path / "b.pkl", scores[3:], video_names=names[3:], failed=["v4"], **extra),
        kit.write_pkl(tmp_path / "a.pkl", scores[:3], video_names=names[:3], **extra),
    ]
    assert run_tool(TOOL, *named, "--list", full, "--output", tmp_path / "o.pkl").code == 0
    joined = load_predictions(tmp_path / "o.pkl")
    np.testing.assert_array_equal(joined.video_preds, scores)
    assert (joined.score_kind, joined.num_views, joined.failed) == ("probs", 3, ["v4"])


BAD = {
    "classes": ({}, {"classes": 4}, "num_classes 4"),
    "kinds": ({"score_kind": "probs"}, {"score_kind": "logits"}, "score_kind logits"),
    "views": ({"num_views": 1}, {"num_views": 9}, "num_views 9"),
    "class names": ({"class_names": ["x", "y", "z"]}, {"class_names": ["x", "z", "y"]}, "class_names"),
    "names in one": ({"video_names": ["p", "q"]}, {}, "has no video names"),
    "twice": ({"video_names": ["p", "q"]}, {"video_names": ["q", "r"]}, "'q' stands twice"),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_do_not_fit(name, kit, run_tool, tmp_path):
    first, second, phrase = BAD[name]
    classes = dict(second).get("classes", 3)
    second = {key: value for key, value in second.items() if key != "classes"}
    parts = [
        kit.write_pkl(tmp_path / "a.pkl", np.ones((2, 3), "f4"), **first),
        kit.write_pkl(tmp_path / "b.pkl", np.ones((2, classes), "f4"), **second),
    ]
    result = run_tool(TOOL, *parts, "--output", tmp_path / "o.pkl")
    assert result.code == 2 and phrase in result.err and len(result.err.splitlines()) == 1
    assert not (tmp_path / "o.pkl").exists()


def test_list_of_another_length(kit, run_tool, tmp_path):
    part = kit.write_pkl(tmp_path / "a.pkl", np.ones((2, 3), "f4"))
    full = kit.write_list(tmp_path / "list.csv", ["a", "b", "c"])
    result = run_tool(TOOL, part, "--list", full, "--output", tmp_path / "o.pkl")
    assert result.code == 2 and "has 2 rows and no names" in result.err
