"""Between other tools' formats and our lists: which clips become rows, which names are classes, what is told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import yaml

from slowfast.apps.check_videos import check_files
from slowfast.apps.formats.clip import Clip, Export, majority, read_text
from slowfast.apps.formats.match import Files, resolve
from slowfast.apps.prepare import (
    UNFIT,
    Folder,
    configuration,
    fits_a_list,
    natural_name,
    read_folder,
    write_configuration,
    write_list,
)
from slowfast.lists.endings import find_files
from slowfast.lists.rows import SEVERAL, find_separator, list_rows, parse_labels
from slowfast.utils.errors import InputError

# What other tools call a split, and our list of it.
_LISTS = {
    **dict.fromkeys(("", "train", "training"), "train_label"),
    **dict.fromkeys(("val", "validation", "validate", "valid", "dev"), "val_dry"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_SUBSETS = {"train_label": "train", "val_dry": "val", "test": "test"}
_POOL = "total_unlabel"


def read_classes(path: Path) -> tuple[str, ...]:
    """Return names of classes in the order of their numbers: one a line, or DATA.CLASS_NAMES of a YAML file.

    Raises:
        InputError: there is none, or one stands twice.
    """
    text = read_text(path)
    if path.suffix in (".yaml", ".yml"):
        try:
            names = [str(name) for name in yaml.safe_load(text)["DATA"]["CLASS_NAMES"]]
        except (yaml.YAMLError, KeyError, TypeError):
            raise InputError(f"{path}: it has no DATA.CLASS_NAMES; give a text file with one name a line") from None
    else:
        names = [line.strip() for line in text.splitlines() if line.strip()]
    if not names or len(set(names)) < len(names):
        raise InputError(f"{path}: every class needs one line with a name of its own")
    return tuple(names)


def numbered(export: Export, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the classes by number.

    Args:
        export: what was read.
        classes: what the user said; they win.

    Raises:
        InputError: the source has numbers only, or a label that is no class.
    """
    labels = {label for clip in export.clips for label in clip.labels}
    numbers = [label for label in labels if isinstance(label, int)]
    if numbers and not classes:
        raise InputError("the source has numbers of classes only; give their names with --classes FILE, one a line")
    if numbers and not 0 <= min(numbers) <= max(numbers) < len(classes):
        raise InputError(f"--classes names {len(classes)} classes, the source has the number {max(numbers)}")
    texts = sorted(labels.difference(numbers), key=lambda text: (natural_name(text), text))
    known = tuple(classes) or export.classes or tuple(texts)
    unknown = sorted(set(texts).difference(known))
    if unknown:
        raise InputError(f"the label {unknown[0]!r} is none of the classes {', '.join(known[:8])}; add it to --classes")
    return known


def rows_of(export: Export, files: Files, segments: str, *, several: bool = False) -> list[tuple[str, Clip]]:
    """Return (file, clip) of the clips that become rows; what does not is told.

    Args:
        export: what was read; its `told` grows.
        files: below the folder of the clips.
        segments: `""`: clips are rows, segments are not, unless a file carries their times in its name; `whole`: a clip
            all of whose segments have one label has that label; `trimmed`: every segment is a file of its own.
        several: a row may have several labels.
    """
    clips = _whole(export.clips, export.told) if segments == "whole" else export.clips
    if not segments:
        kept = [clip for clip in clips if clip.segment is None or files.is_trimmed(clip)]
        export.told["segments left out (--segments whole or trimmed makes rows of them)"] += len(clips) - len(kept)
        clips = kept
    rows: dict[str, list[Clip]] = {}
    for name, clip in resolve(clips, files, export.told):
        rows.setdefault(name, []).append(clip)
    done = []
    for name, group in rows.items():
        labels = majority([clip.labels for clip in group])
        export.told["clips that several rows disagree on, left out"] += labels is None
        export.told["clips in several splits, left in the first"] += len({clip.subset for clip in group}) > 1
        too_many = len(labels or ()) > 1 and not several
        export.told["clips with several labels, left out (--several-labels makes rows of them)"] += too_many
        if labels is not None and not too_many:
            done.append((name, replace(group[0], labels=labels)))
    return done


def _whole(clips: Sequence[Clip], told: Counter[str]) -> list[Clip]:
    """Return one clip a name: a label of the whole clip wins, else the one label of all its segments."""
    groups: dict[tuple[str, str], list[Clip]] = {}
    for clip in clips:
        groups.setdefault((clip.name, clip.subset), []).append(clip)
    done = []
    for (name, subset), group in groups.items():
        whole = [clip for clip in group if clip.segment is None and clip.labels] or group
        labels = {clip.labels for clip in whole if clip.labels}
        told["clips whose segments have different labels, left out"] += len(labels) > 1
        if len(labels) < 2:
            done.append(Clip(name, *labels, subset=subset))
    return done


