"""How fast a training goes, and how batches reach it: copied beside the step, with the time that is waited for them."""

import logging
import time
from collections.abc import Iterator

import torch

from slowfast.engine.update import Batch, to_device

logger = logging.getLogger(__name__)

# The loader is too slow when this share of the time is waited for it, in so many iterations on end.
_HUNGRY, _LONG = 0.3, 20


def on_device(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Yield batches on a device.

    For a GPU they are copied, and made of frames where DATA.DEVICE_TRANSFORM says so, on a stream of their own: what
    was launched before goes on meanwhile, so the batch of the next iteration is on its way while this one is computed.
    """
    if device.type != "cuda":
        for batch in batches:
            yield to_device(batch, device)
        return
    stream = torch.cuda.Stream(device)
    while True:
        with torch.cuda.stream(stream):
            batch = next(batches, None)
            batch = None if batch is None else to_device(batch, device)
        if batch is None:
            return
        current = torch.cuda.current_stream(device)
        current.wait_stream(stream)
        for value in batch.values():
            if isinstance(value, torch.Tensor):
                value.record_stream(current)  # its memory is not given away before this stream is done with it
        yield batch


class Pace:
    """Clips per second, the share of the time that the device waits for clips, and the memory it needed.

    On a GPU its own clock counts: the program runs ahead of it, and waits for clips long before it lacks any.

    Args:
        device: where the training runs.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.on_gpu = device, device.type == "cuda"
        self.hungry = 0  # iterations on end in which the loader was too slow; below 0 when that was told
        self.restart()

    def restart(self) -> None:
        """Forget what was before."""
        self.began, self.clips = time.perf_counter(), 0
        self.waits: list[tuple[float | torch.cuda.Event, float | torch.cuda.Event]] = []

    def now(self) -> "float | torch.cuda.Event":
        """Return a mark: everything that was launched so far is done."""
        if not self.on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event

    def add(self, since: "float | torch.cuda.Event", clips: int) -> None:
        """Count clips that are there now and were waited for since a mark."""
        self.waits.append((since, self.now()))
        self.clips += clips

    def take(self) -> dict[str, float]:
        """Return `clips/s`, `waiting` (a share) and on GPUs `GB` (peak) since the last time, and begin anew.

        What helps against a slow loader is told once.
        """
        waited = sum(self._seconds(first, last) for first, last in self.waits)
        seconds = max(time.perf_counter() - self.began, 1e-9)
        rates = {"clips/s": self.clips / seconds, "waiting": min(1.0, waited / seconds)}
        if self.on_gpu:
            rates["GB"] = torch.cuda.max_memory_allocated(self.device) / 1e9
        self._hint(rates["waiting"])
        self.restart()
        return rates

    def _hint(self, waiting: float) -> None:
        """Say what helps when the loader is too slow for long."""
        if self.hungry < 0:
            return
        self.hungry = self.hungry + len(self.waits) if waiting > _HUNGRY else 0
        if self.hungry >= _LONG:
            self.hungry = -1
            logger.warning(
                "%.0f %% of the time is waited for clips: raise DATA_LOADER.NUM_WORKERS up to the number of processor "
                "cores, set DATA.CACHE_DIR to decode every video once, or on a GPU DATA.DEVICE_TRANSFORM True",
                100 * waiting,
            )

    def _seconds(self, first: "float | torch.cuda.Event", last: "float | torch.cuda.Event") -> float:
        """Return the time between two marks."""
        if not self.on_gpu:
            return last - first
        last.synchronize()
        return first.elapsed_time(last) / 1000.0


def in_words(rates: dict[str, float]) -> str:
    """Return what `Pace.take` gave as a part of a log line, `12.3 clips/s waiting 5 % peak 10.2 GB`."""
    if not rates:
        return ""
    memory = f" peak {rates['GB']:.1f} GB" if "GB" in rates else ""
    return f"{rates['clips/s']:.3g} clips/s waiting {100 * rates['waiting']:.0f} %{memory} "
