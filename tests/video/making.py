"""Make small clips whose stamps, display matrix, size and pixels are known."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

MILLISECONDS = Fraction(1, 1000)
ONE = 1 << 16  # of a display matrix


def corners(height: int = 96, width: int = 128) -> np.ndarray:
    """A picture with another colour in every quarter: red, green / blue, white."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2, 0] = image[: height // 2, width // 2 :, 1] = 255
    image[height // 2 :, : width // 2, 2] = image[height // 2 :, width // 2 :] = 255
    return image


def noise(count: int, height: int = 96, width: int = 128) -> list[np.ndarray]:
    """Moving noise."""
    base = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return [np.roll(base, 3 * number, axis=1) for number in range(count)]


def write(
    path: Path,
    images: Sequence[np.ndarray],
    stamps: Sequence[float] | None = None,
    *,
    unit: Fraction = MILLISECONDS,
    matrix: Sequence[int] | None = None,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    rate: int = 25,
) -> Path:
    """Write images with their stamps in seconds (`rate` a second without) and a display matrix of nine integers."""
    stamps = [number / rate for number in range(len(images))] if stamps is None else stamps
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = stream.time_base = unit
        if matrix is not None:
            stream.set_display_matrix(list(matrix))
        for image, stamp in zip(images, stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(stamp / unit), unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_planes(path: Path, values_HW: np.ndarray, pixels: str, codec: str, count: int = 2) -> Path:
    """Write frames whose luma is given as it is stored; the chroma is neutral."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = values_HW.shape
        stream.pix_fmt = pixels
        for number in range(count):
            frame = av.VideoFrame(stream.width, stream.height, pixels)
            frame.pts = number
            bits = frame.format.components[0].bits
            kind = np.uint8 if bits == 8 else np.uint16
            for place, plane in enumerate(frame.planes):
                whole = np.frombuffer(plane, kind).reshape(plane.height, -1).copy()
                whole[:, : plane.width] = values_HW if place == 0 else 1 << (bits - 1)
                plane.update(whole.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def drop_packets(
    source: Path, target: Path, numbers: set[int], options: dict[str, str] | None = None, last: float = 0.0
) -> Path:
    """Copy a file without some of its packets; the last one may be shown for `last` seconds."""
    with av.open(str(source)) as whole, av.open(str(target), "w", options=options or {}) as container:
        stream = whole.streams.video[0]
        copy = container.add_stream_from_template(stream)
        packets = [packet for packet in whole.demux(stream) if packet.size]
        if last:
            packets[-1].duration = round(last / stream.time_base)
        for number, packet in enumerate(packets):
            if number not in numbers:
                packet.stream = copy
                container.mux(packet)
    return target
