import csv

import numpy as np
import pytest

from slowfast.ensemble.submission import submission_text, tensor_text, write_submission


def test_text_of_eleven_classes_breaks_after_nine():
    lines = tensor_text(np.full(11, 1 / 11, np.float32)).split("\n")
    assert lines == ["tensor([[" + "0.0909, " * 8 + "0.0909,", " " * 9 + "0.0909, 0.0909]])"]


@pytest.mark.parametrize("classes", [2, 9, 10, 11, 18, 19, 40])
def test_text_is_what_torch_prints(classes):
    torch = pytest.importorskip("torch")
    scores = torch.rand(1, classes, generator=torch.Generator().manual_seed(classes))
    probs = torch.softmax(scores, dim=1)
    assert tensor_text(probs[0].numpy()) == str(probs)


def test_file_form(tmp_path):
    probs = np.full((2, 11), 1 / 11, np.float32)
    write_submission(tmp_path / "s.csv", ["a.mp4", "b,c.mp4"], np.array([3, 10]), probs)
    data = (tmp_path / "s.csv").read_bytes().decode()
    assert data == submission_text(["a.mp4", "b,c.mp4"], np.array([3, 10]), probs)
    assert data.startswith("VideoID,Video,ClassID,Probability\r\n0,a.mp4,3,") and data.endswith(']])"\r\n')
    with open(tmp_path / "s.csv", newline="") as handle:
        rows = list(csv.reader(handle))
    assert [row[:3] for row in rows[1:]] == [["0", "a.mp4", "3"], ["1", "b,c.mp4", "10"]]
