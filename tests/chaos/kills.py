"""Kills at random moments: over the graph of jobs, and over single runs; the results must be those of a calm one."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path[:0] = [str(REPO), str(HERE.parent / "engine")]

import tiny

from slowfast.utils.files import write_json

LIMIT_SECONDS = 3600


def make_data(root: Path) -> None:
    """Make the tiny data set as the first job of the graph does: the manifest comes last."""
    if not (root / "test.csv").exists():
        root.mkdir(parents=True, exist_ok=True)
        tiny.make_data(root)
    (root / "manifest.json").write_text("{}\n")


def command_of(root: Path) -> list[str]:
    """The command that runs the graph in a folder."""
    settings, own = {"python": sys.executable, "repo": str(REPO)}, root / "pipeline.yaml"
    return [
        sys.executable, "-m", "snakemake", "--snakefile", str(REPO / "workflow/Snakefile"),
        "--configfile", str(own if own.exists() else HERE / "pipeline.yaml"), "--directory", str(root),
        "--config", f"root={root}/out", f"data={root}/data", f"settings={json.dumps(settings)}",
        "--cores", "2", "--rerun-incomplete", "--nolock",
    ]  # fmt: skip


def start(root: Path, env: Mapping[str, str]) -> subprocess.Popen:
    """Start the graph, or go on with it."""
    root.mkdir(parents=True, exist_ok=True)
    with open(root / "log", "ab") as log:
        return subprocess.Popen(command_of(root), env=env, stdout=log, stderr=log, start_new_session=True)


def environment() -> dict[str, str]:
    """The environment of the graph."""
    return os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def descendants(pid: int) -> list[int]:
    """All processes below one, itself included, parents first."""
    found = [pid]
    for process in found:
        for path in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                found += [int(child) for child in path.read_text().split()]
            except OSError:
                continue
    return found


def command_line(pid: int) -> str:
    """The command of a process, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def kill_all(pids: list[int]) -> None:
    """Kill processes; some may be gone already."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_some(process: subprocess.Popen, rng: random.Random) -> str:
    """Kill everything at once, or one training only; return which."""
    below = descendants(process.pid)
    trainings = [pid for pid in below if "run_net.py" in command_line(pid) and "bash" not in command_line(pid)]
    alone = trainings and rng.random() < 0.4
    kill_all([rng.choice(trainings)] if alone else below)
    process.wait(LIMIT_SECONDS)
    return "one training" if alone else "all processes"


def artefacts(root: Path) -> dict[str, object]:
    """Everything that the graph makes and that must not depend on kills."""
    made: dict[str, object] = {}
    for folder in sorted((root / "out").glob("exp_*/*")):
        for name, value in tiny.results(folder).items():
            made[f"{folder.parent.name}/{folder.name}/{name}"] = value
    for path in [*(root / "out/submission").glob("*.csv"), *(root / "data/pseudo").glob("*.csv")]:
        made[path.name] = path.read_bytes()
    return made


def run_for(folder: Path, seconds: float, rng: random.Random, env: Mapping[str, str] | None = None) -> str:
    """Run the graph for a while, then kill some of it; return what was killed, `whole` or `failed` when it ended."""
    process = start(folder, env or environment())
    try:
        return "failed" if process.wait(seconds) else "whole"
    except subprocess.TimeoutExpired:
        return kill_some(process, rng)
    finally:
        if process.returncode is None:  # the suite itself is stopped
            kill_all(descendants(process.pid))


def kill_graph(root: Path, kills: int, seed: int) -> dict[str, object]:
    """Run the graph again and again with kills at random moments until there were enough.

    What was done so far stands in `state.json`, so that a suite that was stopped goes on.

    Returns:
        Numbers of kills by kind and of whole runs, and the names of artefacts that differ from a calm run.
    """
    store = root / "state.json"
    state = {"seconds": 0.0, "kills": {"one training": 0, "all processes": 0}, "whole_runs": 0, "differing": []}
    if store.exists():
        state = json.loads(store.read_text())
    done, begin = state["kills"], time.monotonic()
    if run_for(root / "calm", LIMIT_SECONDS, random.Random()) != "whole":
        raise RuntimeError((root / "calm/log").read_text()[-4000:])
    state["seconds"] = state["seconds"] or time.monotonic() - begin
    write_json(store, state)
    expected = artefacts(root / "calm")
    while sum(done.values()) < kills or state.get("open"):
        folder = root / f"run{state['whole_runs']}"
        rng = random.Random(f"{seed} {state['whole_runs']} {sum(done.values())}")
        share = rng.uniform(0.1, 0.5) if sum(done.values()) < kills else LIMIT_SECONDS
        begin = time.monotonic()
        outcome = run_for(folder, share * state["seconds"], rng)
        if outcome == "whole" and not state.get("open"):  # an undisturbed run: other work may have slowed the calm one
            state["seconds"] = min(state["seconds"], time.monotonic() - begin)
        state["open"] = outcome in done
        if outcome in done:
            done[outcome] += 1
        else:
            state["differing"] += differences(folder, expected, outcome)
            state["whole_runs"] += 1
        write_json(store, state)
    found = {key: state[key] for key in ("kills", "whole_runs", "differing")}
    return {**found, "artefacts": len(expected), "seconds_calm": state["seconds"]}


def differences(folder: Path, expected: dict[str, object], outcome: str) -> list[str]:
    """Return what a run that has ended made otherwise than a calm one."""
    if outcome == "failed":
        return [f"{folder.name}: the graph failed: {(folder / 'log').read_text()[-1500:]}"]
    made = artefacts(folder)
    names = sorted(expected.keys() | made.keys())
    return [f"{folder.name}: {name}" for name in names if made.get(name) != expected.get(name)]


def kill_runs(root: Path, data: Path, server: tiny.Server, kills: int, seed: int) -> dict[str, object]:
    """Kill single runs (training and test) at random moments, call them again, compare.

    Args:
        root: working folder.
        data: the tiny data set.
        server: starts the runs.
        kills: number of kills.
        seed: of the moments.

    Returns:
        The number of kills and what differs from calm runs.
    """
    rng = random.Random(seed)
    opts = ("DATA.PSEUDO_CSV", "pseudo.csv", "TRAIN.SAVE_EVERY_MINUTES", "0.005")

    def begin(name: str) -> int:
        return server.start(root / f"{name}.log", ["OUTPUT_DIR", root / name, "DATA.PATH_PREFIX", data, *opts])

    # The first run is slower than those that follow, so the second one tells how long a run takes.
    for name in ("first", "calm"):
        begun = time.monotonic()
        if server.wait(begin(name), LIMIT_SECONDS):
            raise RuntimeError((root / f"{name}.log").read_text()[-4000:])
    seconds, expected = time.monotonic() - begun, tiny.results(root / "calm")
    done, whole = 0, 0
    differing = [] if tiny.results(root / "first") == expected else ["two calm runs differ"]
    while done < kills:
        name, status = f"run{whole}", -9
        while status == -9:
            pid = begin(name)
            if done < kills:
                time.sleep(rng.uniform(0.0, 0.9) * seconds)
                done += kill_group(pid)
            status = server.wait(pid, LIMIT_SECONDS)
        log = (root / f"{name}.log").read_text()
        if status or "Traceback" in log or tiny.results(root / name) != expected:
            differing.append(f"{name}: status {status}: {log[-1500:]}")
        whole += 1
    return {"kills": done, "whole_runs": whole, "seconds_calm": seconds, "differing": differing}


def kill_group(pid: int) -> int:
    """Kill a run and its workers; return 1 when it still ran."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        os.killpg(pid, signal.SIGKILL)
    except (OSError, IndexError):
        return 0
    return int(state != "Z")


if __name__ == "__main__":
    make_data(Path(sys.argv[2]))
