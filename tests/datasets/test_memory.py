"""Memory stays where it is over thousands of clips, sound and damaged ones of many kinds."""

import ctypes
import os
import sys
from pathlib import Path
from unittest import mock

import pytest

from slowfast.datasets.frame_source import FrameSource
from slowfast.datasets.loader import build_loader
from slowfast.utils.isolated import map_isolated
from slowfast.video.torchcodec import why_unavailable

CLIPS, SETTLED = 5000, 1500
MEGABYTE = 1 << 20
SAMPLES = (
    "made_two_frames.mp4", "made_one_frame.mp4", "odd_121x81_mpeg2.mp4", "hevc_128x128.mp4", "rotation_tag_90.mov",
    "four_frames.gif", "made_tiny_16x16.mp4", "edit_list_discard_first.mp4", "start_time_8s.mp4",
    "broken/audio_only.mp4", "broken/empty.mp4", "broken/header_zeroed.mp4", "broken/moov_only_no_data.mp4",
)  # fmt: skip


def resident(process: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def give_back_free_memory() -> None:
    """Let the C library return what is free to the system, since it keeps much of it for later."""
    ctypes.CDLL(None).malloc_trim(0)


def reader_of(loader) -> int:
    """Return the process that reads clips: the first worker, or this one."""
    iterator = loader._loader._iterator if loader.num_workers else None
    return os.getpid() if iterator is None else iterator._workers[0].pid


def growth(job) -> tuple[int, int]:
    """Read clips again and again; return how many and by how much the memory in use grew after the first ones.

    What is in use is the least that a process has during a part of the run, free memory given back before every clip.
    """
    cfg, role, workers = job
    train = role == "source"
    read = FrameSource.read

    def read_with_little(self, *args):
        give_back_free_memory()
        return read(self, *args)

    loader = build_loader(cfg, "train_label", role, train=train, num_workers=workers, batch_size=5)
    seen, epoch, early, late = 0, 0, [], []
    with mock.patch.object(FrameSource, "read", read_with_little):
        while seen < CLIPS + SETTLED:
            loader.set_epoch(epoch)
            loader.dataset.damaged.clear()  # so that damaged files are opened again
            for batch in loader:
                seen += len(batch["index"]) + len(batch["failed"])
                part = early if SETTLED <= seen < 2 * SETTLED else late if seen >= CLIPS else []
                part.append(resident(reader_of(loader)))
            epoch += 1
    return seen, min(late) - min(early)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("backend", ["pyav", "decord", "torchcodec"])
@pytest.mark.parametrize("role", ["source", "test"])
@pytest.mark.parametrize("workers", [0, 1])
def test_memory_does_not_grow(cfg, root, clips, shared, backend, role, workers):
    if backend == "decord":
        pytest.importorskip("decord")
    if backend == "torchcodec" and why_unavailable():
        pytest.skip(why_unavailable())
    if workers and role == "test":
        pytest.skip("its workers live for one pass only")
    (root / "videos").unlink()
    (root / "videos").mkdir()
    for path in [*clips.iterdir(), *(shared / "videos" / name for name in SAMPLES)]:
        (root / "videos" / path.name).symlink_to(path)
    names = [*(path.name for path in clips.iterdir()), *(Path(name).name for name in SAMPLES)]
    (root / "list.csv").write_text("".join(f"{name},{number % 3}\n" for number, name in enumerate(names)))
    cfg.DATA.DECODING_BACKEND, cfg.AUG.ENABLE, cfg.AUG.RE_PROB = backend, True, 0.5
    job = (cfg, role, workers)
    seen, grown = growth(job) if workers else next(map_isolated(growth, [job], workers=1, timeout=900))[1]
    assert seen >= CLIPS + SETTLED and grown < 4 * MEGABYTE, f"{grown / MEGABYTE:.1f} MB more after {seen} clips"
