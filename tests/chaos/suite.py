"""The chaos suite in one command: random kills, random damage, fuzzed input; a summary as JSON.

python tests/chaos/suite.py --json output/chaos.json      the whole suite
python tests/chaos/suite.py --short                       the part that `make test` runs
"""

import argparse
import contextlib
import functools
import json
import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE), str(HERE.parent / "engine")]

import commands
import damage
import fuzz
import kills
import kinds
import tiny

# Part: cases of the whole suite and of the short form.
PARTS = {
    "graph": (30, 0),
    "runs": (20, 3),
    "files": (400, 45),
    "folders": (30, 2),
    "inputs": (2400, 160),
    "kinds": (1000, 100),
}
OPTS = ("DATA.PSEUDO_CSV", "pseudo.csv", "TRAIN.STEPS_PER_EPOCH", "3", "SOLVER.MAX_EPOCH", "3", "TEST.ALSO", "[]")
INSIDE = ("TRAIN.SAVE_EVERY_MINUTES", "1e-6")


def parse() -> argparse.Namespace:
    """Return the command-line arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="few cases, under a minute")
    parser.add_argument("--only", choices=list(PARTS), nargs="+", default=list(PARTS), help="parts to run")
    parser.add_argument("--cases", type=int, help="number of cases of every part, instead of its own")
    parser.add_argument("--seed", type=int, default=0, help="of kills, damage and input (0)")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="keep the work of `graph` here and go on from it")
    parser.add_argument("--json", metavar="FILE", help="where the summary goes; default: standard output")
    return parser.parse_args()


class Ground:
    """What the parts share, made when it is first asked for: the tiny data, a server of runs, a calm run."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @functools.cached_property
    def data(self) -> Path:
        """The tiny data set."""
        return tiny.make_data(self.root / "data")

    @functools.cached_property
    def server(self) -> tiny.Server:
        """Starts runs."""
        return tiny.Server()

    @functools.cached_property
    def output(self) -> Path:
        """The folder of a calm run."""
        argv = ["OUTPUT_DIR", self.root / "calm", "DATA.PATH_PREFIX", self.data, *OPTS]
        if self.server.wait(self.server.start(self.root / "calm.log", argv)):
            raise RuntimeError((self.root / "calm.log").read_text())
        return self.root / "calm"

    def close(self) -> None:
        """End the server, if one was started."""
        if "server" in vars(self):
            self.server.close()


def run_graph(ground: Ground, root: Path, cases: int, seed: int) -> dict:
    """Kill the graph of jobs."""
    return kills.kill_graph(root, cases, seed)


def run_runs(ground: Ground, root: Path, cases: int, seed: int) -> dict:
    """Kill single runs."""
    return kills.kill_runs(root, ground.data, ground.server, cases, seed)


def run_files(ground: Ground, root: Path, cases: int, seed: int) -> dict:
    """Damage files."""
    return damage.damage_files(root, ground.output, ground.data, cases, seed)


def run_folders(ground: Ground, root: Path, cases: int, seed: int) -> dict:
    """Damage folders of runs."""
    expected = tiny.results(ground.output)
    return damage.damage_runs(root, ground.data, ground.server, expected, (*OPTS, *INSIDE), cases, seed)


def run_inputs(ground: Ground, root: Path, cases: int, seed: int) -> dict:
    """Read fuzzed input."""
    return fuzz.fuzz(root / "inputs", ground.data / "videos/train0.mp4", cases, seed)


def run_kinds(ground: Ground, root: Path, cases: int, seed: int) -> dict:
    """Odd names, folders, links, values, limits, pools, exports and answers."""
    return kinds.try_kinds(root, kinds.KINDS | commands.COMMANDS, cases, seed)


def run_part(name: str, ground: Ground, root: Path, cases: int, seed: int) -> dict:
    """Run one part in a folder of its own; returns its summary."""
    parts = {"graph": run_graph, "runs": run_runs, "files": run_files, "folders": run_folders, "inputs": run_inputs}
    parts["kinds"] = run_kinds
    root.mkdir(parents=True, exist_ok=True)
    begin, before = time.monotonic(), used_seconds(ground)
    summary = parts[name](ground, root, cases, seed)
    summary["seconds"] = round(time.monotonic() - begin, 1)
    summary["cpu_seconds"] = round(used_seconds(ground) - before, 1)
    return summary


def used_seconds(ground: Ground) -> float:
    """Processor seconds of this process, its finished children and the runs of the server."""
    own = sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (0, -1)))
    return own + (ground.server.seconds if "server" in vars(ground) else 0.0)


def main() -> int:
    """Run the parts, write the summary; 1 when something happened that must not."""
    args = parse()
    os.environ["OMP_NUM_THREADS"] = "1"
    summary: dict[str, dict] = {}
    # A stopped suite ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as stack:
        folder = args.work or stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos"))
        ground = Ground(Path(folder))
        for name in args.only:
            cases = args.cases or PARTS[name][args.short]
            if not cases:
                continue
            print(f"{name}: {cases} cases", file=sys.stderr, flush=True)
            summary[name] = run_part(name, ground, Path(folder) / name, cases, args.seed)
        ground.close()
    bad = [text for part in summary.values() for text in (*part.get("wrong", ()), *part.get("differing", ()))]
    text = json.dumps({"seed": args.seed, "bad": len(bad), "parts": summary}, indent=2)
    if args.json:
        Path(args.json).parent.mkdir(parents=True, exist_ok=True)
        Path(args.json).write_text(text + "\n")
    print(text if not args.json else f"{len(bad)} bad outcomes, summary in {args.json}")
    for line in bad[:20]:
        print(f"BAD {line}", file=sys.stderr)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
