"""tools/darken.py: dark copies of files, seeded."""

import subprocess
import sys

import numpy as np
import pytest

from slowfast.apps.darken import copies_of, darken_file
from slowfast.utils.errors import InputError
from slowfast.video import VideoError, open_video
from slowfast.video.probe import probe


def test_a_copy_is_dark_and_repeats_with_the_seed(shared, tmp_path):
    source = shared / "videos/made_60fps.mp4"
    parameters = darken_file(source, tmp_path / "a/1.mp4", seed=3)
    assert darken_file(source, tmp_path / "2.mp4", seed=3) == parameters
    assert darken_file(source, tmp_path / "3.mp4", seed=4) != parameters
    first, second, third = (tmp_path.joinpath(name).read_bytes() for name in ("a/1.mp4", "2.mp4", "3.mp4"))
    assert first == second != third
    light, dark = probe(source), probe(tmp_path / "2.mp4")
    assert (dark.frames, dark.width, dark.height, dark.fps) == (light.frames, light.width, light.height, light.fps)
    assert dark.dark and not light.dark and dark.luma < light.luma / 2


def test_what_is_seen_stays(clips, tmp_path):
    source = clips / "clip 4.mp4"
    darken_file(source, tmp_path / "a.mp4", seed=0, exposure=0.5, crf=5)
    light, dark = (open_video(path).get_frames([3])[0].astype(float) for path in (source, tmp_path / "a.mp4"))
    assert np.corrcoef(light.mean((0, 2)), dark.mean((0, 2)))[0, 1] > 0.9
    assert 0.4 < dark.mean() / light.mean() < 0.9, "half the light is about 0.73 of the level"


def test_odd_sizes_and_other_containers(shared, tmp_path):
    darken_file(shared / "videos/odd_321x241_vp9.mp4", tmp_path / "a.mp4", seed=0)
    fact = probe(tmp_path / "a.mp4")
    assert (fact.frames, fact.width, fact.height) == (25, 322, 242)


def test_unreadable_sources_leave_nothing(shared, tmp_path):
    with pytest.raises(VideoError):
        darken_file(shared / "videos/broken/moov_only_no_data.mp4", tmp_path / "a.mp4", seed=0)
    assert not list(tmp_path.iterdir())


def test_places_of_copies(clips, tmp_path):
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/deep/x.avi").touch()
    assert copies_of(tmp_path / "in", tmp_path / "out") == [(tmp_path / "in/deep/x.avi", tmp_path / "out/deep/x.mp4")]
    assert copies_of(tmp_path / "x.avi", tmp_path / "y.mp4") == [(tmp_path / "x.avi", tmp_path / "y.mp4")]
    assert copies_of(tmp_path / "x.avi", tmp_path / "out") == [(tmp_path / "x.avi", tmp_path / "out/x.mp4")]


def test_command(repo, clips, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/good.mp4").symlink_to(clips / "clip 5.mp4")
    (tmp_path / "in/bad.mp4").write_bytes(b"")
    command = [sys.executable, str(repo / "tools/darken.py"), "in", "--output", "out", "--exposure", "1/20"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "exposure 1/20.0" in done.stdout and "bad.mp4: the file is empty" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.mp4"]
    (tmp_path / "in/good.mp4").unlink()
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120).returncode == 2
    wrong = subprocess.run([*command[:-1], "2"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert wrong.returncode == 2 and "above 0" in wrong.stderr


def test_the_source_is_spared(tmp_path, make_clip):
    path = tmp_path / "a.mp4"
    make_clip(path, 60)
    before = path.read_bytes()
    (tmp_path / "link").symlink_to(tmp_path)
    for target in (path, tmp_path / "link/a.mp4"):
        with pytest.raises(InputError, match="take its place"):
            darken_file(path, target, seed=0)
    assert path.read_bytes() == before
