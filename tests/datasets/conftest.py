"""A small data root of encoded clips whose frames can be recognised."""

from pathlib import Path

import av
import numpy as np
import pytest

from slowfast.config import get_cfg

FRAMES, HEIGHT, WIDTH = 12, 48, 64
NAMES = tuple(f"clip {number}.mp4" for number in range(7))


def write_clip(path: Path, level: int, frames: int = FRAMES) -> None:
    """Write a clip whose grey level starts at `level` and grows with time, brighter to the right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=12, options={"preset": "ultrafast", "crf": "10", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        ramp = np.linspace(0, 60, WIDTH).astype(np.uint8)
        for time in range(frames):
            picture = np.broadcast_to(ramp + level + 2 * time, (HEIGHT, WIDTH)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.repeat(picture[..., None], 3, 2), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture(scope="session")
def make_clip():
    """The function that writes a clip of `frames` frames (default 12, 64 x 48 pixels)."""
    return write_clip


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> Path:
    """A folder of seven clips."""
    folder = tmp_path_factory.mktemp("clips")
    for number, name in enumerate(NAMES):
        write_clip(folder / name, 20 * number)
    return folder


@pytest.fixture
def root(clips, tmp_path) -> Path:
    """A data root with the clips and two lists: labels row % 3, and pseudo-labels with probabilities."""
    (tmp_path / "videos").symlink_to(clips)
    rows = [f"{name},{number % 3}" for number, name in enumerate(NAMES)]
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    pseudo = [f"{row},{0.1 * number},0.5,0.25" for number, row in enumerate(rows)]
    (tmp_path / "pseudo.csv").write_text("\n".join(pseudo) + "\n")
    return tmp_path


@pytest.fixture
def cfg(root):
    """A config over the data root, decoding in the process itself."""
    cfg = get_cfg()
    cfg.DATA.PATH_PREFIX, cfg.DATA.PATH_LABEL_SEPARATOR, cfg.DATA.PSEUDO_CSV = str(root), ",", "pseudo.csv"
    for split in cfg.DATA.SPLITS:
        cfg.DATA.SPLITS[split] = ["list.csv", "videos"]
    cfg.MODEL.NUM_CLASSES, cfg.DATA.NUM_FRAMES, cfg.DATA_LOADER.NUM_WORKERS = 3, 4, 0
    cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TEST_CROP_SIZE, cfg.DATA.TRAIN_JITTER_SCALES = 24, 32, [26, 30]
    cfg.TRAIN.DATASET = cfg.TEST.DATASET = "ug2_sparse"
    cfg.TRAIN.BATCH_SIZE, cfg.TEST.BATCH_SIZE = 2, 2
    return cfg
