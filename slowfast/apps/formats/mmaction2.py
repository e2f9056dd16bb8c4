"""Lists of mmaction2: videos (`path label`) and rawframes (`folder total_frames label`), class numbers only."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from slowfast.apps.formats.clip import Clip, Export, Options, Segment, voted
from slowfast.lists.endings import ENDINGS
from slowfast.lists.rows import list_rows
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_text
from slowfast.video.frames_folder import find_frames

LABEL_MAP = "label_map.txt"


def read_videos(source: Path, options: Options) -> Export:
    """Return the clips of a list of videos, or of the lists of a folder."""
    return _read(source, options, _video)


def read_rawframes(source: Path, options: Options) -> Export:
    """Return the clips of a list of folders with frames, or of the lists of a folder."""
    return _read(source, options, _rawframes)


def _read(source: Path, options: Options, parse) -> Export:
    """Return the clips of all rows; in a folder a list's name is its subset.

    Raises:
        InputError: naming file and row.
    """
    export, clips = Export(classes=options.classes), []
    for path, subset in _lists(source):
        for number, text in list_rows(path):
            try:
                name, labels, segment = parse(text, options)
            except ValueError as error:
                raise InputError(f"{path}: row {number} ({text.strip()[:60]!r}) {error}") from None
            clips.append(Clip(name, labels, segment, subset))
    export.clips = voted(clips, export.told)
    return export


def _lists(source: Path) -> Iterator[tuple[Path, str]]:
    """Yield lists and their subsets; a list alone has none."""
    if not source.is_dir():
        yield source, ""
        return
    for path in sorted(source.glob("*.txt")):
        if path.name != LABEL_MAP:
            yield path, "" if path.stem == "list" else path.stem


def _video(text: str, options: Options) -> tuple[str, tuple[int, ...], None]:
    """Return name and labels of a row of videos, split at exactly one delimiter as mmaction2 does."""
    if "\t" in text and options.delimiter != "\t":
        raise ValueError(
            "holds a tabulator, and mmaction2 would take the label for a part of the name: --delimiter tab"
        )
    name, *labels = text.strip().split(options.delimiter)
    if "" in labels:
        raise ValueError("has two delimiters in a row, which mmaction2 refuses; take one out")
    if len(labels) > 1 and not options.multi_class:
        raise ValueError(
            f"has {len(labels) + 1} columns: give --multi-class for several labels, --delimiter for names with blanks,"
            " or --from rawframes"
        )
    return name, _numbers(labels), None


def _rawframes(text: str, options: Options) -> tuple[str, tuple[int, ...], Segment | None]:
    """Return folder, labels and, where it cannot be told from the line that it is the whole folder, frames."""
    folder, *rest = text.split()
    if PurePosixPath(folder).suffix.lower() in ENDINGS:
        raise ValueError("names a video, and mmaction2 would take its label for a number of frames: --from mmaction2")
    if len(rest) > 2 and not (options.with_offset or options.multi_class):
        raise ValueError(
            f"has {len(rest) + 1} columns: say --with-offset (folder, offset, frames, label) or --multi-class"
        )
    counts, labels = rest[: 1 + options.with_offset], rest[1 + options.with_offset :]
    if len(counts) != 1 + options.with_offset:
        raise ValueError("has no number of frames" + " or no offset" * options.with_offset)
    first, count = (*_numbers(counts[:-1]), 0)[0], _numbers(counts)[-1]
    if count < 1 or first < 0:
        raise ValueError(f"has the offset {first} and {count} frames, at least one frame is needed")
    there = find_frames(options.videos / folder) if options.videos else None
    whole = not options.with_offset if there is None else (first, count) == (0, len(there))
    return folder, _numbers(labels), None if whole else Segment(first, first + count - 1, "frames")


def _numbers(texts: list[str]) -> tuple[int, ...]:
    """Return whole numbers; -1 is no label."""
    if not all(text.removeprefix("-").isdecimal() for text in texts):
        raise ValueError(f"has {' '.join(texts)!r} where whole numbers are needed (classes count from 0)")
    return tuple(int(text) for text in texts if text != "-1")


def write_videos(target: Path, export: Export, options: Options) -> Counter[str]:
    """Write a list for every subset and the names of the classes into a folder; return what they could not hold."""

    def line(clip: Clip, labels: list[str], lost: Counter[str]) -> str:
        if options.delimiter in clip.name or "\t" in clip.name:
            raise InputError(
                f"{target}: the name {clip.name!r} holds the delimiter; give another one with --delimiter, e.g. comma"
            )
        lost["segments (the list holds whole clips), left out"] += clip.segment is not None
        return options.delimiter.join([clip.name, *labels]) if clip.segment is None else ""

    return _write(target, export, options, line)


def write_rawframes(target: Path, export: Export, options: Options) -> Counter[str]:
    """Write a list of folders with frames for every subset into a folder; return what they could not hold.

    Raises:
        InputError: the folder of the clips is not known.
    """
    if options.videos is None:
        raise InputError(f"{target}: the numbers of frames are needed; give the folder of the clips with --videos DIR")

    def line(clip: Clip, labels: list[str], lost: Counter[str]) -> str:
        frames = find_frames(options.videos / clip.name)
        if not frames or clip.name.split() != [clip.name]:
            lost["clips that are no folder of frames, or have a blank in their name, left out"] += 1
            return ""
        first, count = 0, len(frames)
        if clip.segment is not None:
            if clip.segment.unit == "seconds" or not options.with_offset:
                lost["segments left out (those in frames are held by --with-offset)"] += 1
                return ""
            first, count = int(clip.segment.start), int(clip.segment.end - clip.segment.start) + 1
        return " ".join([clip.name, *[str(first)] * options.with_offset, str(count), *labels])

    return _write(target, export, options, line)


def _write(target: Path, export: Export, options: Options, line) -> Counter[str]:
    """Write the lists: `line` gives a row, empty for a clip that is left out."""
    numbers = {name: str(number) for number, name in enumerate(export.classes)}
    lost: Counter[str] = Counter()
    lists: dict[str, list[str]] = {}
    for clip in export.clips:
        labels = [numbers[label] for label in clip.labels]
        if len(labels) > 1 and not options.multi_class:
            lost["clips with several labels, left out (--multi-class holds them)"] += 1
            continue
        lost["scores of labels"] += clip.score is not None
        row = line(clip, labels, lost)
        lists.setdefault(clip.subset or "list", []).extend([row] if row else [])
    for subset, rows in lists.items():
        write_text(target / f"{subset}.txt", "".join(f"{row}\n" for row in rows))
    write_text(target / LABEL_MAP, "".join(f"{name}\n" for name in export.classes))
    return lost
