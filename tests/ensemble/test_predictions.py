import pickle
import subprocess
import sys

import numpy as np
import pytest

from slowfast.ensemble import Predictions, load_predictions, save_predictions
from slowfast.utils.errors import InputError

KEYS = [
    "video_preds", "video_labels", "video_names", "score_kind", "num_views", "class_names", "failed", "precision",
    "version",
]  # fmt: skip


def example() -> Predictions:
    scores = np.array([[1, 2], [np.nan, np.nan], [3, 4]], dtype=np.float64)
    return Predictions(
        scores, np.array([0, -1, 1]), video_names=["a", "b", "é,c"], score_kind="probs", num_views=np.int64(9),
        class_names=["Drink", "Jump"], failed=["b"], precision="bf16",
    )  # fmt: skip


def test_written_file_is_the_documented_one(tmp_path):
    save_predictions(tmp_path / "new folder" / "p.pkl", example())
    content = pickle.loads((tmp_path / "new folder" / "p.pkl").read_bytes())
    assert list(content) == KEYS
    assert content["video_preds"].dtype == np.float32 and content["video_labels"].dtype == np.int64
    assert type(content["num_views"]) is int and content["failed"] == ["b"]
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == ["p.pkl"]


def test_round_trip(tmp_path):
    save_predictions(tmp_path / "p.pkl", example())
    found = load_predictions(tmp_path / "p.pkl")
    assert found.precision == "bf16"
    for key in KEYS[:-1]:
        np.testing.assert_array_equal(getattr(found, key), getattr(example(), key))
    assert found.missing.tolist() == [False, True, False] and found.num_classes == 2
    assert found.source == str(tmp_path / "p.pkl")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_file_of_the_original_code(protocol, tmp_path):
    content = {"video_preds": np.ones((4, 3), "f4"), "video_labels": np.full(4, -1)}
    (tmp_path / "p.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    found = load_predictions(tmp_path / "p.pkl")
    assert found.video_names is None and found.score_kind is None and found.num_views is None
    assert found.video_preds.shape == (4, 3)


BAD = {
    "one key": ({"video_preds": np.ones((2, 3))}, "no video_preds and video_labels"),
    "a list": ([1, 2], "not a prediction file"),
    "flat": ({"video_preds": np.ones(3), "video_labels": np.ones(3)}, "has shape (3,)"),
    "text": ({"video_preds": np.array([["a", "b"]]), "video_labels": np.ones(1)}, "type <U1"),
    "one class": ({"video_preds": np.ones((3, 1)), "video_labels": np.ones(3)}, "at least two classes"),
    "no rows": ({"video_preds": np.ones((0, 3)), "video_labels": np.ones(0)}, "shape (0, 3)"),
    "labels": ({"video_preds": np.ones((2, 3)), "video_labels": np.ones(3)}, "expected 2 class numbers"),
    "names": (
        {"video_preds": np.ones((2, 3)), "video_labels": np.ones(2), "video_names": ["a"]},
        "video_names is 1 entries, expected a list of 2 names",
    ),
    "number names": (
        {"video_preds": np.ones((2, 3)), "video_labels": np.ones(2), "video_names": [1, 2]},
        "video_names is list",
    ),
    "kind": (
        {"video_preds": np.ones((2, 3)), "video_labels": np.ones(2), "score_kind": "scores"},
        "score_kind is 'scores'",
    ),
    "views": ({"video_preds": np.ones((2, 3)), "video_labels": np.ones(2), "num_views": 0}, "num_views is 0"),
    "version": ({"video_preds": np.ones((2, 3)), "video_labels": np.ones(2), "version": 7}, "version 7"),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_make_no_sense(name, tmp_path):
    content, phrase = BAD[name]
    (tmp_path / "p.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(InputError) as error:
        load_predictions(tmp_path / "p.pkl")
    assert phrase in str(error.value) and "p.pkl" in str(error.value)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_bytes(b"")])
def test_files_that_cannot_be_read(make, tmp_path):
    make(tmp_path / "p.pkl")
    with pytest.raises(InputError, match="p.pkl"):
        load_predictions(tmp_path / "p.pkl")


def test_needs_neither_torch_nor_a_configuration(repo):
    code = (
        "import sys; sys.modules.update(torch=None, yacs=None, fvcore=None);"
        "import slowfast.ensemble, slowfast.ensemble.pool, slowfast.ensemble.vote, slowfast.ensemble.submission,"
        "slowfast.ensemble.label_free"
    )
    subprocess.run([sys.executable, "-c", code], cwd=repo, check=True)


def test_a_changed_byte_is_noticed(tmp_path):
    path = tmp_path / "p.pkl"
    save_predictions(path, example())
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 64]) + whole[place + 1 :])
        try:
            found = load_predictions(path)
        except InputError:
            continue
        assert np.array_equal(found.video_preds, example().video_preds, equal_nan=True)
        assert found.video_names == example().video_names
    path.write_bytes(whole[:-72])
    assert load_predictions(path).video_names == example().video_names


def test_a_damaged_digest_does_not_let_damage_pass(tmp_path):
    path = tmp_path / "p.pkl"
    save_predictions(path, example())
    whole = bytearray(path.read_bytes())
    first = bytes(example().video_preds.tobytes()[:4])
    whole[whole.index(first)] ^= 64
    for place in range(len(whole) - 72, len(whole) - 64):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 64]) + whole[place + 1 :])
        with pytest.raises(InputError, match="no digest"):
            load_predictions(path)
    path.write_bytes(whole[:-1])
    with pytest.raises(InputError, match="no digest"):
        load_predictions(path)
