"""All decoders give the frames of PyAV, value for value: the worst pixel difference is 0."""

import av
import numpy as np
import pytest

from slowfast.utils.errors import InputError
from slowfast.video import VideoError, open_video
from slowfast.video.plain import PlainVideo, plain_length
from slowfast.video.probe import probe
from slowfast.video.torchcodec import why_unavailable

PLAIN = (
    "made_single_keyframe.mp4", "start_time_8s.mp4",
    "carphone_qcif_lowbitrate.mp4", "frames_out_of_order.mov", "made_fragmented.mp4", "dark/Turn_1_1.mp4",
    "sign_walk_fullrange.mkv", "made_one_frame.mp4",
)  # fmt: skip
UNUSUAL = (
    "made_people_rotate90.mp4", "rotation_tag_180.mov", "rotation_tag_90.mov", "made_vfr.mp4",
    "edit_list_discard_first.mp4", "eyemakeup_mpeg4_audio.avi", "made_size_change.ts", "multi_stream.mp4",
    "hevc_128x128.mp4", "h264_10bit.mp4", "odd_121x81_mpeg2.mp4", "made_tiny_16x16.mp4", "four_frames.gif",
    "made_mpegts.ts", "made_raw_annexb.h264", "broken/first_frame_damaged.mp4", "broken/truncated_half_faststart.mp4",
    "broken/starts_mid_gop.ts", "broken/frame_count_lies.avi",
)  # fmt: skip


@pytest.fixture(params=["decord", "torchcodec"])
def backend(request) -> str:
    if request.param == "torchcodec" and why_unavailable():
        pytest.skip(f"torchcodec does not work here: {why_unavailable()}")
    if request.param == "decord":
        pytest.importorskip("decord")
    return request.param


