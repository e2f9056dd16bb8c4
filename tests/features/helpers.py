"""Helpers of the feature tests: make a video, extract a folder, compare folders."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from slowfast.config import load_config
from slowfast.features.build import build_extraction
from slowfast.features.store import FeatureIndex
from slowfast.features.videos import find_videos, share_of
from slowfast.models import build_model

TINY = Path(__file__).resolve().parents[2] / "configs/features/tiny.yaml"


def write_video(path: Path, frames: int, *, size=(64, 48), fps: int = 10, seed: int = 0, stamps=None) -> Path:
    """Write a video of moving noise, `fps` a second or with given stamps in seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    base = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        if stamps is not None:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(base, number, axis=1), format="rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = round(1000 * stamps[number]), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def extract(folder: Path, output: Path, *opts, view: str = "", cfg_path: Path = TINY, shard=(0, 1)):
    """Extract the features of a folder with random weights; return the index rows."""
    cfg = load_config(cfg_path, ["NUM_GPUS", "0", *map(str, opts)])
    torch.manual_seed(cfg.RNG_SEED)
    extraction = build_extraction(cfg, build_model(cfg), torch.device("cpu"), "test weights")
    return extraction.run(share_of(find_videos(folder, output, view), *shard), FeatureIndex(output))


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file of a folder, locks left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".features.lock"
    }
