#!/usr/bin/env bash
# Shows: in a video (or image) folder, a test split whose label cells are all empty makes the training split unloadable
#        too, also when only the training split is asked for; so does a split whose scores happen to be whole numbers.
# Versions: datasets 5.2.0 (Python 3.11)
# Date: 2026-11-27
# Seen: ValueError "Metadata files ... have different features" for both; one row with a label, or 1.0 for 1, loads.
# Guess: types of columns are guessed for each metadata file alone (all empty: null; 1 and 2: int64), and must be equal
#        over all splits before any split is made.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet datasets==5.2.0
export HF_HOME="$work/home" HF_HUB_OFFLINE=1
cat > show.py <<'PYTHON'
from pathlib import Path

from datasets import load_dataset


def loads(name, train, test):
    """Whether the training split can be loaded."""
    for split, rows in (("train", train), ("test", test)):
        folder = Path(name, split)
        folder.mkdir(parents=True)
        lines = [f"{number}.mp4,{row}" for number, row in enumerate(rows)]
        for number in range(len(rows)):
            (folder / f"{number}.mp4").write_text("stands for a clip")
        (folder / "metadata.csv").write_text("\n".join(["file_name,label,score", *lines, ""]))
    try:
        return len(load_dataset("videofolder", data_dir=name, split="train")) == len(train)
    except ValueError as error:
        print(name, error.args[0][:110], sep=": ")
        return False


train = ["walk,0.5", "run,0.75"]
seen = [
    loads("labels", train, ["walk,0.5", ",0.25"]),
    loads("no_labels", train, [",0.5", ",0.25"]),
    loads("fractions", train, ["walk,1.0", "run,2.5"]),
    loads("whole_numbers", train, ["walk,1", "run,2"]),
]
print(seen)
raise SystemExit(0 if seen == [True, False, True, False] else "the behaviour has changed")
PYTHON
venv/bin/python show.py
