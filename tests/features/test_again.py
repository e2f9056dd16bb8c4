"""Called again: what has other content is made anew, and nothing else; names and values of any kind are borne."""

import json
import os
import shutil

import numpy as np
import pytest
import torch

from slowfast.apps.export_features import export_features
from slowfast.config import load_config
from slowfast.features.build import build_extraction
from slowfast.features.store import FeatureIndex, load_features, read_index, save_features
from slowfast.features.videos import find_videos
from slowfast.models import build_model
from slowfast.utils.errors import InputError


@pytest.fixture
def videos(clips, tmp_path):
    shutil.copytree(clips / "user_1", tmp_path / "videos/user_1")
    return tmp_path / "videos"


def test_a_replaced_video_is_done_again_and_a_touched_one_is_not(helpers, videos, clips, tmp_path):
    helpers.extract(videos, tmp_path / "out")
    before = helpers.contents(tmp_path / "out")
    for path in videos.rglob("*.mp4"):
        os.utime(path, (1, 1))
    shutil.move(videos, tmp_path / "elsewhere")
    shutil.move(tmp_path / "elsewhere", videos)
    helpers.extract(videos, tmp_path / "out")
    assert helpers.contents(tmp_path / "out") == before
    helpers.write_video(videos / "user_1/Rear_1.mp4", 41, seed=9)
    helpers.write_video(videos / "user_1/Dash_1.mp4", 5)
    rows = {row.video: row.status for row in helpers.extract(videos, tmp_path / "out")}
    assert rows == {
        "user_1/Rear_1.mp4": "ok", "user_1/Right_1.mp4": "ok",
        "user_1/Dash_1.mp4": "too short: 5 frames, a window needs 16",
    }  # fmt: skip
    after = helpers.contents(tmp_path / "out")
    assert after["user_1/Right_1.npz"] == before["user_1/Right_1.npz"]
    assert after["user_1/Rear_1.npz"] != before["user_1/Rear_1.npz"]
    assert "user_1/Dash_1.npz" not in after, "features of a video that is no longer there"


def test_a_video_that_was_still_being_copied_becomes_whole(helpers, videos, tmp_path):
    path = helpers.write_video(videos / "user_1/Whole_1.avi", 60)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 9 // 10])
    helpers.extract(videos, tmp_path / "out", view="Whole")
    assert read_index(tmp_path / "out/features.csv")[0].status.startswith("partial: ")
    path.write_bytes(whole)
    helpers.extract(videos, tmp_path / "out", view="Whole")
    assert [(row.status, row.frames) for row in read_index(tmp_path / "out/features.csv")] == [("ok", 60)]


def test_features_of_an_earlier_version_stay_unless_they_are_partial(helpers, videos, tmp_path):
    helpers.extract(videos, tmp_path / "out")
    old = {}
    for name, problems in (("Rear_1", ""), ("Right_1", "cut")):
        path = tmp_path / f"out/user_1/{name}.npz"
        features = load_features(path)
        assert len(features.video_digest) == 64
        save_features(path, type(features)(**vars(features) | {"video_digest": "", "problems": problems}))
        old[name] = path.read_bytes()
    helpers.extract(videos, tmp_path / "out")
    assert (tmp_path / "out/user_1/Rear_1.npz").read_bytes() == old["Rear_1"]
    assert load_features(tmp_path / "out/user_1/Right_1.npz").problems == ""


def test_deleted_videos_are_marked_and_come_back(helpers, videos, tmp_path):
    helpers.extract(videos, tmp_path / "out")
    (videos / "user_1/Rear_1.mp4").rename(tmp_path / "Rear_1.mp4")
    helpers.extract(videos, tmp_path / "out", view="Dash")
    status = {row.video: row.status for row in read_index(tmp_path / "out/features.csv")}
    assert status["user_1/Rear_1.mp4"].startswith("vanished: ") and status["user_1/Right_1.mp4"] == "ok"
    (tmp_path / "Rear_1.mp4").rename(videos / "user_1/Rear_1.mp4")
    helpers.extract(videos, tmp_path / "out")
    assert {row.status for row in read_index(tmp_path / "out/features.csv")} == {"ok"}