def write_lists(
    output: Path,
    export: Export,
    videos: Path,
    *,
    classes: Sequence[str] = (),
    segments: str = "",
    dark: Path | None = None,
    check: bool = True,
    workers: int | None = None,
    several: bool = False,
) -> dict[str, Folder]:
    """Write a list for every split, one for clips without a label, and `data.yaml`.

    Args:
        output: folder of the lists.
        export: what was read; its `told` grows.
        videos: folder of the clips.
        classes: names by number, where the source does not order them.
        segments: see `rows_of`.
        dark: unlabelled dark clips; with them `data.yaml` is a whole configuration.
        check: decode every clip and leave out what cannot be read.
        workers: processes of the check.
        several: a row may have several labels, as `3|7`.

    Raises:
        InputError: nothing is left, or a label is no class.
    """
    if several and dark is not None:
        raise InputError("--several-labels goes without --dark: pseudo-labels are about one class a clip")
    names = numbered(export, classes)
    if not videos.is_dir():
        raise InputError(f"{videos}: this folder does not exist; say where the clips are with --videos DIR")
    files = Files(path.relative_to(videos).as_posix() for path in find_files(videos))
    lists: dict[str, list[tuple[str, int | str]]] = {}
    for name, clip in rows_of(export, files, segments, several=several):
        numbers = [label if isinstance(label, int) else names.index(label) for label in clip.labels]
        split = _LISTS.get(clip.subset, clip.subset.replace("/", "_")) if clip.labels else _POOL
        lists.setdefault(split, []).append(
            (name, SEVERAL.join(map(str, numbers)) if several and numbers else (numbers or [-1])[0])
        )
    folders = {split: _folder(videos, rows, check, workers) for split, rows in lists.items()}
    if dark is not None:
        export.told["clips without a label, left out (the pool is --dark)"] += len(lists.get(_POOL, ()))
        folders[_POOL] = read_folder(dark, None, check=check, workers=workers)
    if not any(folder.rows for folder in folders.values()):
        reasons = [f"{name}: {reason}" for folder in folders.values() for name, reason in folder.left_out[:1]]
        reasons += [f"{count} {text}" for text, count in export.told.items() if count]
        raise InputError(f"no row is left for the clips of {videos} ({'; '.join(reasons)})")
    folders = {split: folder for split, folder in folders.items() if folder.rows}
    for split, folder in folders.items():
        write_list(output / f"{split}.csv", folder.rows)
    keys = _keys(output, folders, names, dark is not None)
    write_configuration(output, keys | _needed(len(names)) if several else keys)
    return folders


def _needed(num_classes: int) -> dict:
    """Return the keys that several labels a clip need."""
    return {
        "MODEL": {"NUM_CLASSES": num_classes, "LOSS_FUNC": "bce"},
        "TEST": {"SCORE": "probs"},
        "MIXUP": {"ENABLE": False},
    }


def _folder(videos: Path, rows: list[tuple[str, int | str]], check: bool, workers: int | None) -> Folder:
    """Return the rows that a list can name and, when they are checked, whose clips can be read."""
    left_out = [(name, UNFIT) for name, _ in rows if not fits_a_list(name)]
    rows = [row for row in rows if fits_a_list(row[0])]
    facts = check_files([videos / name for name, _ in rows], workers=workers) if check else []
    left_out += [(name, fact.error) for (name, _), fact in zip(rows, facts) if fact.error]
    bad = {name for name, _ in left_out}
    rows = [row for row in rows if row[0] not in bad]
    return Folder(videos, rows, [fact for fact in facts if not fact.error], left_out)


def _keys(output: Path, folders: dict[str, Folder], classes: Sequence[str], dark: bool) -> dict:
    """Return a whole configuration where a pool of dark clips was given, else classes and splits."""
    if dark and "train_label" in folders:
        return configuration(output, folders, list(classes))
    splits = {split: [f"{split}.csv", str(folder.path)] for split, folder in folders.items()}
    data = {"PATH_PREFIX": str(output), "PATH_LABEL_SEPARATOR": ",", "CLASS_NAMES": list(classes), "SPLITS": splits}
    return {"DATA": data, "MODEL": {"NUM_CLASSES": len(classes)}}


def read_lists(paths: Sequence[Path], classes: Sequence[str]) -> Export:
    """Return the clips of our lists and tables of pseudo-labels, whose probability of the label is the score.

    Args:
        paths: lists; of several, each is a split.
        classes: names by number; default those of `data.yaml` beside the first list.

    Raises:
        InputError: a row is wrong, or the names are not known.
    """
    beside = paths[0].with_name("data.yaml")
    if not classes and not beside.is_file():
        raise InputError(f"{paths[0]}: a list has numbers of classes only; give their names with --classes FILE")
    names = tuple(classes) or read_classes(beside)
    export = Export(classes=names)
    for path in paths:
        subset = _SUBSETS.get(path.stem, path.stem if len(paths) > 1 and path.stem != _POOL else "")
        separator = find_separator(path)
        for number, text in list_rows(path):
            try:
                name, numbers, probs = parse_labels(text, separator, None)
            except ValueError as error:
                raise InputError(f"{path}: row {number} {error}") from None
            known = [label for label in numbers if label != -1]
            if not all(0 <= label < len(names) for label in known) or (probs and len(probs) != len(names)):
                raise InputError(f"{path}: row {number} does not fit the {len(names)} classes; check --classes")
            labels = tuple(names[label] for label in known)
            score = probs[known[0]] if probs and known else None
            export.told[
                "clips that show none of the classes, which other tools take for ones without a label"
            ] += not numbers
            export.clips.append(Clip(PurePosixPath(name).as_posix(), labels, None, subset, score))
    return export


def named(export: Export, classes: Sequence[str]) -> Export:
    """Return an export whose labels are texts, ready to be written in another format."""
    names = numbered(export, classes)
    clips = [
        replace(clip, labels=tuple(names[label] if isinstance(label, int) else label for label in clip.labels))
        for clip in export.clips
    ]
    return Export(clips, names, export.told)
