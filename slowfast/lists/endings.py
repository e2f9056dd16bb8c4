"""Which files are videos: the one table of endings, and the search below a folder."""

import logging
import os
from collections import Counter
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


def find_files(folder: Path) -> list[Path]:
    """Return all files below a folder that have a video ending, sorted; links to folders are followed.

    What is left out because of its ending is told in one line of the log.

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
        for name in names:
            ending = Path(name).suffix.lower()
            if ending in ENDINGS and not name.startswith("."):
                found.append(Path(parent) / name)
            elif not name.startswith("."):
                others[ending or "none"] += 1
    if others:
        counts = ", ".join(f"{ending} ({count})" for ending, count in others.most_common(8))
        logger.warning("%s: %d files are left out because of their ending: %s", folder, others.total(), counts)
    if not found:
        raise InputError(f"{folder}: no video files ({', '.join(sorted(ENDINGS))}) are below this folder")
    return sorted(found)
