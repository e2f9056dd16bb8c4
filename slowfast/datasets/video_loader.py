"""Batches of one split; decoding processes that die or hang are replaced, and the file they were at is named."""

import contextlib
import functools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker

import torch
from torch.utils.data import DataLoader, get_worker_info

from slowfast.datasets.sampler import EpochSampler, EvalSampler
from slowfast.datasets.video_dataset import ClipDataset, Collate, Report
from slowfast.utils.errors import InputError
from slowfast.utils.limits import explain_limit
from slowfast.utils.logging import get_logger

logger = get_logger(__name__)

Batch = dict[str, object]
# Seconds between two looks at the workers while a batch is awaited.
_POLL = 2.0
# Workers of one loader that may be lost before the run is given up.
_MAX_LOST = 20
# File handles that starting a worker takes, and a loader.
_HANDLES_EACH, _HANDLES = 5, 16
# Signals by which a decoder dies of the file it reads; others come from outside, so the file gets a second try.
_FILE_SIGNALS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)


class _WorkersLost(Exception):
    """Some workers died, or none has delivered in time.

    Args:
        causes: worker -> signal that ended it, None for a worker that takes too long.
    """

    def __init__(self, causes: dict[int, int | None]) -> None:
        super().__init__(causes)
        self.causes = causes


