"""Which videos: those of a view below a folder, each with its place in the output, shared out over processes."""

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slowfast.lists.endings import find_files
from slowfast.utils.errors import InputError
from slowfast.utils.files import fitting_name, printable

# Names listed in a message.
_NAMED = 8


@dataclass(frozen=True)
class VideoFile:
    """One video of a view.

    Args:
        name: path below the video folder, with forward slashes; its identity in the index.
        path: the file.
        output: `<output folder>/<parent folder>/<name>.npz`.
        twin: name of an earlier video with the same output, empty for none.
        folder: the video folder.
    """

    name: str
    path: Path
    output: Path
    twin: str = ""
    folder: Path | None = None


def find_videos(folder: str | Path, output: str | Path, view: str = "") -> list[VideoFile]:
    """Return the videos whose file name starts with a view, sorted by name.

    Args:
        folder: searched at any depth, through links too.
        output: where features go.
        view: start of the file names, upper or lower case; empty: every video.

    Raises:
        InputError: when the folder does not exist or holds no video of the view.
    """
    folder, output = Path(folder), Path(output)
    if not folder.is_dir():
        raise InputError(f"--video-dir {folder} is no folder; check the path")
    paths = sorted(find_files(folder), key=lambda path: path.relative_to(folder).as_posix())
    chosen = [path for path in paths if _plain(path.name).startswith(_plain(view))]
    if not chosen:
        raise InputError(_nothing(folder, view, paths))
    videos: list[VideoFile] = []
    owners: dict[Path, str] = {}
    for path in chosen:
        name = printable(path.relative_to(folder).as_posix())
        target = output / Path(os.path.abspath(path)).parent.name / fitting_name(path.stem, ".npz")
        videos.append(VideoFile(name, path, target, owners.get(target, ""), folder))
        owners.setdefault(target, name)
    return videos


def share_of(videos: Sequence[VideoFile], shard: int, num_shards: int) -> list[VideoFile]:
    """Return every `num_shards`-th video, beginning with number `shard`."""
    return list(videos[shard % num_shards :: num_shards])


def parse_shard(text: str) -> tuple[int, int]:
    """Return (shard from 0, number of shards) of `I/N`; I counts from 1 to N, 0 to N - 1 works as well.

    Raises:
        InputError: when the text has another form or I is larger than N.
    """
    first, found, second = text.partition("/")
    if not (found and first.isdecimal() and second.isdecimal() and 0 <= int(first) <= int(second) >= 1):
        raise InputError(f"--shard is {text!r}, I/N with I from 1 to N is needed, like 2/4")
    return int(first) % int(second), int(second)


def _plain(name: str) -> str:
    """Return a name in lower case and in one Unicode form."""
    return unicodedata.normalize("NFC", name.lower())


def _nothing(folder: Path, view: str, paths: Sequence[Path]) -> str:
    """Return the sentence about a folder without a video of the view."""
    names = [path.name for path in paths[:_NAMED]]
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return f"no video below {folder} has a name that starts with --view {view!r}; there are {', '.join(names)}{more}"
