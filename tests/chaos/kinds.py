"""Odd names, folders, links, values and limits: each case has one right outcome, found without the library."""

import errno
import os
import random
import shutil
import subprocess
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from slowfast.ensemble.pool import table_rows
from slowfast.features.store import Features, load_features, save_features
from slowfast.lists.tables import read_table
from slowfast.utils.errors import InputError
from slowfast.utils.files import aside_prefix, printable, visible, write_text
from slowfast.utils.limits import explain_limit
from slowfast.utils.lock import refuse_links

REPO = Path(__file__).resolve().parents[2]
PIECES = (
    " ", "'", '"', "$(touch m)", "`touch m`", ";touch m;", "{x}", "{{", "&", "|", "*", "?", "[a]", "#", "%s", "~", "-",
    "\t", "\u00e9", "e\u0301", "\u8dd1", "\u202e", "\x1b[31m", "\\", "a", "b1", "\udcff",
)  # fmt: skip
WRITTEN = (".lock", "stdout.log", "metrics.jsonl", "checkpoints", "tensorboard")
VALUES = ("0.5", "nan", "inf", "-0.1", "1e999", "", "x", "0", "1", "-0", "0x1", "٣", "1e-400", "True")


def odd_name(rng: random.Random, longest: int = 12) -> str:
    """A file name of odd pieces."""
    name = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, longest)))
    return name if name.strip(". ") else f"{name}x"


def name_case(rng: random.Random, work: Path) -> str:
    """Line 8: a file of any name is written whole, and its name can be shown."""
    name = odd_name(rng) if rng.random() < 0.6 else odd_name(rng, 3) + "n" * rng.randint(200, 235)
    write_text(work / name, "whole")
    shown = visible(printable(name))
    shown.encode("utf-8")
    if [path.name for path in work.iterdir()] != [name] or any(ord(letter) < 32 and letter != "\t" for letter in shown):
        return f"{name!r}: {os.listdir(work)}, shown {shown!r}"
    return ""


def folder_case(rng: random.Random, work: Path) -> str:
    """Line 9: an experiment in a folder of any name gets the values as they are, and nothing of them is run."""
    root = work / odd_name(rng)
    for script in ("tools/launch.sh", "exp_experts/mvit_b32_k600/run.sh"):
        (root / script).parent.mkdir(parents=True, exist_ok=True)
        found = next((REPO / script).parents[1].glob("*/run.sh")) if script.endswith("run.sh") else REPO / script
        shutil.copy(found, root / script)
    (root / ".venv/bin").mkdir(parents=True)
    (root / ".venv/bin/python").write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    (root / ".venv/bin/python").chmod(0o755)
    value = odd_name(rng)
    command = ["bash", root / "exp_experts/mvit_b32_k600/run.sh", "OUTPUT_DIR", value]
    done = subprocess.run(command, cwd=work, capture_output=True, env=os.environ | {"NPROC": "1"}, timeout=20)
    words = [os.fsdecode(word) for word in done.stdout.split(b"\0")[:-1]]
    expected = [str(root / "tools/run_net.py"), "--cfg", str(root / "exp_experts/mvit_b32_k600/config.yaml")]
    if words != [*expected, "OUTPUT_DIR", value] or list(work.rglob("m")):
        return f"{root.name!r} {value!r}: {words} {done.stderr[-300:]!r}"
    return ""


def feature_case(rng: random.Random, work: Path) -> str:
    """Line 10: features with odd values are read as finite times and numbers, or refused."""
    rows = np.arange(3)
    sound = Features(
        feats=np.ones((3, 4), np.float32), probs=np.full((3, 2), 0.5, np.float32), start_frame=rows,
        end_frame=rows + 15, start_time=rows / 8.0, end_time=rows / 4.0, fps=8.0, source_fps=8.0, stride=1,
        window=16, num_frames=18, problems="", settings="{}",
    )  # fmt: skip
    save_features(work / "a.npz", sound)
    with np.load(work / "a.npz") as arrays:
        content = dict(arrays)
    for key in rng.sample(sorted(content), rng.randint(0, 2)):
        odd = [
            np.nan,
            np.inf,
            -1,
            "text",
            b"\xff",
            np.array([]),
            np.array([[1]]),
            "[" * 5000,
            2**62,
            np.array(["a"] * 3),
        ]
        content[key] = rng.choice(odd)
    np.savez(work / "a.npz", **content)
    made = load_features(work / "a.npz")
    numbers = [made.fps, *np.ravel(made.start_time), *np.ravel(made.end_time)]
    return "" if np.isfinite(np.array(numbers, float)).all() else f"{content}: {numbers}"


