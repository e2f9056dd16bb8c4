"""Random changes and kills of the schedule in miniature: its end must be that of a schedule made from nothing."""

import random
import shutil
from collections.abc import Mapping
from pathlib import Path

import kills
import yaml

COVERAGES, RATES = (0.5, 0.6, 0.8), (1e-3, 2e-3, 4e-3)


def write_schedule(root: Path, coverage: float = 0.6, rate: float = RATES[0]) -> None:
    """Write the schedule of a folder."""
    schedule = yaml.safe_load((kills.HERE / "pipeline.yaml").read_text())
    schedule["coverage"][0] = coverage
    schedule["train"] = schedule["train"].replace("{opts}", f"SOLVER.BASE_LR {rate} {{opts}}")
    root.mkdir(parents=True, exist_ok=True)
    (root / "pipeline.yaml").write_text(yaml.safe_dump(schedule))


def change(root: Path, rng: random.Random) -> str:
    """Change something that the schedule is made from, or only seems to be; return what."""
    data = root / "data"
    what = rng.choice(("coverage", "rate", "label", "clip", "prediction gone", "prediction copied", "time"))
    if what == "coverage":
        write_schedule(root, coverage=rng.choice(COVERAGES))
    elif what == "rate":
        write_schedule(root, rate=rng.choice(RATES))
    elif what == "label":
        rows = (data / "train.csv").read_text().splitlines()
        place = rng.randrange(len(rows))
        rows[place] = f"{rows[place].rsplit(',', 1)[0]},{rng.randrange(11)}"
        (data / "train.csv").write_text("\n".join(rows) + "\n")
    elif what == "clip":
        one, two = rng.sample(sorted((data / "videos").glob("[tdp]*.mp4")), 2)
        shutil.copy(one, two)
    elif what == "prediction gone":
        for path in rng.sample(sorted(root.glob("out/exp_*/*/*.pkl")) or [root / "none"], 1):
            path.unlink(missing_ok=True)
    elif what == "prediction copied":
        found = sorted(root.glob("out/exp_*/*/total_unlabelx*.pkl"))
        for one, two in [rng.sample(found, 2)] if len(found) > 1 else []:
            shutil.copy(one, two)
    else:
        for path in data.rglob("*.*"):
            path.touch()
    return what


def run_sequence(work: Path, seed: int, seconds: float, warm: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Change, run and kill a few times, then let it end.

    Args:
        work: a folder for it.
        seed: of changes and moments.
        seconds: that a whole run takes.
        warm: the environment below a process from which jobs fork; every tenth schedule from nothing does without.

    Returns:
        What was done, and the artefacts that differ from those of a schedule from nothing.
    """
    rng, root, done = random.Random(seed), work / "changed", []
    warm_or_not = warm if seed % 10 else None
    write_schedule(root)
    kills.make_data(root / "data")
    for _ in range(rng.randint(2, 4)):
        done.append(kills.run_for(root, rng.uniform(0.2, 1.2) * seconds, rng, warm))
        done.append(change(root, rng))
    done.append(kills.run_for(root, kills.LIMIT_SECONDS, rng, warm))
    shutil.copytree(root / "data", work / "fresh/data", ignore=shutil.ignore_patterns("pseudo"))
    shutil.copy(root / "pipeline.yaml", work / "fresh")
    done.append(kills.run_for(work / "fresh", kills.LIMIT_SECONDS, rng, warm_or_not))
    assert done[-2:] == ["whole", "whole"], (root / "log").read_text()[-4000:]
    made, fresh = kills.artefacts(root), kills.artefacts(work / "fresh")
    return done, sorted(name for name in {*made, *fresh} if made.get(name) != fresh.get(name))