def test_names_of_any_kind(helpers, videos, tmp_path):
    source = videos / "user_1/Right_1.mp4"
    names = [os.fsdecode(b"no\xe9.mp4"), "~.mp4", "~nobody.mp4", "back\\slash.mp4", "[x].mp4", "n" * 251 + ".mp4",
             "m" * 252 + ".ts", "ü" * 125 + ".mp4", "two\nlines.mp4", "empty " + os.fsdecode(b"\xff.mp4")]  # fmt: skip
    for name in names[:-1]:
        shutil.copy(source, tmp_path / "videos/user_1" / name)
    (tmp_path / "videos/user_1" / names[-1]).write_bytes(b"")
    for _ in range(2):
        rows = {row.video: row.status for row in helpers.extract(videos, tmp_path / "out")}
        assert len(rows) == 3 + len(names)
        assert [name for name, status in rows.items() if status != "ok"] == ["user_1/empty \\xff.mp4"]
    assert len(list((tmp_path / "out").rglob("*.npz"))) == 3 + len(names) - 1
    assert {row.video for row in read_index(tmp_path / "out/features.csv")} == set(rows)
    assert not list((tmp_path / "out").rglob(".*.tmp"))
    np.savez(tmp_path / "out/user_1" / os.fsdecode(b"no\xe9.npz"), feats=np.zeros((2, 3)))
    helpers.extract(videos, tmp_path / "out")
    status = {row.video: row.status for row in read_index(tmp_path / "out/features.csv")}["user_1/no\\xe9.mp4"]
    assert status.startswith("failed: ") and status.endswith("move it away")


def test_features_name_the_classes_and_are_numbers(helpers, videos, tmp_path):
    cfg = load_config(helpers.TINY, ["NUM_GPUS", "0"])
    model = build_model(cfg)
    names = [f"class {number}" for number in range(cfg.MODEL.NUM_CLASSES)]
    for weights, folder in (("a", "out"), ("b", "nan")):
        extraction = build_extraction(cfg, model, torch.device("cpu"), weights, names)
        chosen = find_videos(videos, tmp_path / folder, "Right")
        rows = extraction.run(chosen, FeatureIndex(tmp_path / folder))
        with torch.no_grad():
            next(parameter for parameter in model.parameters()).fill_(np.nan)
    assert load_features(tmp_path / "out/user_1/Right_1.npz").class_names == tuple(names)
    assert rows[0].status.startswith("failed: the network gives features that are no finite numbers")
    assert not list((tmp_path / "nan").rglob("*.npz"))


def test_a_rate_that_falls_is_exported_with_fps_only(helpers, tmp_path):
    """A clip that falls from 30 to 10 frames a second in the dark, and a camera that pauses, also in Matroska."""
    videos = tmp_path / "videos/u"
    falling = np.concatenate([np.arange(90) / 30, 3 + np.arange(60) / 10])
    pausing = np.concatenate([np.arange(50) / 10, 30 + np.arange(50) / 10])
    helpers.write_video(videos / "falling.mkv", 150, stamps=falling)
    helpers.write_video(videos / "pausing.mp4", 100, stamps=pausing)
    helpers.write_video(videos / "pausing too.mkv", 100, stamps=pausing)
    assert {row.status for row in helpers.extract(tmp_path / "videos", tmp_path / "out")} == {"ok"}
    for name, stamps in (("falling", falling), ("pausing", pausing), ("pausing too", pausing)):
        features = load_features(tmp_path / f"out/u/{name}.npz")
        np.testing.assert_allclose(features.start_time, stamps[features.start_frame], atol=0.002)
    with pytest.raises(InputError, match="falling.npz: the frame rate of this video changes.*--fps"):
        export_features(tmp_path / "out", tmp_path / "export", "actionformer")
    helpers.extract(tmp_path / "videos", tmp_path / "even", "FEATURES.FPS", 10)
    export_features(tmp_path / "even", tmp_path / "export", "actionformer")
    database = json.loads((tmp_path / "export/annotations.json").read_text())["database"]
    seconds = {name: entry["duration"] for name, entry in database.items()}
    assert seconds == pytest.approx({"falling": 9.0, "pausing": 35.0, "pausing too": 35.0}, abs=0.15)
