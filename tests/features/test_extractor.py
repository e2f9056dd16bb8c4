"""Extraction: values, batches, shards, resuming, damaged input."""

import numpy as np
import pytest
import torch

from slowfast.config import load_config
from slowfast.features.build import build_plan, build_preprocess
from slowfast.features.extractor import FeatureNetwork
from slowfast.features.store import load_features, read_index
from slowfast.features.videos import find_videos
from slowfast.features.windows import WindowBatch
from slowfast.models import build_model
from slowfast.utils.errors import InputError
from slowfast.utils.precision import Precision
from slowfast.video import open_video


def test_values_are_those_of_each_window_by_itself(helpers, clips, finished):
    cfg = load_config(helpers.TINY)
    torch.manual_seed(cfg.RNG_SEED)
    model, plan, prepare = build_model(cfg).eval(), build_plan(cfg), build_preprocess(cfg)
    for video in find_videos(clips, finished, "Dash"):
        features = load_features(video.output)
        reader = open_video(video.path)
        starts = plan.starts(len(reader))
        assert features.start_frame.tolist() == starts.tolist() and len(starts) > 1
        for row, start in enumerate(starts):
            frames = reader.get_frames(plan.frames_of(start))
            clip = torch.cat([prepare(frame) for frame in frames], dim=1)[None]
            with torch.no_grad():
                np.testing.assert_allclose(features.feats[row], model.forward_features(clip)[0], atol=1e-4, rtol=0)
                np.testing.assert_allclose(features.probs[row], model(clip).softmax(1)[0], atol=1e-4, rtol=0)
        assert (features.fps, features.stride, features.window) == (10.0, 8, 16)
        assert features.num_frames == len(reader)
        np.testing.assert_allclose(features.start_time, starts / 10)
        np.testing.assert_array_equal(features.end_frame, starts + 14)


@pytest.mark.parametrize("options", [{"BATCH_SIZE": 1}, {"BATCH_SIZE": 3, "DECODERS": 4}])
def test_batches_and_decoders_do_not_matter(helpers, clips, finished, tmp_path, options):
    helpers.extract(clips, tmp_path, *(part for key, value in options.items() for part in (f"FEATURES.{key}", value)))
    for video in find_videos(clips, tmp_path):
        if video.name == "user_2/rear_2.mp4":
            continue
        one, other = load_features(video.output), load_features(finished / video.output.relative_to(tmp_path))
        np.testing.assert_allclose(one.feats, other.feats, atol=1e-4, rtol=0)
        np.testing.assert_allclose(one.probs, other.probs, atol=1e-4, rtol=0)
        np.testing.assert_array_equal(one.start_frame, other.start_frame)


def test_two_shards_are_one_run_byte_for_byte(helpers, clips, finished, tmp_path):
    for number in (1, 0):
        assert len(helpers.extract(clips, tmp_path, shard=(number, 2))) == 3
    assert helpers.contents(tmp_path) == helpers.contents(finished)


def test_finished_videos_are_not_touched(helpers, clips, finished, monkeypatch):
    before, times = helpers.contents(finished), {path: path.stat().st_mtime_ns for path in finished.rglob("*.npz")}
    monkeypatch.setattr(FeatureNetwork, "__call__", None)
    (finished / "features.csv").unlink()
    rows = helpers.extract(clips, finished, view="Right")
    assert [row.status for row in rows] == ["ok", "ok"]
    monkeypatch.undo()
    helpers.extract(clips, finished)
    assert helpers.contents(finished) == before
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*.npz")} == times


def test_half_a_file_from_elsewhere_is_written_anew(helpers, clips, finished, tmp_path, caplog):
    target = tmp_path / "user_1" / "Dash_1.npz"
    target.parent.mkdir()
    target.write_bytes((finished / "user_1/Dash_1.npz").read_bytes()[:500])
    helpers.extract(clips, tmp_path)
    assert helpers.contents(tmp_path) == helpers.contents(finished)


def test_an_index_of_others_stops_before_the_work(helpers, clips, tmp_path, monkeypatch):
    (tmp_path / "features.csv").write_text("name;duration\n")
    monkeypatch.setattr(FeatureNetwork, "__call__", None)
    with pytest.raises(InputError, match="not an index of features"):
        helpers.extract(clips, tmp_path)


def test_files_of_others_are_kept(helpers, clips, tmp_path):
    target = tmp_path / "user_1" / "Dash_1.npz"
    target.parent.mkdir()
    np.savez(target, feats=np.ones((2, 3)), pred=np.ones((2, 16)))
    before = target.read_bytes()
    rows = {row.video: row for row in helpers.extract(clips, tmp_path)}
    assert (
        rows["user_1/Dash_1.mp4"].status.startswith("failed: ") and "move it away" in rows["user_1/Dash_1.mp4"].status
    )
    assert target.read_bytes() == before
    assert rows["user_2/Dashboard_2.mp4"].status == "ok"


def test_features_of_other_settings_are_not_mixed(helpers, clips, finished):
    before = helpers.contents(finished)
    with pytest.raises(InputError, match="other settings .*stride 8 there, 4 here"):
        helpers.extract(clips, finished, "FEATURES.STRIDE", 4)
    assert helpers.contents(finished) == before


