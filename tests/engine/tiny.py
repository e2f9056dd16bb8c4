"""A tiny data set, runs on it in forked processes, and what such a run has made.

The module is also a program, the server: it imports torch once and forks one process for every run, which may be
told to end at a chosen moment (see `faults.py`).
"""

import json
import os
import platform
import runpy
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
CONFIG = HERE / "tiny.yaml"
SIZES = {"train": 12, "bright": 4, "dark": 5, "pool": 9, "test": 5}


def write_clip(path: Path, label: int, seed: int) -> None:
    """Write 12 frames of 40 x 32 pixels: a square on noise whose place and colour tell the label."""
    from slowfast.demo.encoding import write_h264

    rng = np.random.default_rng(seed)
    frames_THWC = rng.integers(40, 90, (12, 32, 40, 3), dtype=np.uint8)
    for frame, image in enumerate(frames_THWC):
        left = (3 * label + 2 * frame) % 30
        image[4 + label : 14 + label, left : left + 8, label % 3] = 230
    write_h264(path, frames_THWC, fps=12, crf=23)


def make_data(root: Path) -> Path:
    """Write clips and lists, and a pseudo-label table of the pool."""
    (root / "videos").mkdir(parents=True, exist_ok=True)
    for number, (split, size) in enumerate(SIZES.items()):
        rows = []
        for index in range(size):
            label = (index * 3 + number) % 11
            write_clip(root / "videos" / f"{split}{index}.mp4", label, 100 * number + index)
            rows.append((f"{split}{index}.mp4", label))
        shown = -1 if split in ("pool", "test") else None
        (root / f"{split}.csv").write_text("".join(f"{name},{shown or label}\n" for name, label in rows))
        if split == "pool":
            probs = ",".join(["0.05"] * 11)
            (root / "pseudo.csv").write_text("".join(f"{name},{label},{probs}\n" for name, label in rows))
    return root


class Server:
    """Forks runs quickly; see `serve`. `seconds` is the processor time of the runs that were waited for."""

    def __init__(self) -> None:
        self.seconds = 0.0
        env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPO), "CUDA_VISIBLE_DEVICES": ""}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__))], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **order) -> dict:
        """Send one order and return the answer."""
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, log: Path, argv: list[str], fault: str = "", env: dict | None = None) -> int:
        """Start one run; returns its process number."""
        return self.ask(order="start", log=str(log), argv=list(map(str, argv)), fault=fault, env=env or {})["pid"]

    def command(self, log: Path, script: Path, argv: list[str], cwd: Path) -> int:
        """Start a command of the repository as its own program would; returns its process number."""
        words = [str(script), *map(str, argv)]
        return self.ask(order="start", log=str(log), argv=words, fault="", env={}, cwd=str(cwd))["pid"]

    def wait(self, pid: int, limit: float = 600.0) -> int:
        """Return the exit status of a run (-9 after SIGKILL); it is killed after `limit` seconds."""
        answer = self.ask(order="wait", pid=pid, limit=limit)
        self.seconds += answer["seconds"]
        assert not answer["late"], f"process {pid} hung"
        return answer["status"]

    def close(self) -> None:
        """End the server."""
        self.process.stdin.close()
        self.process.wait(120)


def serve() -> None:
    """Answer orders on standard input: start a run in a forked process, wait for one."""
    # What a run would import late is imported once here: it costs more than the run.
    import PIL.Image
    import torch._dynamo  # noqa: F401

    import slowfast.engine.launch

    PIL.Image.init()
    for line in sys.stdin:
        order = json.loads(line)
        if order["order"] == "start":
            pid = os.fork()
            if pid == 0:
                run_child(order, slowfast.engine.launch.run_experiment)
            answer = {"pid": pid}
        else:
            answer = wait_for(order["pid"], order["limit"])
        print(json.dumps(answer), flush=True)


def run_child(order: dict, run_experiment) -> None:
    """Be one run or command: log file, fault, exit status as every command has it."""
    from slowfast.config import load_config
    from slowfast.utils import cli
    from slowfast.utils.logging import setup_logging
    from slowfast.utils.plugins import load_plugins

    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(order["env"])
    if "NIGHTCRAWLER_TEST_HOST" in os.environ:
        socket.gethostname = platform.node = lambda: os.environ["NIGHTCRAWLER_TEST_HOST"]
    if order["fault"]:
        sys.path.insert(0, str(HERE))
        import faults

        faults.install(order["fault"])
    setup_logging()
    status = 1
    try:
        if "cwd" in order:
            os.chdir(order["cwd"])
            sys.argv = order["argv"]
            runpy.run_path(sys.argv[0], run_name="__main__")
        else:
            plugins, words = cli.take_plugins(order["argv"])
            cli.run(lambda: load_plugins(plugins) or run_experiment(load_config(CONFIG, words)))
    except SystemExit as leave:
        status = leave.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait_for(pid: int, limit: float) -> dict:
    """Wait for a child; kill it and its workers when it takes too long."""
    end = time.monotonic() + limit
    late = False
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return {"status": code, "late": late, "seconds": usage.ru_utime + usage.ru_stime, "kib": usage.ru_maxrss}
        if time.monotonic() > end and not late:
            late = True
            os.killpg(pid, 9)
        time.sleep(0.005)


def results(output: Path) -> dict[str, object]:
    """Return what a finished run has made: digests of the checkpoints, bytes of measurements and predictions."""
    from slowfast.engine.checkpoint import load_checkpoint, state_digest

    made: dict[str, object] = {"metrics": (output / "metrics.jsonl").read_text()}
    for path in [*sorted((output / "checkpoints").glob("*.pyth")), output / "best.pyth"]:
        state = load_checkpoint(path)
        state.pop("cfg")
        made[path.name] = {key: state_digest(value) for key, value in state.items()}
    for path in sorted(output.glob("*.pkl")):
        made[path.name] = path.read_bytes()
    return made


if __name__ == "__main__":
    serve()
