"""Run the GPU tests and print all GPU tables, on one card, in at most 6 minutes (`make gpu-check`)."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

from slowfast.utils import cli
from slowfast.utils.errors import InputError

SECONDS = 350.0
BATCH = "16"
# Name, seconds at most, what must be left for those behind it, command.
_BENCHMARK = ("tools/benchmark.py", "--batch-size", BATCH)
_WHOLE = (
    "DATA.DEVICE_TRANSFORM",
    "True",
    "DATA.DECODING_BACKEND",
    "pyav",
    "DATA_LOADER.NUM_WORKERS",
    str(os.cpu_count() or 1),
)
_TESTS = ("-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", "tests/gpu")
AHEAD = (*_BENCHMARK, "--ahead", "--model", "all")  # beside the tests: compiling takes processors, little of the card
AHEAD_SECONDS = 175.0
JOBS = (
    ("tests, and compilation beside them", 160.0, 0.0, _TESTS),
    ("networks", 300.0, 50.0, (*_BENCHMARK, "--gpu", "--model", "all")),
    ("training with its loaders", 300.0, 0.0, (*_BENCHMARK, "--epoch", "--repeats", "10", *_WHOLE)),
)  # fmt: skip


def main() -> int:
    """Run all; the exit status is 1 when a test fails or something takes too long."""
    cli.make_parser(
        "Run the tests of a GPU and print all tables that are measured on one: the depthwise convolution, every "
        "network in every form, training with its loaders. At most 6 minutes; nothing is installed or fetched.",
        "python tools/gpu_check.py",
    ).parse_args()
    from slowfast.utils.gpu import find_gpu

    found, reason = find_gpu()
    if not found:
        raise InputError(f"gpu-check: torch ({sys.executable}) finds no GPU here{reason and ': '}{reason}")
    begin = time.monotonic()
    end, wrong = begin + SECONDS, []
    ahead = subprocess.Popen([sys.executable, *AHEAD], cwd=REPO, start_new_session=True)
    for name, most, kept, command in JOBS:
        if command is not JOBS[0][3]:
            _end(ahead, begin + AHEAD_SECONDS)  # nothing else runs while something is measured
        left = min(most, end - time.monotonic() - kept)
        words = [sys.executable, *command]
        if "--gpu" in words:
            words += ["--budget", f"{left - 25.0:.0f}"]  # what is compiled at that moment still ends
        print(f"== {name}, at most {left:.0f} s", flush=True)
        try:
            status = subprocess.run(words, cwd=REPO, timeout=max(left, 1.0)).returncode
        except subprocess.TimeoutExpired:
            status = "not done in time"
        wrong += [f"{name}: {status}"] if status else []
    print("; ".join(wrong) or "all done")
    return 1 if wrong else 0


def _end(ahead: subprocess.Popen, when: float) -> None:
    """Wait for the compilation; at the given time (of `time.monotonic`) end it: what is missing is compiled later."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        ahead.wait(max(0.0, when - time.monotonic()))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(ahead.pid, signal.SIGKILL)
    ahead.wait()


if __name__ == "__main__":
    cli.run(main)
