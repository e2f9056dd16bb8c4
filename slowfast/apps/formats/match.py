"""Names of an export and the files that are there: upload prefixes, percent signs, blanks, folders, endings."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from slowfast.apps.formats.clip import Clip, Segment

_UPLOAD = re.compile(r"^[0-9a-f]{8}-(?=.)")
_KINETICS_TIMES = re.compile(r"^(.+)_(\d{6})_(\d{6})$")


def name_of_url(text: str) -> str:
    """Return the path that a URL, a storage address or Label Studio's local-files address names, decoded."""
    parts = urlsplit(text)
    if parts.path.endswith("/local-files/") and "d" in parse_qs(parts.query):
        return parse_qs(parts.query)["d"][0].lstrip("/")
    if parts.scheme and parts.netloc:
        return unquote(parts.path).lstrip("/")
    return text


def split_times(stem: str) -> tuple[str, Segment | None]:
    """Return name and segment of `NAME_000010_000020`, as clips of Kinetics are called."""
    match = _KINETICS_TIMES.match(stem)
    return (match[1], Segment(float(match[2]), float(match[3]), "seconds")) if match else (stem, None)


class Files:
    """The files below a folder, found by what an export calls them.

    Args:
        names: relative to the folder.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)
        self._by_key: list[dict[str, list[str]]] = [{} for _ in range(4)]
        for name in self.names:
            for table, key in zip(self._by_key, _keys(name)):
                table.setdefault(key, []).append(name)

    def is_trimmed(self, clip: Clip) -> bool:
        """Return whether a file carries the seconds of the clip's segment in its name."""
        return len(self._with_times(clip)) == 1

    def _with_times(self, clip: Clip) -> list[str]:
        """Return the files called like the clip with its seconds behind."""
        if clip.segment is None or clip.segment.unit == "frames":
            return []
        stem = _keys(clip.name)[2]
        return self._by_key[2].get(f"{stem}_{int(clip.segment.start):06d}_{int(clip.segment.end):06d}", [])

    def find(self, clip: Clip) -> list[str]:
        """Return the files that a clip can be: none, one, or several that nothing tells apart.

        The first of these that finds any file counts: the whole path; its end; the name with the seconds of its
        segment; the name without ending; and, of names without folders or with those of another place (uploads,
        absolute paths), the file name; the name as Label Studio writes uploads, with and without its prefix.
        Of several files those in a folder called like the subset count.
        """
        for found in self._attempts(clip):
            inside = [name for name in found if clip.subset in PurePosixPath(name).parts]
            if found:
                return sorted(set(inside or found))
        return []

    def _attempts(self, clip: Clip) -> Iterator[list[str]]:
        """Yield the files found by one rule after the other."""
        name = clip.name.replace("\\", "/")
        path, base, stem, loose = self._by_key
        wanted_path, wanted_base, wanted_stem, _ = _keys(name)
        yield path.get(wanted_path, [])
        yield [there for there in base.get(wanted_base, []) if _ends_alike(there, name)]
        yield self._with_times(clip)
        yield [there for there in stem.get(wanted_stem, []) if _same_folders(there, name)]
        if "/" in name and not name.startswith("/"):
            return
        # Uploads and absolute names tell nothing of the folders here.
        yield base.get(wanted_base, [])
        yield loose.get(_loose(name), [])
        yield loose.get(_loose(_UPLOAD.sub("", wanted_base)), [])


def _keys(name: str) -> tuple[str, str, str, str]:
    """Return the keys of a name: path, file name, file name without ending, as an upload is written."""
    pure = PurePosixPath(os.path.normpath(name))
    stem = pure.name[: -len(pure.suffix)] if pure.suffix and not pure.suffix[1:].isdigit() else pure.name
    return str(pure), pure.name, stem, _loose(name)


def _loose(name: str) -> str:
    """Return a file name as a web upload keeps it: blanks to underscores, letters, digits, `-_.` only."""
    return re.sub(r"[^-\w.]", "", PurePosixPath(name).name.strip().replace(" ", "_"))


def _ends_alike(there: str, name: str) -> bool:
    """Return whether the shorter path is the end of the longer one."""
    one, other = PurePosixPath(there).parts, PurePosixPath(name).parts
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]


def _same_folders(there: str, name: str) -> bool:
    """Return whether two paths without endings are alike as far as both have folders."""
    return _ends_alike(str(PurePosixPath(there).parent), str(PurePosixPath(name).parent)) or "/" not in name


def resolve(clips: Iterable[Clip], files: Files, told: Counter[str]) -> list[tuple[str, Clip]]:
    """Return (file, clip) of the clips whose file is there; what is missing, ambiguous or without a row is told."""
    found, used = [], set()
    missing, ambiguous, moved = [], [], []
    for clip in clips:
        there = files.find(clip)
        used |= set(there)
        if len(there) == 1:
            found.append((there[0], clip))
            elsewhere = (
                clip.name.startswith("/") and "/upload/" not in clip.name and not _ends_alike(there[0], clip.name)
            )
            moved += [clip.name] if elsewhere else []
        else:
            (ambiguous if there else missing).append(clip.name)
    _tell(told, moved, "clips found by their file name alone, in another folder")
    _tell(told, missing, "rows whose clip is not there")
    _tell(told, ambiguous, "rows that fit several clips, left out")
    _tell(told, [name for name in files.names if name not in used], "clips that have no row")
    return found


def _tell(told: Counter[str], names: list[str], what: str) -> None:
    """Tell a count with the first names."""
    if names:
        more = ", ..." if len(names) > 3 else ""
        told[f"{what} ({', '.join(names[:3])}{more})"] += len(names)
