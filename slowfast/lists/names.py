"""Names of videos: when two of them are the same video."""

import posixpath
from collections.abc import Sequence

from slowfast.utils.errors import InputError


def video_key(name: str) -> str:
    """Return what two names of one video share: `./x.mp4` and `a/../x.mp4` are `x.mp4`."""
    return posixpath.normpath(name) if "/" in name or name.startswith(".") else name


def check_unique(names: Sequence[str], source: str) -> None:
    """Raise InputError when two of the names are the same video."""
    seen: dict[str, str] = {}
    for row, name in enumerate(names):
        key = video_key(name)
        if key in seen:
            same = "" if seen[key] == name else f" (there as {seen[key]!r})"
            raise InputError(
                f"{source}: the video {name!r} stands twice{same}, again in row {row + 1};"
                " remove one of them, because rows are joined by name"
            )
        seen[key] = name
