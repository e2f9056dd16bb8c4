import av
import numpy as np

from slowfast.demo.clip import LIGHT_DOMAIN, render_clip
from slowfast.demo.encoding import write_h264
from slowfast.demo.motions import ARID_MOTIONS


def test_h264_round_trip_and_equal_bytes(tmp_path):
    frames = render_clip(np.random.default_rng(0), ARID_MOTIONS["Run"], LIGHT_DOMAIN)
    for name in ("a.mp4", "deep/b.mp4"):
        write_h264(tmp_path / name, frames, fps=10, crf=20)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "deep/b.mp4").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "deep"]
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and float(stream.average_rate) == 10
        decoded = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])
    assert decoded.shape == frames.shape
    assert np.abs(decoded.astype(int) - frames).mean() < 8
