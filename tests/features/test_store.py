"""Feature files and their index."""

import json
import os

import numpy as np
import pytest

from slowfast.features.store import (
    DamagedFile,
    FeatureIndex,
    Features,
    ForeignFile,
    IndexRow,
    check_settings,
    check_writable,
    is_gone,
    load_features,
    read_index,
    read_sources,
    remove_asides,
    row_of,
    save_features,
    summarise,
)
from slowfast.features.videos import VideoFile
from slowfast.utils.errors import InputError
from slowfast.utils.files import printable


def features(windows: int = 3, **changes) -> Features:
    """Some features."""
    rng = np.random.default_rng(windows)
    first = np.arange(windows, dtype=np.int64) * 4
    values = dict(
        feats=rng.random((windows, 5), np.float32), probs=rng.random((windows, 2), np.float32), start_frame=first,
        end_frame=first + 7, start_time=first / 10, end_time=(first + 7) / 10, fps=10.0, source_fps=20.0, stride=4,
        window=8, num_frames=17, problems="", settings='{"arch": "sf"}',
    )  # fmt: skip
    return Features(**values | changes)


def test_round_trip_and_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        save_features(tmp_path / name, features())
    again = load_features(tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]
    for name, value in vars(features()).items():
        np.testing.assert_array_equal(getattr(again, name), value)
    assert again.duration == pytest.approx(1.7)
    assert features(fps=0.0).duration == 0.0


def test_types_are_those_of_the_contract(tmp_path):
    save_features(tmp_path / "a.npz", features())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        types = {name: arrays[name].dtype for name in arrays.files}
        shapes = {name: arrays[name].shape for name in arrays.files}
    assert types["feats"] == types["probs"] == np.float32
    assert types["start_frame"] == types["end_frame"] == np.int64
    assert types["fps"] == np.float64 and shapes["fps"] == shapes["stride"] == shapes["window"] == ()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_half_a_file_is_damaged(tmp_path, share):
    save_features(tmp_path / "a.npz", features(200))
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(data[: int(share * len(data))])
    with pytest.raises(DamagedFile, match="a.npz: not a whole npz"):
        load_features(tmp_path / "a.npz")


def test_every_damage_is_a_sentence(tmp_path):
    """Flipped bytes reach zip, zlib and the header of an array; none may end a run."""
    np.savez_compressed(tmp_path / "whole.npz", **vars(features(20)))
    data = (tmp_path / "whole.npz").read_bytes()
    damaged = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        flipped = bytearray(data)
        flipped[rng.integers(len(data))] ^= rng.integers(1, 256)
        (tmp_path / "a.npz").write_bytes(flipped)
        try:
            load_features(tmp_path / "a.npz")
        except (DamagedFile, ForeignFile):
            damaged += 1
    assert damaged > 200


def test_a_wrong_size_does_not_hide_a_changed_number(tmp_path):
    path = tmp_path / "a.npz"
    save_features(path, features(20))
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    # Packed and plain size of the first array, so that its end is never reached.
    data[entry + 22] += 1
    data[entry + 26] += 1
    data[data.index(features(20).feats.tobytes())] ^= 64
    path.write_bytes(data)
    with pytest.raises(DamagedFile, match="not a whole npz"):
        load_features(path)


def test_files_from_elsewhere_are_foreign(tmp_path):
    np.savez(tmp_path / "upstream.npz", feats=np.zeros((2, 3)), a_prob=np.zeros((2, 4)))
    with pytest.raises(ForeignFile, match="lacks probs, start_frame"):
        load_features(tmp_path / "upstream.npz")
    values = vars(features()) | {"probs": np.zeros((2, 2), np.float32)}
    np.savez(tmp_path / "uneven.npz", **values)
    with pytest.raises(ForeignFile, match="do not belong together"):
        load_features(tmp_path / "uneven.npz")
    np.savez(tmp_path / "objects.npz", **vars(features()) | {"feats": np.array(None, dtype=object)})
    with pytest.raises(DamagedFile):
        load_features(tmp_path / "objects.npz")


def test_the_arrays_of_the_contract_are_enough(tmp_path):
    names = ("feats", "probs", "start_frame", "end_frame", "fps", "stride", "window")
    np.savez(tmp_path / "bare.npz", **{name: vars(features())[name] for name in names})
    bare = load_features(tmp_path / "bare.npz")
    assert (bare.num_frames, bare.settings, bare.source_fps) == (16, "", 10.0)
    np.testing.assert_allclose(bare.start_time, features().start_time)
    check_settings("bare.npz", bare.settings, '{"stride": 4}')


def test_a_path_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "user_1").write_text("x")
    with pytest.raises(InputError, match="Dash.npz: the features cannot be written"):
        save_features(tmp_path / "user_1" / "Dash.npz", features())


def test_other_settings_are_named():
    check_settings("a.npz", '{"stride": 4}', '{"stride": 4}')
    with pytest.raises(InputError, match="stride 4 there, 8 here"):
        check_settings("a.npz", '{"stride": 4, "arch": "sf"}', json.dumps({"stride": 8, "arch": "sf"}))
    with pytest.raises(InputError, match="other settings"):
        check_settings("a.npz", "nonsense", "{}")


def test_only_dead_processes_leave_leftovers(tmp_path):
    for name in (".v[1].npz.999999999.tmp", f".v[1].npz.{os.getppid()}.tmp", ".other.npz.999999999.tmp"):
        (tmp_path / name).write_bytes(b"half")
    remove_asides(tmp_path / "v[1].npz")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [f".v[1].npz.{os.getppid()}.tmp", ".other.npz.999999999.tmp"]
    )