@pytest.mark.parametrize("name", [*PLAIN, *UNUSUAL])
def test_same_indices_same_frames(shared, backend, name):
    path = shared / "videos" / name
    with open_video(path) as reference, open_video(path, backend) as video:
        length = len(reference)
        assert len(video) == length and video.fps == reference.fps
        assert (video._reference is None) == (name in PLAIN), "which decoder reads it"
        wanted = [length - 1, 0, length // 2, 0]
        difference = np.abs(video.get_frames(wanted).astype(int) - reference.get_frames(wanted))
        assert difference.max() == 0
        assert video.problems == reference.problems


def test_refusals_are_the_same(shared, backend):
    for name in ("empty.mp4", "audio_only.mp4", "moov_only_no_data.mp4", "header_zeroed.mp4"):
        texts = []
        for decoder in ("pyav", backend):
            with pytest.raises(VideoError) as caught:
                open_video(shared / "videos/broken" / name, decoder)
            texts.append(str(caught.value))
        assert texts[0] == texts[1]


@pytest.mark.slow
def test_every_sample_file(shared, backend):
    """All 57 clips, the dark ones and all 21 damaged files: length, frames, what is missing, and refusals."""
    paths = [path for path in sorted((shared / "videos").rglob("*.*")) if path.suffix != ".md"]
    assert len(paths) == 57 + 12 + 21
    for path in paths:
        answers = [_look(path, decoder) for decoder in ("pyav", backend)]
        assert answers[0][0] == answers[1][0], path.name
        assert np.array_equal(answers[0][1], answers[1][1]), path.name


def _look(path, decoder):
    """Facts and some frames of a file, or why it is refused."""
    try:
        with open_video(path, decoder) as video:
            length = len(video)
            return (length, video.fps, video.problems), video.get_frames([length - 1, length // 3, 0])
    except VideoError as error:
        return str(error), np.empty(0)


def test_a_shortened_file_is_reported(tmp_path, backend):
    """Matroska gives no count of frames, but a duration."""
    path = tmp_path / "whole.mkv"
    noise = np.random.default_rng(0).integers(0, 256, (60, 48, 64, 3), dtype=np.uint8)
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=30)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for image in noise:
            target.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        target.mux(stream.encode())
    whole = path.read_bytes()
    with open_video(path, backend) as video:
        assert len(video) == 60 and not video.problems
    path.write_bytes(whole[: len(whole) // 2])
    for decoder in ("pyav", backend):
        with open_video(path, decoder) as video:
            assert 0 < len(video) < 50 and "header claims 2.0 s" in video.problems


def test_indices_outside_are_refused(shared, backend):
    video = open_video(shared / "videos/made_two_frames.mp4", backend)
    with pytest.raises(IndexError, match="made_two_frames"):
        video.get_frames([0, 2])


def test_a_decoder_that_fails_hands_over_to_pyav(shared):
    def broken(path, length):
        raise RuntimeError("out of order")

    def short(path, length):
        return np.zeros((length - 1, 256, 340, 3), np.uint8)

    path = shared / "videos/made_two_frames.mp4"
    expected = open_video(path).get_frames([0, 1])
    for decode, reason in ((broken, "out of order"), (short, "counts other frames")):
        video = PlainVideo(path, decode)
        assert np.array_equal(video.get_frames([0, 1]), expected) and len(video) == 2
        assert reason in video.handed_over


def test_long_videos_are_not_kept_decoded(shared):
    assert plain_length(shared / "videos/long_139s_10fps.mp4") == 0
    assert plain_length(shared / "videos/made_two_frames.mp4") == 2


def test_missing_torchcodec_is_one_sentence(shared, monkeypatch):
    monkeypatch.setattr("slowfast.video.torchcodec.why_unavailable", lambda: "no FFmpeg")
    with pytest.raises(InputError, match="no FFmpeg.*pyav"):
        open_video(shared / "videos/made_two_frames.mp4", "torchcodec")


def compare(path, backend, count):
    """All frames of a file are those of PyAV; return whether the backend itself gave them."""
    with open_video(path) as reference, open_video(path, backend) as video:
        assert len(video) == len(reference) == count
        every = range(count)
        assert np.array_equal(video.get_frames(every), reference.get_frames(every))
        return video._reference is None


@pytest.mark.parametrize("width", [34, 36, 48, 64, 72, 100, 136, 200])
def test_padding_of_lines_is_no_channel(making, tmp_path, backend, width):
    image = making.corners(48, width)
    path = making.write(tmp_path / "a.mp4", [image] * 5)
    compare(path, backend, 5)
    expected = (image @ [0.299, 0.587, 0.114]).mean()
    assert probe(path, backend).luma == pytest.approx(expected, abs=2) and probe(path, backend).width == width


@pytest.mark.parametrize("numbers", [{20}, {9, 16, 23, 30}, {3, 41}, set(range(1, 40, 3))])
@pytest.mark.parametrize("options", [{"bf": "0", "refs": "4"}, {"bf": "3", "refs": "4"}], ids=["P", "B"])
def test_files_that_lack_packets(making, tmp_path, backend, options, numbers):
    """Decoders fill the holes differently, by up to 12 levels; a hole in the timestamps tells of them."""
    whole = making.write(tmp_path / "whole.mp4", making.noise(60), options={**options, "g": "40"})
    path = making.drop_packets(whole, tmp_path / "holes.mp4", numbers)
    assert compare(whole, backend, 60)
    assert not compare(path, backend, len(open_video(path)))


@pytest.mark.parametrize(
    ("codec", "options"),
    [("mpeg4", {}), ("mpeg4", {"bf": "2"}), ("libx264", {"x264-params": "interlaced=1"}), ("libx264", {"bf": "5"}),
     ("mjpeg", {}), ("libvpx", {"deadline": "realtime", "cpu-used": "8"})],
)  # fmt: skip
def test_other_codecs_and_interlaced_frames(making, shared, tmp_path, backend, codec, options):
    clip = open_video(shared / "videos/made_single_keyframe.mp4").get_frames(range(30))
    clip[0] = 0  # which every decoder gives
    path = making.write(tmp_path / "a.mkv", clip, codec=codec, options=options)
    assert compare(path, backend, 30) == (codec != "mpeg4" and "x264-params" not in options)
