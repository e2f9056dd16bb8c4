"""Jobs that fork from a process which has loaded the libraries: same answers, signals, ends, and the way without it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slowfast.utils.warm import VARIABLE, warm_jobs

REPO = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, os, sys, time
sys.path.insert(0, {repo!r})
from slowfast.utils import cli

def main():
    print(json.dumps([sys.argv[1:], os.getcwd(), os.environ.get("MARK"), "decimal" in sys.modules, os.getppid()]))
    print("to stderr", file=sys.stderr, flush=True)
    if sys.argv[1:] == ["wait"]:
        open("begun", "w").write(str(os.getpid()))
        try:
            for _ in range(600):
                time.sleep(0.1)
        except KeyboardInterrupt:
            open("interrupted", "w").write("")
            raise
    return int(sys.argv[1]) if len(sys.argv) > 1 else 0

if __name__ == "__main__":
    cli.run(main)
"""


@pytest.fixture
def script(tmp_path) -> Path:
    """A tool that says where and how it runs."""
    path = tmp_path / "tool.py"
    path.write_text(SCRIPT.format(repo=str(REPO)))
    return path


@pytest.fixture(scope="module", autouse=True)
def interruptible():
    """What is started here listens to SIGINT, also where the tests run in the background of a shell, which do not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def environment(interruptible):
    """The environment below a warm process that has loaded `decimal`, which no tool loads itself."""
    with warm_jobs(os.environ, ("decimal", "module_that_is_nowhere")) as environment:
        assert VARIABLE in environment
        yield environment


def call(script: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess:
    """Run the tool in its folder."""
    command = [sys.executable, str(script), *words]
    return subprocess.run(command, env=environment, cwd=script.parent, capture_output=True, text=True, timeout=60)


def test_a_job_is_a_fork_with_folder_environment_and_streams_of_its_command(script, environment):
    done = call(script, {**environment, "MARK": "a b"}, "7")
    words, folder, mark, loaded, _ = json.loads(done.stdout)
    assert (words, Path(folder), mark, loaded) == (["7"], script.parent, "a b", True)
    assert (done.returncode, done.stderr) == (7, "to stderr\n")
    assert call(script, environment, "0").returncode == 0


def test_without_a_warm_process_a_tool_runs_as_ever(script, environment):
    for changed in ({VARIABLE: "/nowhere/socket"}, {"OMP_NUM_THREADS": "3"}, {"PYTHONHASHSEED": "5"}):
        done = call(script, {**environment, **changed}, "3")
        assert (done.returncode, json.loads(done.stdout)[3]) == (3, False), changed
        assert json.loads(done.stdout)[4] == os.getpid()


def wait_for(path: Path) -> str:
    """The text of a file, once it is there."""
    for _ in range(600):
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.05)
    raise AssertionError(f"{path} did not come")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_of_the_command_reach_its_job(script, environment, number):
    command = [sys.executable, str(script), "wait"]
    with subprocess.Popen(command, env=environment, cwd=script.parent, stderr=subprocess.PIPE, text=True) as process:
        child = int(wait_for(script.parent / "begun"))
        assert child != process.pid
        process.send_signal(number)
        said = process.communicate(timeout=30)[1]
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert ("interrupted" in said) == (number == signal.SIGINT) == (script.parent / "interrupted").exists()
    for _ in range(200):
        if not Path(f"/proc/{child}").exists():
            return
        time.sleep(0.05)
    raise AssertionError("the job lives on")


def test_a_job_that_is_killed_looks_killed(script, environment):
    command = [sys.executable, str(script), "wait"]
    with subprocess.Popen(command, env=environment, cwd=script.parent, stderr=subprocess.DEVNULL) as process:
        os.kill(int(wait_for(script.parent / "begun")), signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL


def test_the_process_ends_with_its_block():
    with warm_jobs(os.environ, ()) as environment:
        address = Path(environment[VARIABLE])
        assert address.exists()
    assert not address.parent.exists()
