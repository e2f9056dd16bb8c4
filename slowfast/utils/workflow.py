"""Running a Snakemake workflow: one line says where it stands, and what failed is shown at the end."""

import contextlib
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from slowfast.utils.errors import InputError
from slowfast.utils.progress import MovingLine, format_seconds

_TOTAL, _STEPS_DONE = re.compile(r"^total\s+(\d+)$"), re.compile(r"(\d+) of (\d+) steps")
_LOG_OF = re.compile(r"^\s+log: (.+?)(?: \(check log file.*)?$")
_JOB, _FINISHED = re.compile(r"^\s+jobid: (\d+)"), re.compile(r"^Finished job(?:id:)? (\d+)")
# What a training, and any other long job, writes of where it stands.
_EPOCH, _COUNTED = re.compile(r"epoch (\d+)/(\d+) iter (\d+)/(\d+)"), re.compile(r": (\d+)/(\d+) \(")
_TOLD = re.compile(r"^disk: |: changed: ")
_REFUSED = "error: disk"
_TAIL = 4096


class Standing:
    """Where a workflow stands, by what Snakemake says of it and by the logs of the jobs that run.

    Args:
        folder: where Snakemake runs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.start = folder, time.monotonic()
        self.done = self.total = 0
        self.running: dict[str, Path] = {}  # number of a job -> its log
        self._log: Path | None = None
        self._trained: dict[Path, float] = {}

    def hear(self, line: str) -> bool:
        """Take in a line of Snakemake's; return whether it says that a job is done."""
        if match := _LOG_OF.match(line):
            self._log = self.folder / match[1]
        elif match := _JOB.match(line):
            self.running.pop(match[1], None)  # it failed, or it begins: then its log was named before
            self.running |= {match[1]: self._log} if self._log is not None else {}
            self._log = None
        elif match := _FINISHED.match(line):
            self.running.pop(match[1], None)
        elif match := _TOTAL.match(line):
            self.total = int(match[1])
        elif match := _STEPS_DONE.search(line):
            self.done, self.total = int(match[1]), int(match[2])
        return match is not None and match.re is _STEPS_DONE

    def share(self, log: Path) -> float | None:
        """Return how much of a job is done, 0..1; of a training its epochs."""
        counted = None
        with contextlib.suppress(OSError), open(log, "rb") as handle:
            handle.seek(max(0, os.fstat(handle.fileno()).st_size - _TAIL))
            text = handle.read().decode("utf-8", "replace")
            epochs, counts = _EPOCH.findall(text), _COUNTED.findall(text)
            counted = int(counts[-1][0]) / max(int(counts[-1][1]), 1) if counts else None
            if epochs:
                epoch, of, step, steps = map(int, epochs[-1])
                self._trained[log] = (epoch - 1 + step / max(steps, 1)) / of
        return self._trained.get(log, counted)

    def line(self) -> str:
        """Return time, jobs, time left, and the jobs that run with their shares."""
        shares = {log: self.share(log) for log in self.running.values()}
        done = self.done + sum(filter(None, shares.values()))
        spent = time.monotonic() - self.start
        left = format_seconds(spent / done * (self.total - done)) if self.done else "unknown"
        jobs = [log.stem + (f" {share:.0%}" if share is not None else "") for log, share in shares.items()]
        text = f"[{format_seconds(spent)}] {self.done} of {self.total or '?'} jobs done, ETA {left}"
        return ": ".join([text, ", ".join(jobs)]) if jobs else text


def run_workflow(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> int:
    """Run Snakemake in a folder and follow it; return its exit status.

    Raises:
        InputError: the disk is too small for the schedule.
    """
    process = subprocess.Popen(
        command, cwd=folder, env=environment, text=True, errors="backslashreplace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    heard: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_listen, args=(process, heard), daemon=True).start()
    standing, moving = Standing(folder), MovingLine()
    lines: list[str] = []
    while True:
        due = False
        with contextlib.suppress(queue.Empty):
            line = heard.get(timeout=1.0)
            if line is None:
                break
            lines = [*lines[-200:], line]
            due = standing.hear(line)
            if _TOLD.search(line):
                moving.above(line)
        if due or heard.empty():
            moving.show(standing.line(), due=due)
    moving.end()
    status = process.wait()
    if status:
        refused = [line.removeprefix("error: ") for line in lines if line.startswith(_REFUSED)]
        if refused:
            raise InputError(refused[-1])
        _explain(lines, folder)
    return status


def _listen(process: subprocess.Popen, heard: "queue.Queue[str | None]") -> None:
    """Pass on what a process says, line by line, and None at its end."""
    for line in process.stdout:
        heard.put(line.rstrip())
    heard.put(None)


def _explain(lines: list[str], folder: Path) -> None:
    """Print the end of the logs of the jobs that failed."""
    logs = [match[1] for line in lines if (match := _LOG_OF.match(line))]
    failed = [line for line in lines if line.startswith("Error in rule")]
    print("\n".join(failed or lines[-20:]), file=sys.stderr)
    for name in dict.fromkeys(logs[-len(failed) or -1 :]):
        path = folder / name
        if path.is_file():
            tail = path.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            print(f"--- {name}", *tail, sep="\n", file=sys.stderr)