def table_case(rng: random.Random, work: Path) -> str:
    """Line 5: rows of odd probabilities count as probabilities, as unknown, or are refused."""
    lines = [
        f"v{rng.randint(0, 4)}.mp4,{rng.randint(-1, 3)}," + ",".join(rng.choice(VALUES) for _ in range(3))
        for _ in range(rng.randint(1, 5))
    ]
    (work / "a.csv").write_text("\n".join(lines) + "\n")
    rows_NK = table_rows(read_table(work / "a.csv"), [f"v{number}.mp4" for number in range(5)])
    known = ~np.isnan(rows_NK).any(axis=1)
    sound = (rows_NK[known] >= 0).all() and np.allclose(rows_NK[known].sum(axis=1), 1)
    return "" if sound else f"{lines}: {rows_NK.tolist()}"


def link_case(rng: random.Random, work: Path) -> str:
    """Line 11: a run folder is refused exactly when something in it leads out of it."""
    (work / "outside").mkdir()
    run, wrong = work / "run", []
    run.mkdir()
    for name in rng.sample(WRITTEN, rng.randint(1, 3)):
        is_folder, kind = name in WRITTEN[3:], rng.choice(["own", "link", "dangling", "pipe", "other"])
        if kind in ("link", "dangling"):
            (run / name).symlink_to(work / ("outside" if kind == "link" else "nothing"))
        elif kind == "pipe":
            os.mkfifo(run / name)
        elif is_folder == (kind == "own"):
            (run / name).mkdir()
        else:
            (run / name).touch()
        wrong += [name] if kind != "own" else []
    try:
        refuse_links(run)
    except InputError as error:
        return "" if wrong and all(str(run / name) in str(error) for name in wrong) else f"{wrong}: {error}"
    return f"{wrong} were taken" if wrong else ""


def limit_case(rng: random.Random, work: Path) -> str:
    """Line 14: leftovers of the same file go and nothing else; limits of the machine are told from other failures."""
    name = odd_name(rng, 4)
    mine = [f"{aside_prefix(Path(name))}{rng.randint(1, 2**22)}.tmp" for _ in range(rng.randint(1, 3))]
    others = [f".{name}x.7.tmp", f"{name}.7.tmp", f".{name}.tmp", f".{name}.7.tmpx"]
    for left in (*mine, *others):
        (work / left).write_text("half")
    write_text(work / name, "whole")
    if sorted(os.listdir(work)) != sorted([name, *others]):
        return f"{name!r}: {sorted(os.listdir(work))}"
    number = rng.choice([errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EACCES, errno.EIO])
    told = explain_limit(OSError(number, os.strerror(number), str(work)), starting=rng.random() < 0.5)
    return "" if bool(told) == (number in (errno.EMFILE, errno.ENFILE)) else f"{number}: {told!r}"


KINDS: dict[str, Callable[[random.Random, Path], str]] = {
    "names": name_case, "folders": folder_case, "features": feature_case, "tables": table_case, "links": link_case,
    "limits": limit_case,
}  # fmt: skip


def try_kinds(
    root: Path, kinds: dict[str, Callable[[random.Random, Path], str]], cases: int, seed: int
) -> dict[str, object]:
    """Try cases of every kind in turn; an `InputError` is an answer, anything else that is raised is not.

    Args:
        root: working folder.
        kinds: from (random numbers, folder of the case) to what is wrong, empty for nothing.
        cases: number of them.
        seed: of the cases.

    Returns:
        Counts by kind and outcome, and what must not happen.
    """
    counts: dict[str, Counter[str]] = {name: Counter() for name in kinds}
    wrong = []
    for case in range(cases):
        name = list(kinds)[case % len(kinds)]
        work = root / f"case{case}"  # what this process has seen of a folder is remembered
        work.mkdir(parents=True)
        try:
            text = kinds[name](random.Random(f"{seed} {case}"), work)
            counts[name]["right" if not text else "wrong"] += 1
        except InputError as error:
            text = "" if "\n" not in str(error) and len(str(error)) < 4000 else f"a message {str(error)[:200]!r}"
            counts[name]["refused"] += 1
        except BaseException:
            text = traceback.format_exc()[-1200:]
            counts[name]["crash"] += 1
        wrong += [f"{name} case {case}: {text}"] if text else []
        shutil.rmtree(work)
    return {"cases": cases, "outcomes": {name: dict(count) for name, count in counts.items()}, "wrong": wrong}
