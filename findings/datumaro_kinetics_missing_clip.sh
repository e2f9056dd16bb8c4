#!/usr/bin/env bash
# Shows: reading a list of Kinetics of which a clip was not downloaded, its item silently gets the file of another clip
#        whose name contains its own: `b` (walking) plays abc.mp4 (running). Without such a file it has no media.
# Versions: datumaro 1.13.12 (Python 3.11)
# Date: 2026-11-27
# Seen: item b, label walking, media train/abc.mp4; item x, label walking, media None.
# Guess: files are found by `rfind` of the name, meant for names that carry times behind (b_000000_000010.mp4), and the
#        first file that holds the name anywhere is taken. Names on YouTube are long, names of one's own clips are not.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet datumaro==1.13.12
mkdir -p data/train
echo "stands for a clip" > data/train/abc.mp4
printf 'label,youtube_id,time_start,time_end,split\nrunning,abc,0,10,train\nwalking,b,0,10,train\nwalking,x,0,10,train\n' \
    > data/train.csv
cat > show.py <<'PYTHON'
from pathlib import Path

from datumaro.components.dataset import Dataset

found = {item.id: item.media and Path(item.media.path).name for item in Dataset.import_from("data", "kinetics")}
print(found)
raise SystemExit(0 if found == {"abc": "abc.mp4", "b": "abc.mp4", "x": None} else "the behaviour has changed")
PYTHON
venv/bin/python show.py
