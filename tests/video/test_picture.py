"""Turns and mirrorings are the file's, levels are right in the dark."""

import logging
import types

import av
import numpy as np
import pytest
from av.sidedata.sidedata import Type

from slowfast.video import open_video
from slowfast.video.picture import orientation_of
from slowfast.video.plain import PlainVideo
from slowfast.video.pyav import PyAVVideo
from slowfast.video.stream import StreamedVideo
from slowfast.video.torchcodec import why_unavailable

ONE, UNIT = 1 << 16, 1 << 30
# (a, b, c, d) of the display matrix -> what a player shows of the stored picture.
ORIENTATIONS = {
    (1, 0, 0, 1): lambda image: image,
    (-1, 0, 0, 1): np.fliplr,
    (1, 0, 0, -1): np.flipud,
    (-1, 0, 0, -1): lambda image: np.rot90(image, 2),
    (0, 1, -1, 0): lambda image: np.rot90(image, -1),
    (0, -1, 1, 0): lambda image: np.rot90(image, 1),
    (0, 1, 1, 0): lambda image: image.swapaxes(0, 1),
    (0, -1, -1, 0): lambda image: np.rot90(image, 2).swapaxes(0, 1),
}


def matrix_of(a: float, b: float, c: float, d: float, scale: float = ONE) -> list[int]:
    return [round(a * scale), round(b * scale), 0, round(c * scale), round(d * scale), 0, 0, 0, UNIT]


def backends() -> list[str]:
    return ["pyav", "decord", *([] if why_unavailable() else ["torchcodec"])]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("turn", ORIENTATIONS)
def test_all_eight_orientations_in_all_readers(making, tmp_path, turn, ending):
    image = making.corners()
    plain = making.write(tmp_path / f"plain.{ending}", [image] * 3)
    path = making.write(tmp_path / f"turned.{ending}", [image] * 3, matrix=matrix_of(*turn))
    stored = open_video(plain).get_frames([0, 2])
    expected = np.stack([ORIENTATIONS[turn](frame) for frame in stored])
    for backend in backends():
        with open_video(path, backend) as video:
            assert video.get_frames([]).shape[1:] == expected.shape[1:]
            np.testing.assert_array_equal(video.get_frames([0, 2]), expected)
    first = next(StreamedVideo(path).frames()).rgb()
    np.testing.assert_array_equal(first, expected[0])
    assert first.flags.c_contiguous


def test_angles_between_and_scales_go_to_the_nearest(making, tmp_path):
    turned = [0.1, 0.9, -0.9, 0.1]
    path = making.write(tmp_path / "a.mp4", [making.corners()], matrix=matrix_of(*turned, scale=2 * ONE))
    assert PyAVVideo(path).picture.orientation == (True, True, False)
    path = making.write(tmp_path / "b.mp4", [making.corners()], matrix=[0] * 8 + [UNIT])
    assert PyAVVideo(path).picture.orientation == (False, False, False)


def orientation_sei(hflip: bool, turns: int) -> bytes:
    """An SEI message of H.264, display orientation (payload 47): cancel 0, flips, turns of 16 bits, period ue(1), 0."""
    bits = f"0{hflip:d}0{turns * 0x4000:016b}010" + "01"
    bits += "0" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return b"\x00\x00\x00\x01\x06" + bytes([47, len(data)]) + data.replace(b"\0\0\0", b"\0\0\3\0") + b"\x80"


