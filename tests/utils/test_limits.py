"""Too few handles and too little shared memory are told apart from a lack of memory and from faults of the program."""

import errno
import os
import resource

import pytest

from slowfast.utils import cli
from slowfast.utils.limits import explain_limit


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (OSError(errno.ENFILE, "Too many open files in system"), "ulimit -n"),
        (RuntimeError("received 0 items of ancdata"), "ulimit -n"),
        (RuntimeError("Too many open files. Communication with the workers is no longer possible."), "ulimit -n"),
        (RuntimeError("unable to open shared memory object </torch_1> in read-write mode: Permission denied (13)"),
         "--shm-size"),
        (RuntimeError("Caught RuntimeError in a worker\nunable to write to file </torch_1>: No space left (28)"),
         "No space left (28)"),
    ],
)  # fmt: skip
def test_each_names_what_helps(error, word):
    text = explain_limit(error)
    assert word in text and "DATA_LOADER.NUM_WORKERS (0 needs none)" in text and "\n" not in text


def test_what_only_the_start_of_processes_tells():
    for error in (OSError(errno.EROFS, "Read-only file system"), OSError(errno.ENOSPC, "No space left on device")):
        assert explain_limit(error) == "" and "--shm-size" in explain_limit(error, starting=True)
    assert "ulimit -u" in explain_limit(BlockingIOError(errno.EAGAIN, "Resource"), starting=True)


def test_others_are_left_alone():
    full = OSError(errno.ENOSPC, "No space left on device", "/data/run/best.pyth")
    for error in (full, RuntimeError("shape mismatch"), MemoryError(), ValueError("")):
        assert explain_limit(error) == explain_limit(error, starting=True) == ""


def test_a_command_without_handles_ends_in_a_sentence(capsys):
    def main() -> None:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            os.open(os.devnull, os.O_RDONLY)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    with pytest.raises(SystemExit) as caught:
        cli.run(main)
    assert caught.value.code == 2 and capsys.readouterr().err.startswith("error: too few file handles")
