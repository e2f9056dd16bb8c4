"""Work in processes that may crash or hang: the item is named, the others go on."""

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

# Forked processes share what is loaded already; nothing is pickled but items and results.
_CONTEXT = multiprocessing.get_context("fork")


class Lost(Exception):
    """An item whose process ended without an answer; the text says how."""


@dataclass
class _Worker:
    """One process and what it is busy with."""

    function: Callable[[Any], Any]
    pipe: Connection = field(init=False)
    process: multiprocessing.Process = field(init=False)
    index: int = -1
    since: float = 0.0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start a fresh process."""
        self.pipe, end = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_serve, args=(end, self.function), daemon=True)
        self.process.start()
        end.close()

    def give(self, index: int, item: Any) -> None:
        """Start an item."""
        self.index, self.since = index, time.monotonic()
        self.pipe.send(item)

    def end(self) -> None:
        """Stop the process at once."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def map_isolated(
    function: Callable[[Any], Any], items: Sequence[Any], *, workers: int, timeout: float
) -> Iterator[tuple[int, Any]]:
    """Yield (index, answer) of every item, in the order of completion.

    Args:
        function: called with an item in another process; what it raises is the answer.
        items: what can be pickled.
        workers: number of processes.
        timeout: seconds for one item.

    Yields:
        The answer is the function's value, the exception it raised, or `Lost` for a process that died or took too long.
    """
    todo = list(range(len(items)))[::-1]
    pool = [_Worker(function) for _ in range(min(workers, len(items)))]
    try:
        yield from _work(pool, todo, items, timeout)
    finally:
        for worker in pool:
            worker.end()


def _work(pool: Sequence[_Worker], todo: list[int], items: Sequence[Any], timeout: float) -> Iterator[tuple[int, Any]]:
    """Keep all workers busy until nothing is left to do; replace those that are lost."""
    for worker in pool:
        _next(worker, todo, items)
    while any(worker.index >= 0 for worker in pool):
        for worker, answer in _finished(pool, timeout):
            yield worker.index, answer
            if isinstance(answer, Lost):
                worker.end()
                worker.start()
            _next(worker, todo, items)


def _finished(pool: Sequence[_Worker], timeout: float) -> Iterator[tuple[_Worker, Any]]:
    """Yield the workers that have an answer, after a short wait."""
    busy = [worker for worker in pool if worker.index >= 0]
    wait([worker.pipe for worker in busy], timeout=0.2)
    for worker in busy:
        answer = _answer(worker, timeout)
        if answer is not None:
            yield worker, answer[0]


def _next(worker: _Worker, todo: list[int], items: Sequence[Any]) -> None:
    """Give a free worker its next item, or none."""
    worker.index = -1
    if todo:
        index = todo.pop()
        worker.give(index, items[index])


def _answer(worker: _Worker, timeout: float) -> tuple[Any] | None:
    """Return what a worker has to say, None while it works."""
    try:
        if worker.pipe.poll():
            return (worker.pipe.recv(),)
    except (EOFError, OSError):
        worker.process.join()
        code = -(worker.process.exitcode or 0)
        how = f"was ended by {signal.Signals(code).name}" if code > 0 else "ended by itself"
        return (Lost(f"the process {how}"),)
    if time.monotonic() - worker.since > timeout:
        return (Lost(f"it took longer than {timeout:g} s"),)
    return None


def _serve(pipe: Connection, function: Callable[[Any], Any]) -> None:
    """Answer items until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            answer = function(item)
        except Exception as error:
            answer = error
        pipe.send(answer)
