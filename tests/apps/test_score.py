"""Predictions of any kind against known labels."""

import numpy as np
import pytest

from slowfast.apps.score import score
from slowfast.ensemble.predictions import Predictions, save_predictions
from slowfast.ensemble.submission import write_predictions, write_submission
from slowfast.utils.errors import InputError


@pytest.fixture
def files(tmp_path):
    """Four videos, the first three predicted rightly, and truth of the second to the fourth and of another."""
    names, probs_NK = ["a.mp4", "./b.mp4", "c.mp4", "d.mp4"], np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    save_predictions(tmp_path / "p.pkl", Predictions(probs_NK, np.full(4, -1), names, "probs", 1, ["x", "y", "z"]))
    write_predictions(tmp_path / "predictions.csv", names, probs_NK.argmax(1), probs_NK, ["x", "y", "z"])
    write_submission(tmp_path / "arid_pred.csv", names, probs_NK.argmax(1), probs_NK)
    (tmp_path / "truth.csv").write_text("a.mp4,-1\nb.mp4,1\nc.mp4,2\nd.mp4,1\nother.mp4,0\n")
    return tmp_path


def test_all_kinds_of_predictions_are_measured_alike(files, capsys):
    paths = [files / name for name in ("p.pkl", "predictions.csv", "arid_pred.csv")]
    assert list(score(paths, files / "truth.csv").values()) == pytest.approx([200 / 3] * 3)
    assert " 66.67 % of 3 videos: " in capsys.readouterr().out


def test_videos_without_scores_are_wrong(files):
    loaded = Predictions(np.full((1, 3), np.nan, np.float32), np.full(1, -1), ["b.mp4"], "probs", 1, None, ["b.mp4"])
    save_predictions(files / "nan.pkl", loaded)
    assert list(score([files / "nan.pkl"], files / "truth.csv").values()) == [0.0]


def test_other_files_and_strangers_are_told(files):
    with pytest.raises(InputError, match="truth.csv: not a PKL"):
        score([files / "truth.csv"], files / "truth.csv")
    (files / "strangers.csv").write_text("q.mp4,0\n")
    with pytest.raises(InputError, match="knows the class of none of its 4 videos"):
        score([files / "p.pkl"], files / "strangers.csv")
