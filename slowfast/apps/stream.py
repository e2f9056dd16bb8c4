"""Answers while a stream runs, window by window: one line of JSON each. Legend: T frames of a window, K classes."""

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from fvcore.common.config import CfgNode

from slowfast.apps.predict import adapted_network, load_predictor
from slowfast.apps.sliding import Scorer, Slide
from slowfast.engine.build import class_names
from slowfast.engine.launch import process_setup
from slowfast.utils.errors import InputError
from slowfast.utils.stop import stop_requested
from slowfast.video import VideoError
from slowfast.video.live import open_source
from slowfast.video.stream import StreamedFrame, StreamedVideo

# Seconds between two looks at whether the command was asked to stop.
_LOOK = 0.2


class _Held(NamedTuple):
    """A frame ready for the network, its second in the source, and when it came."""

    clip_CTHW: torch.Tensor
    time: float
    came: float


class Window(NamedTuple):
    """A window of a source.

    Args:
        clip_CTHW: network input.
        start: second in the source.
        end: second in the source.
        came: when its last frame came, on the monotonic clock.
        dropped: windows left out before it.
    """

    clip_CTHW: torch.Tensor
    start: float
    end: float
    came: float
    dropped: int


class Windows:
    """The windows of a source, which a thread reads; of one that does not wait, those that come too late are dropped.

    Args:
        open_video: opens the source.
        slide: lays windows on it.
    """

    def __init__(self, open_video: Callable[[], StreamedVideo], slide: Callable[[StreamedVideo], Slide]) -> None:
        self._open_video, self._make_slide = open_video, slide
        self._changed = threading.Condition()
        self._held: dict[int, _Held] = {}
        self._latest: tuple[Callable | None, torch.Tensor | None] = None, None
        self._count = self._next = 0
        self._ended = self._stopped = False
        self._error: Exception | None = None
        self.video: StreamedVideo | None = None
        self.slide: Slide | None = None
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._thread.start()

    def next(self) -> Window | None:
        """Return the next window, the newest whole one of a live source; None at the end.

        Raises:
            KeyboardInterrupt: the process was asked to stop.
            VideoError: the source never began.
        """
        with self._changed:
            while self._whole() <= self._next and not self._ended:
                if stop_requested():
                    raise KeyboardInterrupt
                self._changed.wait(_LOOK)
            if self._error is not None:
                raise self._error
            number = max(self._next, self._whole() - 1) if self.video.live else self._next
            if number >= len(self.slide.plan.starts(self._count)):
                return None
            start, dropped, self._next = number * self.slide.plan.stride, number - self._next, number + 1
            frames = [self._held[index] for index in self.slide.plan.frames_of(start, self._count).tolist()]
            self._changed.notify()
        end = min(frames[0].time + self.slide.seconds, self._count / self.slide.rate)
        clip_CTHW = torch.cat([frame.clip_CTHW for frame in frames], 1)
        return Window(clip_CTHW, frames[0].time, end, frames[-1].came, dropped)

    def stop(self) -> None:
        """Let the thread end; one that waits for the source is left alone."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join(1.0)

    def _whole(self) -> int:
        """Return how many windows all frames are there of."""
        plan = self.slide.plan if self.slide else None
        return (self._count - plan.window) // plan.stride + 1 if plan and self._count >= plan.window else 0

    def _run(self) -> None:
        """Read the source until it ends."""
        try:
            self.video = self._open_video()
            self.slide = self._make_slide(self.video)
            for frame in self.slide.frames():
                self._take(frame)
                if self._stopped:
                    break
        except Exception as error:  # raised by `next`
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _take(self, frame: StreamedFrame) -> None:
        """Keep a frame that windows show; a source that waits is read one stride ahead."""
        came, plan = time.monotonic(), self.slide.plan
        if plan.uses(self._count) and self._latest[0] is not frame.rgb:
            self._latest = frame.rgb, self.slide.prepare(frame.rgb())
        with self._changed:
            ahead = plan.window + plan.stride
            while not self.video.live and self._count >= self._next * plan.stride + ahead and not self._stopped:
                self._changed.wait()
            if plan.uses(self._count):
                self._held[self._count] = _Held(self._latest[1], frame.time, came)
            self._count += 1
            for index in [index for index in self._held if index < self._count - ahead]:
                del self._held[index]
            self._changed.notify()


def predict_stream(
    cfg: CfgNode,
    checkpoint: Path,
    source: str,
    *,
    window: float = 0.0,
    stride: float = 0.0,
    gamma: float | None = None,
    pool: Sequence[Path] = (),
) -> None:
    """Print a line of JSON for every window as it comes, and at the end how many there were.

    Args:
        cfg: the network and its input.
        checkpoint: weights.
        source: see `open_source`.
        window: see `Slide`.
        stride: see `Slide`.
        gamma: see `Slide`.
        pool: what to adapt to; a stream itself is none.

    Raises:
        InputError: when the source never begins or breaks off.
        KeyboardInterrupt: asked to stop.
    """
    if cfg.TEST.ADAPT and not (pool or cfg.TEST.ADAPT_SPLIT):
        raise InputError("a stream is no pool to adapt to: add --pool PATH, or --adapt-split SPLIT")
    with process_setup(cfg) as device:
        predictor = load_predictor(cfg, checkpoint, device, pool)
        scorer = Scorer(predictor, adapted_network(predictor, pool, [], gamma))
        windows = Windows(
            lambda: open_source(source), lambda video: Slide(cfg, video, window=window, stride=stride, gamma=gamma)
        )
        answer_windows(windows, scorer, class_names(cfg))


def answer_windows(windows: Windows, scorer: Scorer, names: Sequence[str]) -> None:
    """Print the answers of windows, see `predict_stream`."""
    count = dropped = 0
    seconds = 0.0
    try:
        while (window := windows.next()) is not None:
            begun = time.monotonic()
            if not count and windows.slide.light.reason:
                print(f"{windows.video.path}: {windows.slide.light.reason}", file=sys.stderr)
            probs_K = scorer(window.clip_CTHW[None].to(scorer.device))[0]
            now, best = time.monotonic(), int(probs_K.argmax())
            line = {
                "start_s": round(window.start, 3),
                "end_s": round(window.end, 3),
                "label": names[best],
                "score": round(float(probs_K[best]), 6),
                "ms": round(1000 * (now - begun), 1),
                "delay_s": round(now - window.came, 3),
                "dropped": window.dropped,
            }
            print(json.dumps(line, ensure_ascii=False), flush=True)
            count, dropped, seconds = count + 1, dropped + window.dropped, window.end
    finally:
        windows.stop()
        if count:
            text = f"{count} windows up to {seconds:.1f} s, {dropped} dropped because the network was slower"
            print(f"{windows.video.path}: {text}", file=sys.stderr)
    if windows.video.problems:
        print(f"{windows.video.path}: {windows.video.problems}", file=sys.stderr)
    if windows.video.broken:
        raise VideoError(windows.video.path, f"it broke off after {seconds:.1f} s ({windows.video.broken})")
