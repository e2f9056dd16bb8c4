"""What every format is turned into: clips with labels, and the sentences on what was left out."""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slowfast.utils.errors import InputError

Label = str | int
# Folders of these names are splits, when all folders beside them are.
SPLITS = frozenset("train training validation validate valid val dev test testing eval evaluation".split())


@dataclass(frozen=True)
class Segment:
    """A part of a clip.

    Args:
        start: first frame, counted from 0 over the frames of the file; or seconds.
        end: last frame, included; or seconds.
        unit: `frames` or `seconds`.
    """

    start: float
    end: float
    unit: str


@dataclass(frozen=True)
class Clip:
    """One labelled clip.

    Args:
        name: the video as the source has it, `/` between folders.
        labels: texts, or numbers of classes; empty without a label.
        segment: the part that the labels are about, None for the whole clip.
        subset: name of the split, empty where there is none.
        score: confidence of a label that no person gave.
    """

    name: str
    labels: tuple[Label, ...] = ()
    segment: Segment | None = None
    subset: str = ""
    score: float | None = None


@dataclass
class Export:
    """What a source holds.

    Attributes:
        clips: in the order of the source.
        classes: their names in the order of their numbers, empty where the source has no order.
        told: what was left out or has to be known, with counts.
    """

    clips: list[Clip] = field(default_factory=list)
    classes: tuple[str, ...] = ()
    told: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Options:
    """What a format cannot tell, from the command line.

    Args:
        classes: names of the classes in the order of their numbers.
        label: where the label stands: a control, an attribute, a column or a field.
        video_key: the field or column that names the video.
        video_name: the video of an export that names none.
        delimiter: between the columns of a list.
        multi_class: rows hold several labels.
        with_offset: rows hold an offset.
        fps: frame rate that frames of a timeline count at.
        url_prefix: written before the names of videos.
        model_version: of predictions; without it labels are written as a person's.
        videos: folder of the clips.
    """

    classes: tuple[str, ...] = ()
    label: str = ""
    video_key: str = ""
    video_name: str = ""
    delimiter: str = " "
    multi_class: bool = False
    with_offset: bool = False
    fps: float = 0.0
    url_prefix: str = ""
    model_version: str = ""
    videos: Path | None = None


def majority(opinions: Sequence[tuple[Label, ...]]) -> tuple[Label, ...] | None:
    """Return the labels that most opinions have, None on a tie; the order of several labels does not count."""
    counts = Counter(tuple(sorted(set(opinion), key=str)) for opinion in opinions).most_common(2)
    tie = len(counts) == 2 and counts[0][1] == counts[1][1]
    return None if tie or not counts else counts[0][0]


def voted(clips: Iterable[Clip], told: Counter[str]) -> list[Clip]:
    """Return one clip for those of the same name, split and segment, labelled by majority; a tie has no label."""
    groups: dict[tuple[str, str, Segment | None], list[Clip]] = {}
    for clip in clips:
        groups.setdefault((clip.name, clip.subset, clip.segment), []).append(clip)
    done = []
    for group in groups.values():
        if len(group) == 1:
            done.append(group[0])
            continue
        opinions = [clip.labels for clip in group if clip.labels]
        labels = majority(opinions)
        told["clips with several opinions: the majority counts"] += 1
        told["clips without a majority (a tie), left without a label"] += bool(opinions) and labels is None
        first = group[0]
        score = first.score if labels == first.labels else None
        done.append(Clip(first.name, labels or (), first.segment, first.subset, score))
    return done


def choose(option: str, wanted: str, there: Sequence[str], what: str, source: Path) -> str:
    """Return the one that is wanted, or the only one there is.

    Args:
        option: of the command line.
        wanted: what the user gave, or nothing.
        there: what the source has.
        what: they are, in words.
        source: for the message.

    Raises:
        InputError: there are several and none was given, or the given one is not there.
    """
    names = sorted(set(there))
    if wanted in names or (not wanted and len(names) == 1):
        return wanted or names[0]
    missing = f"no {what} {wanted!r} is there" if wanted else f"it has several or none of: {what}"
    raise InputError(f"{source}: {missing}; say which with {option} ({', '.join(names[:12]) or 'none found'})")


def link_clip(place: Path, clip: Path) -> None:
    """Make a link to a clip, whose folder is made when missing.

    A hard link where the disk can: datumaro refuses symbolic ones that lead out of its folder.

    Raises:
        InputError: the clip is not there, or another file has the place.
    """
    if not clip.exists():
        raise InputError(f"{clip}: this clip is not there; check --videos DIR")
    if os.path.lexists(place):
        if place.exists() and place.samefile(clip):
            return
        raise InputError(f"{place}: this is there already and is not {clip}; give an empty folder")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(clip.resolve(), place)
    except OSError:
        place.symlink_to(clip.absolute())


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        InputError: it cannot be read or is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: this is no UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: it cannot be read ({error.strerror}); check the path") from None


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        InputError: it cannot be read or is no JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: this is no JSON ({error}); export it again") from None


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a comma-separated table with a header.

    Raises:
        InputError: it has another separator, or a row with more columns than the header.
    """
    text = read_text(path)
    header = text.split("\n", 1)[0]
    if "," not in header and (";" in header or "\t" in header):
        raise InputError(f"{path}: its columns are not separated by commas; save it as a comma-separated table")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    rows = list(reader)
    wide = next((number for number, row in enumerate(rows, 2) if None in row), None)
    if wide:
        raise InputError(f"{path}: row {wide} has more columns than the header; put texts with commas in quotes")
    return rows
