"""Folders of numbered images as videos."""

import logging

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from slowfast.lists.endings import find_files, numbered_images
from slowfast.utils.errors import InputError
from slowfast.video import VideoError, open_video
from slowfast.video.frames_folder import find_frames
from slowfast.video.probe import probe
from slowfast.video.stream import StreamedVideo


@pytest.fixture
def frames(tmp_path):
    """frames("name_{}.jpg", numbers): images whose grey level is ten times their number."""

    def make(pattern="img_{:05d}.jpg", numbers=range(1, 13), folder="clip's a", size=(32, 16)):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        for number in numbers:
            Image.fromarray(np.full((size[1], size[0], 3), 10 * number, np.uint8)).save(place / pattern.format(number))
        (tmp_path / "fps.txt").write_text("12.5\n")
        return place

    return make


def levels(video):
    """The grey levels of all frames."""
    return [int(frame.mean() + 0.5) for frame in video.get_frames(range(len(video)))]


@pytest.mark.parametrize("pattern", ["img_{:05d}.jpg", "{}.png", "frame {:03d}.JPG"])
def test_frames_by_number(frames, pattern):
    """2 before 10; the rate is the stated one; all openings agree."""
    folder = frames(pattern)
    for backend in ("pyav", "decord", "torchcodec"):
        video = open_video(folder, backend)
        assert (len(video), video.fps, video.problems) == (12, 12.5, "")
        np.testing.assert_allclose(levels(video), range(10, 121, 10), atol=1)
        assert video.get_frames([11, 0]).shape == (2, 16, 32, 3)
    stream = StreamedVideo(folder)
    assert [round(frame.time * 12.5) for frame in stream.frames()] == list(range(12)) and stream.fps == 12.5
    facts = probe(folder)
    assert (facts.frames, facts.width, facts.height, facts.fps, facts.seconds) == (12, 32, 16, 12.5, 0.96)


def test_missing_and_damaged_numbers_are_named(frames):
    folder = frames(numbers=[1, 2, 3, 6, 7, 8, 9])
    (folder / "img_00002.jpg").write_bytes(b"")
    whole = (folder / "img_00007.jpg").read_bytes()
    (folder / "img_00007.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "img_00008.jpg").write_text("no picture at all")
    video = open_video(folder)
    np.testing.assert_allclose(levels(video), [10, 30, 60, 90], atol=1)
    assert video.problems == "frames 4, 5 are missing; frames 2, 7, 8 are damaged"


def test_the_rate_of_a_folder_wins_and_a_wrong_one_is_refused(frames, caplog):
    folder = frames()
    (folder / "fps.txt").write_text("30")
    assert open_video(folder).fps == 30
    (folder / "fps.txt").write_text("fast")
    with pytest.raises(InputError, match="fps.txt: 'fast' is no frame rate; write one number"):
        open_video(folder)
    (folder / "fps.txt").unlink()
    (folder.parent / "fps.txt").unlink()
    with caplog.at_level(logging.WARNING, logger="slowfast"):
        assert open_video(folder).fps == 25
    assert "25 is taken: write it to fps.txt" in caplog.text


def test_optical_flow_beside_the_images_is_not_read(frames):
    """Folders of mmaction2 hold img_, flow_x_ and flow_y_."""
    folder = frames(numbers=[1, 2])
    frames("flow_x_{:05d}.jpg", range(1, 6))
    assert [path.name for path in find_frames(folder)] == ["img_00001.jpg", "img_00002.jpg"]
    assert numbered_images(["a1.png", "b1.jpg", "b2.jpg", ".x1.jpg", "c.jpg"]) == {1: "b1.jpg", 2: "b2.jpg"}


def test_frames_of_another_size_are_scaled(frames):
    folder = frames(numbers=[1, 2])
    frames(numbers=[3], size=(64, 48))
    assert open_video(folder).get_frames([0, 1, 2]).shape == (3, 16, 32, 3)


def test_long_folders_are_read_again(frames):
    """Frames that memory does not hold are decoded again."""
    from slowfast.video.pyav import PyAVVideo

    video = PyAVVideo(frames(), hold_bytes=1)
    assert len(video) == 12
    np.testing.assert_allclose([frame.mean() for frame in video.get_frames([2, 9, 11])], [30, 100, 120], atol=1)


def test_other_folders_are_no_videos(tmp_path, frames):
    with pytest.raises(VideoError, match="a folder without numbered images"):
        open_video(tmp_path)
    folder = frames(numbers=[1, 2])
    for path in find_frames(folder):
        path.write_text("x")
    with pytest.raises(VideoError, match="without numbered images that can be read"):
        open_video(folder)


def test_a_search_finds_them(frames, tmp_path):
    """Pictures beside videos, and a picture alone, are no videos."""
    folder = frames()
    (tmp_path / "more").mkdir()
    for name in ("a.mp4", "1.jpg", "2.jpg"):
        (tmp_path / "more" / name).touch()
    (tmp_path / "one").mkdir()
    (tmp_path / "one/1.jpg").touch()
    assert find_files(tmp_path) == sorted([folder, tmp_path / "more/a.mp4"])


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_their_exif_says(tmp_path, ending, orientation):
    """Phones and cameras write it into every picture."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    for number in (1, 2):
        image = Image.fromarray(noise)
        exif = image.getexif()
        exif[0x112], exif[0x10F] = orientation, "Camera"
        image.save(tmp_path / f"{number}.{ending}", exif=exif, quality=100, lossless=True)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / f"1.{ending}")).convert("RGB")).astype(int)
    (tmp_path / "fps.txt").write_text("10")
    for backend in ("pyav", "decord"):
        found = open_video(tmp_path, backend).get_frames([0, 1])
    if av.library_versions["libavcodec"][0] >= 62:  # FFmpeg reads it since 8
        assert np.abs(found - shown).mean() < 12
