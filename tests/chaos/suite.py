"""The chaos suite in one command: random kills, random damage, fuzzed input; a summary as JSON.

python tests/chaos/suite.py --json output/chaos.json      the whole suite
python tests/chaos/suite.py --short                       the part that `make test` runs
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE), str(HERE.parent / "engine")]

import damage
import fuzz
import kills
import tiny

# Part: cases of the whole suite and of the short form.
PARTS = {"graph": (30, 0), "runs": (20, 3), "files": (400, 45), "folders": (30, 2), "inputs": (2400, 160)}
OPTS = ("DATA.PSEUDO_CSV", "pseudo.csv", "TRAIN.STEPS_PER_EPOCH", "3", "SOLVER.MAX_EPOCH", "3", "TEST.ALSO", "[]")
INSIDE = ("TRAIN.SAVE_EVERY_MINUTES", "1e-6")


def parse() -> argparse.Namespace:
    """Return the command-line arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="few cases, under a minute")
    parser.add_argument("--only", choices=list(PARTS), nargs="+", default=list(PARTS), help="parts to run")
    parser.add_argument("--cases", type=int, help="number of cases of every part, instead of its own")
    parser.add_argument("--seed", type=int, default=0, help="of kills, damage and input (0)")
    parser.add_argument("--json", metavar="FILE", help="where the summary goes; default: standard output")
    return parser.parse_args()


def run_files(root: Path, cases: int, seed: int) -> dict:
    """Damage files."""
    data, output, server = calm_run(root)
    server.close()
    return damage.damage_files(root / "files", output, data, cases, seed)


def run_folders(root: Path, cases: int, seed: int) -> dict:
    """Damage folders of runs."""
    data, output, server = calm_run(root)
    result = damage.damage_runs(root, data, server, tiny.results(output), (*OPTS, *INSIDE), cases, seed)
    server.close()
    return result


def calm_run(root: Path) -> tuple[Path, Path, tiny.Server]:
    """Return the data, the output of a calm run, and the server that made it."""
    data, server = tiny.make_data(root / "data"), tiny.Server()
    argv = ["OUTPUT_DIR", root / "calm", "DATA.PATH_PREFIX", data, *OPTS]
    status = server.wait(server.start(root / "calm.log", argv))
    if status:
        raise RuntimeError((root / "calm.log").read_text())
    return data, root / "calm", server


def run_inputs(root: Path, cases: int, seed: int) -> dict:
    """Read fuzzed input."""
    data = tiny.make_data(root / "data")
    return fuzz.fuzz(root / "inputs", data / "videos/train0.mp4", cases, seed)


def run_part(name: str, root: Path, cases: int, seed: int) -> dict:
    """Run one part in a folder of its own; returns its summary."""
    parts = {
        "graph": kills.kill_graph,
        "runs": kills.kill_runs,
        "files": run_files,
        "folders": run_folders,
        "inputs": run_inputs,
    }
    root.mkdir()
    begin, before = time.monotonic(), used_seconds()
    summary = parts[name](root, cases, seed)
    summary["seconds"] = round(time.monotonic() - begin, 1)
    summary["cpu_seconds"] = round(used_seconds() - before, 1)
    return summary


def used_seconds() -> float:
    """Processor seconds of this process and its finished children."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (0, -1)))


def main() -> int:
    """Run the parts, write the summary; 1 when something happened that must not."""
    args = parse()
    os.environ["OMP_NUM_THREADS"] = "1"
    summary: dict[str, dict] = {}
    with tempfile.TemporaryDirectory(prefix="chaos") as folder:
        for name in args.only:
            cases = args.cases or PARTS[name][args.short]
            if not cases:
                continue
            print(f"{name}: {cases} cases", file=sys.stderr, flush=True)
            summary[name] = run_part(name, Path(folder) / name, cases, args.seed)
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