def test_index_merges_the_rows_of_several_processes(tmp_path):
    one, two = FeatureIndex(tmp_path), FeatureIndex(tmp_path)
    one.add(row_of("b/x.mp4", features()))
    two.add(IndexRow("a, with comma.mp4", 5, 29.97002997, 0, "too short: 5 frames, a window needs 8"))
    two.flush()
    one.flush()
    two.add(row_of("c.mp4", features(problems="2 damaged packets were skipped")))
    two.flush()
    assert (tmp_path / "features.csv").read_text() == (
        "video,frames,fps,windows,status\n"
        '"a, with comma.mp4",5,29.97,0,"too short: 5 frames, a window needs 8"\n'
        "b/x.mp4,17,10,3,ok\n"
        "c.mp4,17,10,3,partial: 2 damaged packets were skipped\n"
    )
    assert [row.has_features for row in read_index(tmp_path / "features.csv")] == [False, True, True]


@pytest.mark.parametrize("data", [b"name;duration\nx;5\n", b"", b"\xff\xfe", b"video,frames,fps,windows,status\na,1\n"])
def test_an_index_of_another_form_is_not_touched(tmp_path, data):
    (tmp_path / "features.csv").write_bytes(data)
    index = FeatureIndex(tmp_path)
    index.add(row_of("b.mp4", features()))
    with pytest.raises(InputError, match="not an index of features"):
        index.flush()
    assert (tmp_path / "features.csv").read_bytes() == data


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="--output-dir .*file/out cannot be written"):
        check_writable(tmp_path / "file" / "out")
    check_writable(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_summary():
    rows = [row_of("a", features()), IndexRow("b", 0, 0.0, 0, "failed: the file is empty")]
    assert summarise(rows) == "1 of 2 videos have features, 3 windows; 1 without: b: failed: the file is empty"
    assert summarise(rows[:1]) == "1 of 1 videos have features, 3 windows"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fps": np.nan}, "fps is nan"), ({"fps": np.inf}, "fps is inf"), ({"fps": -1.0}, "fps is -1"),
        ({"fps": "thirty"}, "fps is thirty"), ({"fps": [1.0, 2.0]}, "fps is"), ({"stride": 0}, "stride is 0"),
        ({"stride": 1.5}, "stride is 1.5"), ({"window": np.inf}, "window is inf"), ({"num_frames": np.inf}, "num_f"),
        ({"num_frames": 1e300}, "num_frames"), ({"settings": 3}, "settings is 3"), ({"problems": [1, 2]}, "problems"),
        ({"start_frame": np.array([0, np.inf, 2])}, "whole numbers"), ({"feats": np.full((3, 5), "x")}, "than numbers"),
        ({"start_time": np.array([0, np.nan, 2])}, "start_time"), ({"end_time": np.zeros(2)}, "do not belong"),
        ({"start_frame": np.array(["a", "b", "c"])}, "whole numbers"), ({"end_frame": np.zeros((3, 2), int)}, "belong"),
        ({"start_frame": np.array(["2001", "2002", "2003"], "M8[Y]")}, "whole numbers"),
        ({"probs": np.zeros(3)}, "do not belong"), ({"class_names": np.zeros(2)}, "class_names is"),
    ],
)  # fmt: skip
def test_odd_values_are_a_sentence(tmp_path, changes, words):
    np.savez(tmp_path / "odd.npz", **vars(features()) | changes)
    with pytest.raises(ForeignFile, match=rf"odd.npz: .*{words}"):
        load_features(tmp_path / "odd.npz")


@pytest.mark.parametrize("found", ["[1, 2]", "3", "null", "[" * 100000, "nonsense" * 1000, '{"stride": NaN}'])
def test_odd_settings_are_other_settings(found):
    with pytest.raises(InputError, match="other settings") as caught:
        check_settings("a.npz", found, '{"stride": 4}')
    assert len(str(caught.value)) < 400


def test_names_of_classes_and_content_are_kept(tmp_path):
    save_features(tmp_path / "a.npz", features(class_names=("Wave", "Überholen"), video_digest="abc"))
    again = load_features(tmp_path / "a.npz")
    assert again.class_names == ("Wave", "Überholen") and again.video_digest == "abc"
    assert features().class_names == ()


def test_vanished_videos_are_marked(tmp_path):
    videos, output = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    names = ("a.mp4", "b.mp4", os.fsdecode(b"no\xe9.mp4"))
    for name in names:
        (videos / name).write_bytes(b"x")
    for name in names:
        index = FeatureIndex(output)
        video = VideoFile(printable(name), videos / name, output / "videos" / f"{name}.npz", folder=videos)
        index.add(row_of(video.name, features()), video)
        index.flush(mark=True)
    assert {row.status for row in read_index(output / "features.csv")} == {"ok"}
    (videos / "b.mp4").unlink()
    FeatureIndex(output).flush(mark=True)
    rows = {row.video: row for row in read_index(output / "features.csv")}
    assert rows["b.mp4"].status.startswith("vanished: ") and not rows["b.mp4"].has_features
    assert rows["a.mp4"].status == rows["no\\xe9.mp4"].status == "ok"
    # An empty folder is a disk that is not mounted.
    for path in videos.iterdir():
        path.unlink()
    assert not any(is_gone(places) for places in read_sources(output).values())
    for damage in ("[]", "{", '{"a": 3}', '{"a": {"path": "x"}}', "[" * 100000):
        (output / "features.json").write_text(damage)
        assert read_sources(output) == {}
