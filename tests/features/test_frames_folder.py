"""Features of folders of numbered images, with their stated rate; another image is another content."""

import numpy as np
import pytest
from PIL import Image

from slowfast.features.store import load_features


@pytest.fixture
def folder(tmp_path):
    """A folder of 40 images, 12.5 a second."""
    place = tmp_path / "videos/day/clip_1"
    place.mkdir(parents=True)
    (tmp_path / "videos/fps.txt").write_text("12.5")
    for number in range(1, 41):
        Image.fromarray(np.full((48, 64, 3), 6 * number, np.uint8)).save(place / f"img_{number:05d}.jpg")
    return place


def test_features_of_images(helpers, folder, tmp_path):
    rows = helpers.extract(tmp_path / "videos", tmp_path / "out")
    assert [(row.video, row.status, row.frames, row.fps) for row in rows] == [("day/clip_1", "ok", 40, 12.5)]
    first = load_features(tmp_path / "out/day/clip_1.npz")
    helpers.extract(tmp_path / "videos", tmp_path / "out")
    assert load_features(tmp_path / "out/day/clip_1.npz").feats.tobytes() == first.feats.tobytes()
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(folder / "img_00003.jpg")
    (folder / "img_00007.jpg").unlink()
    rows = helpers.extract(tmp_path / "videos", tmp_path / "out")
    assert rows[0].frames == 39 and "frames 7 are missing" in str(rows[0])
    assert load_features(tmp_path / "out/day/clip_1.npz").feats.tobytes() != first.feats.tobytes()
