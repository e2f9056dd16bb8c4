"""Speed of the data path (no network): loaders of training and testing against plain decoding of the same files.

All ways run in turns in this process with one thread. Its processor time counts, so that waiting for other work on the
machine does not.
"""

import contextlib
import functools
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
from fvcore.common.config import CfgNode

from slowfast.apps.prepare import write_list
from slowfast.datasets import views
from slowfast.datasets.frame_source import FrameSource
from slowfast.datasets.loader import build_loader
from slowfast.datasets.views import EvalViews, TrainViews
from slowfast.video import pyav

STAGES = ("decode", "convert", "gamma", "augment", "resize", "rest")
# Where each stage happens; a stage inside another one counts for itself only.
_PLACES: tuple[tuple[str, Any, str], ...] = (
    ("decode", FrameSource, "read"),
    ("convert", pyav.PyAVVideo, "get_frames"),
    ("decode", pyav.PyAVVideo, "_decode_all"),
    ("gamma", views, "apply_gamma"),
    ("augment", views, "darken"),
    ("augment", views, "apply_plan"),
    ("augment", views, "random_erase_"),
    ("resize", EvalViews, "finish"),
    ("resize", TrainViews, "finish"),
)
_LIST = "clips.csv"


@dataclass
class Way:
    """One way to read all videos, and how long it takes.

    Args:
        name: what the table calls it.
        run: reads all videos once.
        clips: network inputs it makes, 0 for none.
        seconds: processor time of every pass.
        stages: the same by stage, of all passes together.
    """

    name: str
    run: Callable[[], None]
    clips: int
    seconds: list[float] = field(default_factory=list)
    stages: Counter[str] = field(default_factory=Counter)


class StageClock:
    """Processor seconds by stage; what runs in no stage is `rest`."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._open = ["rest"]
        self._since = time.process_time()

    def timed(self, stage: str, function: Callable) -> Callable:
        """Return the function with its time counted for a stage."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            self.switch()
            self._open.append(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch()
                self._open.pop()

        return call

    def switch(self) -> None:
        """Count the time since the last change for the stage that was on."""
        now = time.process_time()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now


@contextlib.contextmanager
def stage_clock() -> Iterator[StageClock]:
    """Yield a clock that counts the stages of everything that is read inside."""
    clock = StageClock()
    with contextlib.ExitStack() as undo:
        for stage, place, name in _PLACES:
            function = getattr(place, name)
            setattr(place, name, clock.timed(stage, function))
            undo.callback(setattr, place, name, function)
        yield clock
        clock.switch()


def settings_of(folder: Path, paths: Sequence[Path]) -> list[str]:
    """Write a list of clips and return the overrides that make it the list of training and testing.

    Args:
        folder: where the list goes.
        paths: the clips; their labels do not matter.
    """
    write_list(folder / _LIST, [(str(path.absolute()), 0) for path in paths])
    place = f"['{_LIST}', '.']"
    splits = ("DATA.SPLITS.train_label", place, "DATA.SPLITS.test", place)
    return ["DATA.PATH_PREFIX", str(folder), "DATA.PATH_LABEL_SEPARATOR", ",", "DATA.ALLOW_OUTSIDE", "True", *splits]


def measure_data(cfg: CfgNode, *, repeats: int) -> list[Way]:
    """Time plain decoding, testing with 1 x 1 and 3 x 3 views and crops, and training with two augmented clips.

    Args:
        cfg: of a loader, with the settings of `settings_of`.
        repeats: timed passes of every way, after one that is not timed.

    Returns:
        The ways, plain decoding first.
    """
    records = build_loader(cfg, "test", "test", train=False, num_workers=0).dataset.records
    ways = [
        Way("plain decode", functools.partial(_decode_plainly, [record.path for record in records]), 0),
        _testing(cfg, 1, 1),
        _testing(cfg, 3, 3),
        _training(cfg, copies=2),
    ]
    for repeat in range(repeats + 1):
        for way in ways:
            with stage_clock() as clock:
                way.run()
            if repeat:
                way.seconds.append(sum(clock.seconds.values()))
                way.stages += clock.seconds
    return ways


def _decode_plainly(paths: Sequence[str]) -> None:
    """Decode every frame with one thread, convert none: what any reader of these files needs at least."""
    for path in paths:
        with av.open(path) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            for _ in container.decode(stream):
                pass


def _testing(cfg: CfgNode, num_views: int, crops: int) -> Way:
    """Return the testing of one video at a time."""
    clips = num_views * crops
    loader = build_loader(
        cfg, "test", "test", train=False, views=num_views, crops=crops, batch_size=clips, num_workers=0
    )
    return Way(f"testing, {num_views} views x {crops} crops", lambda: _run(loader), clips * len(loader.dataset))


def _training(cfg: CfgNode, copies: int) -> Way:
    """Return the training of one video at a time."""
    loader = build_loader(cfg, "train_label", "source", train=True, num_samples=copies, batch_size=1, num_workers=0)
    epochs = iter(range(1 << 30))

    def run() -> None:
        loader.set_epoch(next(epochs))
        _run(loader)

    return Way(f"training, {copies} augmented clips", run, copies * len(loader.dataset))


def _run(loader: Iterator) -> None:
    """Take every batch."""
    for _ in loader:
        pass


def data_table(ways: Sequence[Way], videos: int) -> str:
    """Return the measurements as a Markdown table.

    Args:
        ways: plain decoding first.
        videos: read in one pass.
    """
    lines = [
        f"| way | ms a video | videos/s | clips/s | against plain decode | {' | '.join(STAGES)} |",
        "|---" * (5 + len(STAGES)) + "|",
    ]
    for way in ways:
        seconds = statistics.median(way.seconds)
        ratio = statistics.median(mine / plain for mine, plain in zip(way.seconds, ways[0].seconds))
        clips = f"{way.clips / seconds:.1f}" if way.clips else ""
        shares = [way.stages[stage] / sum(way.stages.values()) for stage in STAGES]
        parts = [f"{share:.0%}" for share in shares] if way.clips else [""] * len(STAGES)
        lines.append(
            f"| {way.name} | {1000 * seconds / videos:.1f} | {videos / seconds:.1f} | {clips} | {ratio:.2f}x "
            f"| {' | '.join(parts)} |"
        )
    return "\n".join(lines)