@pytest.mark.parametrize("number", [0, 4])
def test_a_turn_in_the_stream_is_that_of_frame_0(making, tmp_path, number):
    """A message before frame 0 turns the file, one before frame 4 turns nothing, whichever frame is asked for first."""
    plain = making.write(tmp_path / "plain.h264", making.noise(8), options={"bf": "0", "g": "4"})
    with av.open(str(plain)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    packets[number] = orientation_sei(True, 1) + packets[number]
    path = tmp_path / "sei.h264"
    path.write_bytes(b"".join(packets))
    expected = open_video(plain).get_frames([1, 6])
    if number == 0:
        first = next(av.open(str(path)).decode(video=0))
        assert first.side_data.get(Type.DISPLAYMATRIX) is not None, "FFmpeg reads the message"
        expected = np.stack([np.rot90(np.fliplr(frame), 1) for frame in expected])
    for wanted in ([1, 6], [6, 1]):
        with open_video(path) as video, open_video(path, "decord") as other:
            found = video.get_frames(wanted)
            np.testing.assert_array_equal(found, other.get_frames(wanted))
        np.testing.assert_array_equal(found[np.argsort(wanted)], expected)


@pytest.mark.parametrize("pixels", ["yuv420p10le", "yuv422p10le", "yuv444p10le"])
def test_dark_levels_of_ten_bits_are_right(making, tmp_path, pixels):
    luma = np.random.default_rng(0).integers(16, 26, (48, 64))
    expected = (luma - 16) * 255 / 219
    path = making.write_planes(tmp_path / "deep.mkv", luma << 2, pixels, "ffv1")
    for backend in backends():
        found = open_video(path, backend).get_frames([0])[0]
        assert np.abs(found - expected[..., None]).max() <= 0.5, backend
    assert abs(next(StreamedVideo(path).frames()).rgb().mean() - expected.mean()) < 0.2


def test_eight_bits_are_converted_as_ever(shared):
    """The scaler's default, on which golden figures rest."""
    path = shared / "videos/made_darkened.mp4"
    with av.open(str(path)) as container:
        plain = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    np.testing.assert_array_equal(open_video(path).get_frames(range(len(plain))), plain)


def test_thermal_grey_of_few_levels_is_told_once(making, tmp_path, caplog):
    values = np.linspace(7000, 9000, 48 * 64).reshape(48, 64).astype(int)
    path = making.write_planes(tmp_path / "thermal.mkv", values, "gray16le", "ffv1")
    full = making.write_planes(tmp_path / "full.mkv", (values - 7000) * 32, "gray16le", "ffv1")
    with caplog.at_level(logging.WARNING, "slowfast"):
        for source in (path, path, full):
            frame = open_video(source).get_frames([0])[0]
            assert len(np.unique(frame)) == (9 if source == path else 251)
    assert len(caplog.messages) == 1
    assert "thermal.mkv: its grey of 16 bits lies between 7000 and 9000, which leaves 9 of 256 levels" in caplog.text
    # The advice works.
    lut = caplog.messages[0].split("-vf '")[1].split("'")[0]
    graph = av.filter.Graph()
    frame = next(av.open(str(path)).decode(video=0))
    source = graph.add_buffer(width=64, height=48, format="gray16le", time_base=frame.time_base)
    name, arguments = lut.split("=", 1)
    steps = [source, graph.add(name, arguments.replace(",", r"\,")), graph.add("buffersink")]
    graph.link_nodes(*steps).configure()
    graph.push(frame)
    stretched = graph.pull().to_ndarray()
    assert stretched.min() < 50 and stretched.max() >= 65280


def test_deep_grey_that_begins_with_a_flat_field(making, tmp_path, caplog):
    """A closed shutter says nothing of what follows."""
    values = np.linspace(7000, 9000, 48 * 64).reshape(48, 64).astype(np.uint16)
    path = tmp_path / "shutter.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray16le"
        for number, image in enumerate((np.zeros_like(values), values)):
            frame = av.VideoFrame.from_ndarray(image, format="gray16le")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with caplog.at_level(logging.WARNING, "slowfast"), open_video(path) as video:
        video.get_frames([0])
        assert not caplog.messages
        video.get_frames([0, 1])
    assert len(caplog.messages) == 1 and "lies between 7000 and 9000" in caplog.text


def test_other_readers_hand_over_what_they_turn_by_themselves(making, tmp_path):
    path = making.write(tmp_path / "a.mp4", [np.zeros((96, 128, 3), np.uint8)] * 3, matrix=matrix_of(-1, 0, 0, 1))
    video = PlainVideo(path, lambda *_: pytest.fail("the other reader was asked"))
    assert len(video) == 3


def test_side_data_is_asked_by_its_kind():
    """Iterating gives the kinds in PyAV 19 and the data before, so nothing iterates."""
    matrix = np.array([0, ONE, 0, -ONE, 0, 0, 0, 0, UNIT], np.int32).tobytes()
    frame = types.SimpleNamespace(side_data={Type.MOTION_VECTORS: b"", Type.DISPLAYMATRIX: matrix})
    assert orientation_of(frame) == (True, True, False)
    assert orientation_of(types.SimpleNamespace(side_data={})) == (False, False, False)