def test_damaged_videos_are_rows(helpers, shared, tmp_path):
    folder = tmp_path / "in" / "mixed"
    folder.mkdir(parents=True)
    broken = shared / "videos" / "broken"
    for name in ("empty.mp4", "audio_only.mp4", "truncated_half_moov_at_end.mp4", "byte_flips_many.mp4"):
        (folder / name).symlink_to(broken / name)
    helpers.write_video(folder / "short.mp4", 15)
    helpers.write_video(folder / "sound.mp4", 16)
    rows = {row.video: row for row in helpers.extract(tmp_path / "in", tmp_path / "out")}
    assert len(rows) == 6
    assert "empty (0 bytes)" in rows["mixed/empty.mp4"].status
    assert "no video stream" in rows["mixed/audio_only.mp4"].status
    assert rows["mixed/truncated_half_moov_at_end.mp4"].status.startswith("failed: ")
    assert rows["mixed/short.mp4"].status == "too short: 15 frames, a window needs 16"
    assert rows["mixed/sound.mp4"].status == "ok" and rows["mixed/sound.mp4"].windows == 1
    partial = rows["mixed/byte_flips_many.mp4"]
    assert partial.status.startswith("partial: ") and partial.windows > 0
    assert read_index(tmp_path / "out/features.csv") == sorted(rows.values(), key=lambda row: row.video)
    files = {path.stem for path in (tmp_path / "out").rglob("*.npz")}
    assert files == {"sound", "byte_flips_many"}
    again = {row.video: row for row in helpers.extract(tmp_path / "in", tmp_path / "out")}
    assert again == rows


def test_padding_and_resampling(helpers, clips, tmp_path):
    helpers.extract(clips, tmp_path / "pad", "FEATURES.TAIL", "pad", view="Rear")
    padded = load_features(tmp_path / "pad/user_2/rear_2.npz")
    assert padded.start_frame.tolist() == [0] and padded.end_frame.tolist() == [10]
    helpers.extract(clips, tmp_path / "fps", "FEATURES.FPS", 20, view="Rear_1")
    doubled = load_features(tmp_path / "fps/user_1/Rear_1.npz")
    assert (doubled.fps, doubled.source_fps, doubled.num_frames) == (20.0, 10.0, 82)
    np.testing.assert_allclose(doubled.start_time, doubled.start_frame / 20)
    assert len(doubled.feats) == (82 - 16) // 8 + 1


SMALL = ["DATA.NUM_FRAMES", "8", "DATA.TEST_CROP_SIZE", "56"]


@pytest.mark.parametrize("name", ["uniformer_b32_k600", "mvit_b32_k600", "sf32_k700"])
def test_every_network_gives_features(helpers, name, repo, clips, tmp_path):
    path = repo / f"configs/demo/models/{name}.yaml"
    helpers.extract(clips, tmp_path, *SMALL, cfg_path=path, view="Rear_1")
    features = load_features(tmp_path / "user_1/Rear_1.npz")
    assert features.feats.shape[0] == features.probs.shape[0] == (41 - 16) // 16 + 1
    assert features.probs.shape[1] == 11
    np.testing.assert_allclose(features.probs.sum(1), 1, atol=1e-5)
    assert np.isfinite(features.feats).all() and features.feats.std() > 0


def some_batch(count: int) -> WindowBatch:
    frames = torch.randn(3, 8 * count, 32, 32, generator=torch.Generator().manual_seed(0)).split(1, dim=1)
    rows = np.arange(8 * count).reshape(count, 8)
    places = np.arange(count)
    return WindowBatch(frames, rows, places, places, places / 1, places / 1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision_is_close(helpers, dtype):
    cfg = load_config(helpers.TINY)
    model = build_model(cfg)
    exact = FeatureNetwork(model, device=torch.device("cpu"))(some_batch(2))
    mixed = FeatureNetwork(model, device=torch.device("cpu"), precision=Precision(dtype))(some_batch(2))
    for one, other in zip(exact, mixed):
        assert other.dtype == np.float32
        assert 0 < np.abs(one - other).max() < 0.1


def test_the_network_is_left_in_evaluation_and_unchanged(helpers):
    model = build_model(load_config(helpers.TINY, ["VIDEOMAE.FC_DROPOUT_RATE", "0.5"])).train()
    network = FeatureNetwork(model, device=torch.device("cpu"))
    first, second = network(some_batch(2)), network(some_batch(2))
    np.testing.assert_array_equal(first[1], second[1])
    assert not model.training and "forward_features" not in vars(model)


def test_a_fault_of_the_program_stops_the_run(helpers, clips, tmp_path, monkeypatch):
    monkeypatch.setattr("slowfast.features.preprocess.FramePreprocess.__call__", lambda self, frame: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        helpers.extract(clips, tmp_path)


def test_too_little_memory_is_a_sentence(helpers, clips, tmp_path, monkeypatch):
    def fail(self, batch):
        raise torch.OutOfMemoryError("no")

    monkeypatch.setattr(FeatureNetwork, "_run", fail)
    with pytest.raises(InputError, match="lower --batch-size"):
        helpers.extract(clips, tmp_path)