class VideoLoader:
    """Batches of one split for one process.

    Iterate it once per epoch after `set_epoch`. Damaged videos are logged once, collected in `failed`, and stop the
    run when they are too many; the batch keeps its own in `failed` too. Results do not depend on the workers.

    Args:
        dataset: items.
        sampler: batches of keys.
        collate: items to batch.
        name: of the split, for messages.
        num_workers: decoding processes; 0 decodes in this process.
        pin_memory: page-locked batches.
        timeout: seconds that the workers may take for one batch; 0 waits for ever.
        max_failed: share of the rows that may be unreadable.
        persistent: keep the workers between epochs.
        device: where clips are made of uint8 frames when `collate` defers this.
    """

    def __init__(
        self,
        *,
        dataset: ClipDataset,
        sampler: EpochSampler | EvalSampler,
        collate: Collate,
        name: str,
        num_workers: int = 0,
        pin_memory: bool = False,
        timeout: float = 0,
        max_failed: float = 1.0,
        persistent: bool = False,
        device: str | torch.device = "cpu",
    ) -> None:
        self.dataset, self.sampler, self.name, self.device = dataset, sampler, name, device
        self._collate = collate
        self.num_workers, self.timeout, self.max_failed = num_workers, timeout, max_failed
        self.failed: dict[str, str] = {}
        self.partial: dict[str, str] = {}
        self.position = 0
        self._suspects: Counter[int] = Counter()
        self._lost = 0
        # Per worker the row it is at (-1 for none) and since when, written by the workers.
        with self._limits_explained(starting=True):
            self._activity = torch.full((num_workers, 2), -1.0, dtype=torch.float64).share_memory_()
        self._new_loader = functools.partial(
            DataLoader,
            dataset,
            batch_sampler=sampler,
            collate_fn=collate,
            num_workers=num_workers,
            pin_memory=pin_memory and torch.cuda.is_available(),
            timeout=_POLL if num_workers else 0,
            worker_init_fn=functools.partial(_init_worker, self._activity),
            persistent_workers=persistent and num_workers > 0,
        )
        self._loader = self._make()

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch."""
        return len(self.sampler)

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Choose the epoch of the next iteration, and the batch with which it begins."""
        self.sampler.set_epoch(epoch, start_batch)

    def __iter__(self) -> Iterator[Batch]:
        self.position = self.sampler.start_batch
        while True:
            try:
                with self._limits_explained():
                    yield from self._batches()
                break
            except _WorkersLost as lost:
                self._replace_workers(lost.causes)
                self.sampler.start_batch = self.position
        self.sampler.start_batch = 0

    def _make(self) -> DataLoader:
        """Return a fresh loader; its own generator, since starting must not move the one that dropout draws from."""
        if self.num_workers:
            # A worker that had to start this helper process itself would unblock SIGTERM again.
            resource_tracker.ensure_running()
        return self._new_loader(generator=torch.Generator())

    def _batches(self) -> Iterator[Batch]:
        """Yield batches until the end of the epoch or the loss of a worker."""
        blocked = _stop_signal_blocked() if self.num_workers else contextlib.nullcontext()
        with blocked, self._limits_explained(starting=True):
            _try_handles(self.num_workers)
            iterator = iter(self._loader)
        if self.num_workers and threading.current_thread() is threading.main_thread():
            # A dead worker is found while its batch is awaited, instead of raising anywhere in the training code.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        while (batch := self._await(iterator)) is not None:
            self._note(batch)
            self.position += 1
            if isinstance(batch["clips"], list):
                batch["clips"] = self._collate.finish(batch["clips"], self.device)
            yield batch

    def _await(self, iterator: Iterator[Batch]) -> Batch | None:
        """Return the next batch, None at the end.

        Raises:
            _WorkersLost: when workers died or take too long.
        """
        start = time.monotonic()
        while True:
            try:
                return next(iterator, None)
            except (RuntimeError, OSError, EOFError) as error:
                workers = getattr(iterator, "_workers", [])
                slow = "timed out" in str(error)
                causes = _find_dead(workers, wait=0.0 if slow else 1.0)
                if not causes and slow and self.timeout and time.monotonic() - start > self.timeout:
                    causes = self._late()
                if causes:
                    self._kill(workers)
                    raise _WorkersLost(causes) from error
                if not workers or not slow:
                    raise

    @contextlib.contextmanager
    def _limits_explained(self, *, starting: bool = False) -> Iterator[None]:
        """Turn a lack of file handles, processes or shared memory into a sentence."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            reason = explain_limit(error, starting=starting and self.num_workers > 0)
            if not reason:
                raise
            raise InputError(f"split {self.name!r} with {self.num_workers} decoding processes: {reason}") from None

    def _kill(self, workers: Sequence) -> None:
        """End all workers of an iteration and forget it."""
        for worker in workers:
            worker.kill()
            worker.join()
        self._loader = None

    def _late(self) -> dict[int, None]:
        """Return the workers that are at one file for nearly the whole time allowed."""
        now = time.monotonic()
        ages = [now - since if row >= 0 else 0.0 for row, since in self._activity.tolist()]
        return {number: None for number, age in enumerate(ages) if age >= 0.5 * max(ages)}

    def _replace_workers(self, causes: dict[int, int | None]) -> None:
        """Name the files at which workers were lost, and start new workers.

        Raises:
            InputError: when shared memory is too small, or workers are lost again and again.
        """
        self._lost += len(causes)
        if signal.SIGBUS in causes.values():
            with self._limits_explained():
                raise RuntimeError("shared memory is full")
        if self._lost > _MAX_LOST:
            raise InputError(
                f"split {self.name!r}: {self._lost} decoding processes were lost ({_cause(causes)}): lower"
                " DATA_LOADER.NUM_WORKERS if memory runs out, and check the videos with tools/check_videos.py"
            )
        for number, cause in causes.items():
            row = int(self._activity[number, 0])
            if row < 0:
                logger.warning("%s: a decoding process was lost (%s) and is replaced", self.name, _cause(causes))
                continue
            self._suspects[row] += 1
            name = self.dataset.records[row].name
            logger.warning(
                "%s: a decoding process was lost at %s (%s) and is replaced", self.name, name, _cause(causes)
            )
            if cause is None or cause in _FILE_SIGNALS or self._suspects[row] > 1:
                self.dataset.damaged[row] = f"the decoding process was lost ({_cause({number: cause})})"
        self._activity.fill_(-1.0)
        self._loader = self._make()

    def _note(self, batch: Batch) -> None:
        """Log and collect what could not be read.

        Raises:
            InputError: when too many videos failed.
        """
        _log_new(batch.pop("partial"), self.partial, f"{self.name}: %s is read in part: %s")
        _log_new(batch["failed"], self.failed, f"{self.name}: %s cannot be read: %s")
        if not self.failed:
            return
        nothing = not len(batch["names"]) and isinstance(self.sampler, EpochSampler)
        if nothing or len(self.failed) > self.max_failed * len(self.dataset):
            name, reason = next(iter(self.failed.items()))
            raise InputError(
                f"split {self.name!r}: {len(self.failed)} of {len(self.dataset)} videos cannot be read, more than"
                f" DATA.MAX_FAILED {self.max_failed} allows (first: {name}: {reason}); check them with"
                " tools/check_videos.py"
            )


def _log_new(reports: Sequence[Report], known: dict[str, str], message: str) -> None:
    """Log what is not known yet, and remember it."""
    for _, name, reason in reports:
        if name not in known:
            known[name] = reason
            logger.warning(message, name, reason)


def _find_dead(workers: Sequence, wait: float) -> dict[int, int | None]:
    """Return the signals of the workers that died; one that breaks off a transfer may need a moment to be gone."""
    end = time.monotonic() + wait
    while True:
        dead = {number: -(worker.exitcode or 0) for number, worker in enumerate(workers) if not worker.is_alive()}
        if dead or not workers or time.monotonic() >= end:
            return dead
        time.sleep(0.05)


def _try_handles(workers: int) -> None:
    """Open what starting workers needs, and close it: a loader that fails half-way cannot be cleaned up.

    Raises:
        OSError: there are too few.
    """
    opened: list[int] = []
    try:
        for _ in range(workers * _HANDLES_EACH + _HANDLES if workers else 0):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for handle in opened:
            os.close(handle)


def _cause(causes: dict[int, int | None]) -> str:
    """Return why workers were lost, in words."""
    words = {"too slow" if cause is None else _signal_name(cause) for cause in causes.values()}
    return ", ".join(sorted(words))


def _signal_name(number: int) -> str:
    """Return the name of the signal that ended a process, or that it ended by itself."""
    return signal.Signals(number).name if number > 0 else "it ended by itself"


def _init_worker(activity: torch.Tensor, number: int) -> None:
    """Give a worker one thread, let it say what it reads, and leave interrupts and stops to the main process.

    A cluster sends SIGTERM to every process of a job; a worker that died of it would take the main process along
    before that has saved. So only the main process's own SIGTERM counts.
    """
    torch.set_num_threads(1)
    get_worker_info().dataset.announce = functools.partial(_announce, activity[number])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_obey_parent, daemon=True).start()


@contextlib.contextmanager
def _stop_signal_blocked() -> Iterator[None]:
    """Let processes that this one starts in the body have SIGTERM blocked from their first moment, in every thread."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _announce(place: torch.Tensor, row: int) -> None:
    """Write which row is being read, and since when."""
    place[0], place[1] = row, time.monotonic()


def _obey_parent() -> None:
    """Leave the process when its parent sends SIGTERM."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        continue
    os._exit(0)
