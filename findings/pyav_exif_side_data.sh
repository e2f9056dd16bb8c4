#!/usr/bin/env bash
# Shows: with PyAV 18.1 the frame of any JPEG, PNG or WebP that carries EXIF (a camera's, for example) has side data that
#   cannot be asked for at all: the new kind of FFmpeg 8 has no name in PyAV, and one unknown kind makes the whole of
#   frame.side_data raise, so the turn of such an image, and everything else in there, is out of reach.
# Versions: av 18.1.0 (FFmpeg 8 inside), pillow 12.0.0
# Date: 2026-11-28
# Seen: without EXIF: 0 entries; with EXIF: "ValueError: 31 is not a valid Type"
# Guess: an entry of an unknown kind that can be skipped, or the rotation as DISPLAYMATRIX
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 pillow==12.0.0 numpy==2.3.5
cat > "$folder/ask.py" <<'PY'
import sys

import av
from PIL import Image

folder = sys.argv[1]
picture, exif = Image.new("RGB", (32, 16), (200, 10, 10)), Image.Exif()
exif[0x0112] = 6  # turned by 90 degrees
picture.save(f"{folder}/plain.jpg")
picture.save(f"{folder}/turned.jpg", exif=exif)
found = {}
for name in ("plain", "turned"):
    with av.open(f"{folder}/{name}.jpg") as container:
        frame = next(container.decode(video=0))
        try:
            found[name] = f"{len(list(frame.side_data))} entries"
        except ValueError as error:
            found[name] = f"ValueError: {error}"
    print(name, found[name])
assert found == {"plain": "0 entries", "turned": "ValueError: 31 is not a valid Type"}, found
PY
"$folder/venv/bin/python" "$folder/ask.py" "$folder"
