"""Jobs of a schedule without the seconds in which each loads the libraries: a process loads them once and forks.

`warm_jobs` starts that process and names its socket in the environment. A tool that is called below (`hand_over`, from
`cli.run`) passes its command, folder, environment and streams on, waits, and ends with the status of the fork, which
gets every signal that the tool gets and is killed when the tool is. Without a socket, or where Python or a setting
that is read while libraries load differs, the tool runs as ever. Linux and CPU only: elsewhere a fork is not safe.
"""

import contextlib
import gc
import importlib
import io
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from slowfast.utils.paths import REPO_ROOT

VARIABLE = "NIGHTCRAWLER_WARM"
# What most seconds of a training's start are spent on.
LIBRARIES = ("torch", "torch._dynamo", "torchvision", "av", "slowfast.engine.run", "slowfast.engine.launch")
# What libraries read while they load, or what decides which are loaded.
_AT_LOADING = ("CUDA_", "GOTO_", "KMP_", "LD_", "MALLOC_", "MKL_", "NCCL_", "OMP_", "OPENBLAS_", "PYTHON", "TORCH")
# A schedule's runner sets these to the threads of each job, and most have one.
_ONE_THREAD = dict.fromkeys(
    ("GOTO_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_POLL_SECONDS, _SIGNAL_SECONDS, _START_SECONDS = 0.02, 0.1, 120.0
_COLD, _TAKEN = b"c", b"t"


class Job(NamedTuple):
    """A command that a fork runs.

    Args:
        argv: script and arguments.
        folder: working directory.
        environment: all of it.
        umask: of files that it makes.
        python: the interpreter, which has to be that of the server.
    """

    argv: list[str]
    folder: str
    environment: dict[str, str]
    umask: int
    python: str


@contextlib.contextmanager
def warm_jobs(environment: Mapping[str, str], modules: tuple[str, ...] = LIBRARIES) -> Iterator[dict[str, str]]:
    """Yield an environment below which tools of one thread fork from one process that has loaded `modules`.

    Args:
        environment: of the commands; variables that libraries read while they load have to stay as they are.
        modules: what to load; one that is not installed is left out.
    """
    environment = {**environment, **_ONE_THREAD}
    if sys.platform != "linux":
        yield environment
        return
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        address = str(Path(folder) / "socket")
        words = [sys.executable, "-m", "slowfast.utils.warm", address, *modules]
        path = os.pathsep.join(filter(None, [str(REPO_ROOT), environment.get("PYTHONPATH", "")]))
        server = subprocess.Popen(
            words, env={**environment, "PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        try:
            ready, _, _ = select.select([server.stdout], [], [], _START_SECONDS)
            started = bool(ready and server.stdout.read(1))
            yield {**environment, **({VARIABLE: address, "PYTHONPATH": path} if started else {})}
        finally:
            server.stdin.close()
            server.terminate()
            server.wait()
            server.stdout.close()


def hand_over() -> None:
    """Let a warm process run this command and leave with its status; return where there is none or it cannot."""
    address = os.environ.pop(VARIABLE, "")
    if not address:
        return
    umask = os.umask(0)
    os.umask(umask)
    job = Job([os.path.abspath(sys.argv[0]), *sys.argv[1:]], os.getcwd(), dict(os.environ), umask, sys.executable)
    with contextlib.ExitStack() as stack:
        try:
            link = stack.enter_context(socket.socket(socket.AF_UNIX))
            link.connect(address)
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
            stack.callback(signal.pthread_sigmask, signal.SIG_SETMASK, blocked)
            text = json.dumps(job).encode()
            socket.send_fds(link, [len(text).to_bytes(8, "big")], [0, 1, 2])
            link.sendall(text)
            if link.recv(1) != _TAKEN:
                return
        except OSError:
            return
        for number in _FORWARDED:
            signal.signal(number, lambda number, _frame: link.send(bytes([number])))
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        with contextlib.suppress(OSError):
            # In short waits: Python's part of a signal that comes just before a long one would only run after it.
            while not select.select([link], [], [], _SIGNAL_SECONDS)[0]:
                pass
            answer = link.recv(2, socket.MSG_WAITALL)
            if len(answer) == 2:
                _leave(*answer)
    _leave(0, signal.SIGKILL)


def _leave(status: int, number: int) -> None:
    """End this process as a job did: by itself with a status, or by a signal with this number."""
    sys.stdout.flush()
    if number:
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(status)


def serve(address: str, loaded_with: Mapping[str, str]) -> Job:
    """Take jobs until standard input ends; return in every fork, with its job, and leave the process otherwise.

    Args:
        address: of the socket.
        loaded_with: the environment when libraries were loaded; some write to it.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen(64)
        os.write(1, b"1")
        while True:
            ready, _, _ = select.select([door, 0], [], [])
            if 0 in ready:
                os._exit(0)
            link, _ = door.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                door.close()
                return _attend(link, loaded_with)
            link.close()


def _attend(link: socket.socket, loaded_with: Mapping[str, str]) -> Job:
    """Fork once more for the job that stands in a connection; return there, and attend to it in this process."""
    head, streams, _, _ = socket.recv_fds(link, 8, 3)
    wanted, text = int.from_bytes(head, "big"), b""
    while len(text) < wanted:
        part = link.recv(wanted - len(text))
        if not part:
            os._exit(1)
        text += part
    job = Job(*json.loads(text))
    if len(streams) != 3 or job.python != sys.executable or _at_loading(job.environment) != _at_loading(loaded_with):
        link.sendall(_COLD)
        os._exit(0)
    child = os.fork()
    if child == 0:
        link.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        return job
    for stream in (0, 1, 2, *streams):
        os.close(stream)
    with contextlib.suppress(OSError):  # the command may be gone already: then the wait ends its job
        link.sendall(_TAKEN)
    status = _wait(child, link)
    with contextlib.suppress(OSError):
        link.sendall(bytes(status))
    os._exit(0)


def _wait(child: int, link: socket.socket) -> tuple[int, int]:
    """Wait for a job while signals come in, kill it when nobody waits; return its status and what signal ended it."""
    while True:
        ended, state = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(state)
            return max(code, 0), max(-code, 0)
        ready, _, _ = select.select([link], [], [], _POLL_SECONDS)
        if ready:
            numbers = b""
            with contextlib.suppress(OSError):
                numbers = link.recv(64)
            for number in numbers or [signal.SIGKILL]:
                os.kill(child, number)
            if not numbers:
                os.waitpid(child, 0)
                return 0, signal.SIGKILL


def _at_loading(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that libraries read while they load."""
    return {name: value for name, value in environment.items() if name.startswith(_AT_LOADING)}


def become(job: Job) -> None:
    """Take folder, environment and streams of a job; the streams' descriptors are in place already."""
    os.chdir(job.folder)
    os.umask(job.umask)
    os.environ.clear()
    os.environ.update(job.environment)
    sys.argv[:] = job.argv
    sys.path[0] = os.path.dirname(job.argv[0])
    random.seed()
    sys.stdin, sys.stdout = _stream(0, "r"), _stream(1, "w")
    sys.stderr = _stream(2, "w", errors="backslashreplace", line_buffering=True)


def _stream(descriptor: int, mode: str, **options: Any) -> io.TextIOWrapper:
    """Return a text stream as the interpreter opens it, line by line on a terminal."""
    options = {"line_buffering": os.isatty(descriptor), **options}
    raw = io.FileIO(descriptor, mode, closefd=False)
    return io.TextIOWrapper(io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw), **options)


def main() -> None:
    """Load the modules, serve, and run the command of a job at the top of a fork's stack."""
    (address, *modules), environment = sys.argv[1:], dict(os.environ)
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.freeze()  # collections in the forks need not look at, and copy, what is loaded
    job = serve(address, environment)
    become(job)
    runpy.run_path(job.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
