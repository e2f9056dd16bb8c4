#!/usr/bin/env bash
# Shows: exporting a video data set with its media writes `run/1.mp4` and `walk/1.mp4` to one file: the second clip is
#        gone without a word, and its item plays the first. Images of the same names are both kept.
# Versions: datumaro 1.13.12 (Python 3.11)
# Date: 2026-11-27
# Seen: videos/default holds 1.mp4 with the content of run/1.mp4; both items point to it. images/default holds
#       run_1.png and walk_1.png.
# Guess: the exporter names images after the item's id and videos after the base name of their file, and does not write
#        a file that is there already.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet datumaro==1.13.12
cat > show.py <<'PYTHON'
import pathlib

import numpy as np
from datumaro.components.annotation import Label
from datumaro.components.dataset import Dataset
from datumaro.components.dataset_base import DatasetItem
from datumaro.components.media import Image, Video

classes = ["run", "walk"]
videos, images = [], []
for number, name in enumerate(classes):
    path = pathlib.Path("source", name, "1.mp4")
    path.parent.mkdir(parents=True)
    path.write_text(f"stands for a clip of {name}")
    videos.append(DatasetItem(f"{name}/1", media=Video(str(path)), annotations=[Label(number)]))
    picture = Image.from_numpy(np.full((4, 4, 3), number, np.uint8), ext=".png")
    images.append(DatasetItem(f"{name}/1", media=picture, annotations=[Label(number)]))
for items, kind, target in ((videos, Video, "v"), (images, Image, "i")):
    Dataset.from_iterable(items, categories=classes, media_type=kind).export(target, "datumaro", save_media=True)
clips = {item.id: pathlib.Path(item.media.path).read_text() for item in Dataset.import_from("v", "datumaro")}
files = sorted(path.name for path in pathlib.Path("v").rglob("*.mp4"))
pictures = sorted(path.as_posix() for path in pathlib.Path("i").rglob("*.png"))
print("clips:", clips, files, "pictures:", pictures, sep="\n  ")
same = clips == {"run/1": "stands for a clip of run", "walk/1": "stands for a clip of run"}
raise SystemExit(0 if same and files == ["1.mp4"] and len(pictures) == 2 else "the behaviour has changed")
PYTHON
venv/bin/python show.py
