"""Which files are videos: the one table of endings, and the search below a folder."""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from slowfast.utils.errors import InputError

logger = logging.getLogger(__name__)

# Endings of files that are taken for videos when a folder is searched; the container is found from the content.
ENDINGS = frozenset(
    (
        ".264 .265 .3g2 .3gp .asf .avi .divx .dv .f4v .flv .gif .h264 .h265 .hevc .ivf .m1v .m2ts .m2v .m4v .mjpeg"
        " .mjpg .mkv .mov .mp4 .mpe .mpeg .mpg .mpv .mts .mxf .nut .ogm .ogv .qt .rm .rmvb .ts .vob .webm .wmv .y4m"
    ).split()
)

# Holds the frame rate of folders of images.
RATE_FILE = "fps.txt"
# Images that make a video when they are numbered and lie in a folder of their own.
_IMAGE = re.compile(r"^(.*?)(\d{1,9})(\.(?:jpe?g|png|bmp|webp))$", re.IGNORECASE)


def numbered_images(names: Iterable[str]) -> dict[int, str]:
    """Return number -> name of the images of one folder by rising number; of several series `img...`, else the longest.

    A series has one text before its numbers and one ending.
    """
    series: dict[tuple[str, str], dict[int, str]] = {}
    for name in sorted(names):
        match = _IMAGE.match(name) if not name.startswith(".") else None
        if match:
            series.setdefault((match[1], match[3]), {}).setdefault(int(match[2]), name)
    best = max(series.items(), key=lambda entry: (entry[0][0].startswith("img"), len(entry[1])), default=(0, {}))[1]
    return dict(sorted(best.items()))


def find_files(folder: Path) -> list[Path]:
    """Return all files below a folder that have a video ending, sorted; links to folders are followed.

    A folder that holds two or more numbered images and no video is a video as well. What is left out because of its
    ending is told in one line of the log.

    Raises:
        InputError: when there is none.
    """
    found: list[Path] = []
    others: Counter[str] = Counter()
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(parent))
        # A link that leads back to a folder that has been searched would never end.
        folders[:] = [name for name in sorted(folders) if os.path.realpath(os.path.join(parent, name)) not in seen]
        if len(numbered_images(names)) > 1 and not any(Path(name).suffix.lower() in ENDINGS for name in names):
            found.append(Path(parent))
            continue
        for name in names:
            ending = Path(name).suffix.lower()
            if ending in ENDINGS and not name.startswith("."):
                found.append(Path(parent) / name)
            elif not name.startswith(".") and name != RATE_FILE:
                others[ending or "none"] += 1
    if others:
        counts = ", ".join(f"{ending} ({count})" for ending, count in others.most_common(8))
        logger.warning("%s: %d files are left out because of their ending: %s", folder, others.total(), counts)
    if not found:
        raise InputError(f"{folder}: no video files ({', '.join(sorted(ENDINGS))}) are below this folder")
    return sorted(found)
