"""Kills at random moments: over the graph of jobs, and over single runs; the results must be those of a calm one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path[:0] = [str(REPO), str(HERE.parent / "engine")]

import tiny

LIMIT_SECONDS = 3600


def make_data(root: Path) -> None:
    """Make the tiny data set as the first job of the graph does: the manifest comes last."""
    if not (root / "test.csv").exists():
        root.mkdir(parents=True, exist_ok=True)
        tiny.make_data(root)
    (root / "manifest.json").write_text("{}\n")


def command_of(root: Path) -> list[str]:
    """The command that runs the graph in a folder."""
    settings = {"python": sys.executable, "repo": str(REPO)}
    return [
        sys.executable, "-m", "snakemake", "--snakefile", str(REPO / "workflow/Snakefile"),
        "--configfile", str(HERE / "pipeline.yaml"), "--directory", str(root),
        "--config", f"root={root}/out", f"data={root}/data", f"settings={json.dumps(settings)}",
        "--cores", "2", "--rerun-incomplete", "--rerun-triggers", "mtime", "--nolock",
    ]  # fmt: skip


def start(root: Path) -> subprocess.Popen:
    """Start the graph, or go on with it."""
    root.mkdir(parents=True, exist_ok=True)
    env = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    with open(root / "log", "ab") as log:
        return subprocess.Popen(command_of(root), env=env, stdout=log, stderr=log, start_new_session=True)


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


def kill_some(process: subprocess.Popen, rng: random.Random) -> str:
    """Kill everything at once, or one training only; return which."""
    below = descendants(process.pid)
    trainings = [pid for pid in below if "run_net.py" in command_line(pid) and "bash" not in command_line(pid)]
    alone = trainings and rng.random() < 0.4
    for pid in [rng.choice(trainings)] if alone else below:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
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


def calm(root: Path) -> tuple[dict[str, object], float]:
    """Run the graph without kills; return what it makes and the seconds it takes."""
    begin = time.monotonic()
    process = start(root)
    if process.wait(LIMIT_SECONDS):
        raise RuntimeError((root / "log").read_text()[-4000:])
    return artefacts(root), time.monotonic() - begin


def kill_graph(root: Path, kills: int, seed: int) -> dict[str, object]:
    """Run the graph again and again with kills at random moments until there were enough.

    Returns:
        Numbers of kills by kind and of whole runs, and the names of artefacts that differ from a calm run.
    """
    rng = random.Random(seed)
    expected, seconds = calm(root / "calm")
    counts = {"one training": 0, "all processes": 0}
    differing: list[str] = []
    whole = 0
    while sum(counts.values()) < kills:
        folder = root / f"run{whole}"
        while True:
            process = start(folder)
            try:
                status = process.wait(rng.uniform(0.1, 0.5) * seconds)
            except subprocess.TimeoutExpired:
                counts[kill_some(process, rng)] += 1
                continue
            if status == 0:
                break
            differing.append(f"{folder.name}: the graph failed: {(folder / 'log').read_text()[-1500:]}")
            break
        made = artefacts(folder)
        names = expected.keys() | made.keys()
        differing += [f"{folder.name}: {name}" for name in sorted(names) if made.get(name) != expected.get(name)]
        whole += 1
    return {"kills": counts, "whole_runs": whole, "artefacts": len(expected), "seconds_calm": seconds,
            "differing": differing}  # fmt: skip


def kill_runs(root: Path, kills: int, seed: int) -> dict[str, object]:
    """Kill single runs (training and test) at random moments, call them again, compare.

    Returns:
        The number of kills and what differs from calm runs.
    """
    rng = random.Random(seed)
    data = tiny.make_data(root / "data")
    server = tiny.Server()
    opts = ("DATA.PSEUDO_CSV", "pseudo.csv", "TRAIN.SAVE_EVERY_MINUTES", "0.005")

    def begin(name: str) -> int:
        return server.start(root / f"{name}.log", ["OUTPUT_DIR", root / name, "DATA.PATH_PREFIX", data, *opts])

    begun = time.monotonic()
    if server.wait(begin("calm"), LIMIT_SECONDS):
        raise RuntimeError((root / "calm.log").read_text()[-4000:])
    seconds, expected = time.monotonic() - begun, tiny.results(root / "calm")
    done, differing, whole = 0, [], 0
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
    server.close()
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
