"""Clips of the size and length of real dark ones (320 x 240, about 70 frames), for measurements of the data path."""

from pathlib import Path

import numpy as np
from PIL import Image

from slowfast.demo.clip import LIGHT_DOMAIN, render_clip
from slowfast.demo.motions import ARID_MOTIONS
from slowfast.transforms.darken import darken, random_darkening
from slowfast.utils.progress import Progress
from slowfast.video.writer import write_h264

WIDTH, HEIGHT, FPS = 320, 240, 30
# Little loss, so that the noise takes 1 to 2 Mbit/s as in ARID (0.7 to 3.5) and costs as much to decode.
CRF = 10
FRAMES = (60, 80)


def make_large_clips(folder: Path, count: int, *, seed: int = 0) -> list[Path]:
    """Render clips, enlarge and darken them, and write them as H.264; files that are there already are kept.

    Args:
        folder: of the clips.
        count: number of clips.
        seed: clip i depends on seed and i only.

    Returns:
        The files.
    """
    paths = [folder / f"{index}.mp4" for index in range(count)]
    missing = [index for index, path in enumerate(paths) if not path.is_file()]
    progress = Progress(len(missing), "rendering clips")
    for index in missing:
        rng = np.random.default_rng([seed, index])
        frames_THWC = _large_clip(rng, index)
        frames_THWC = darken(frames_THWC, random_darkening(frames_THWC, rng), rng)
        write_h264(paths[index], frames_THWC, fps=FPS, crf=CRF, preset="medium")
        progress.update()
    return paths


def _large_clip(rng: np.random.Generator, index: int) -> np.ndarray:
    """Return a rendered clip that plays to and fro until it is long enough, uint8 (T, HEIGHT, WIDTH, 3)."""
    motions = list(ARID_MOTIONS.values())
    small_THWC = render_clip(rng, motions[index % len(motions)], LIGHT_DOMAIN)
    height = round(small_THWC.shape[1] * WIDTH / small_THWC.shape[2])
    top = (height - HEIGHT) // 2
    large = [np.asarray(Image.fromarray(frame).resize((WIDTH, height)))[top : top + HEIGHT] for frame in small_THWC]
    last = len(large) - 1
    times = np.arange(rng.integers(*FRAMES, endpoint=True))
    return np.stack([large[last - abs(last - time % (2 * last))] for time in times.tolist()])
