"""Lists and a small configuration from folders of clips, and the lists of UG2+ / ARID from the downloaded folders."""

import functools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from slowfast.apps.check_videos import check_files, shown, suggest_gamma
from slowfast.apps.held_out import hold_out
from slowfast.lists.endings import find_files
from slowfast.lists.rows import parse_row
from slowfast.lists.tables import read_names
from slowfast.utils.errors import InputError
from slowfast.utils.files import printable, write_text
from slowfast.utils.paths import repo_path
from slowfast.video.probe import VideoFacts

Row = tuple[str, int]
_ARID = "configs/nightcrawler/data.yaml"
# Clips that TRAIN.BATCH_SIZE and a source of BatchNorm statistics have where there are enough.
_BATCH = 12
_SEPARATOR = ","
# The published light lists have Windows line ends, the others not.
_WINDOWS_LISTS = ("train_label+val_dry.csv", "val_dry.csv")


@dataclass(frozen=True)
class Folder:
    """The clips below one folder.

    Args:
        path: the folder.
        rows: (name below the folder, class number or -1).
        facts: of the rows, empty when they were not checked.
        left_out: (name, reason) of clips that cannot be read.
        groups: of held-out clips, where their names tell any.
    """

    path: Path
    rows: list[Row]
    facts: list[VideoFacts]
    left_out: list[tuple[str, str]]
    groups: list[str] = field(default_factory=list)


def class_names(folder: Path) -> list[str]:
    """Return the names of the class folders in natural order: 2 before 10.

    Raises:
        InputError: when there are fewer than two.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: this folder does not exist")
    names = [entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    names.sort(key=lambda name: (natural_name(name), name))
    if len(names) < 2:
        raise InputError(f"{folder}: two or more class folders with clips are needed, {len(names)} found")
    return names


def read_folder(folder: Path, classes: Sequence[str] | None, *, check: bool, workers: int | None = None) -> Folder:
    """Return the clips of a folder, checked.

    Args:
        folder: clips at any depth.
        classes: names of the class folders, in the order of their numbers; None for clips without labels.
        check: decode every clip and leave out what cannot be read.
        workers: processes of the check.

    Raises:
        InputError: when a clip lies in no class folder, or nothing is left.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: this folder does not exist")
    if printable(str(folder)) != str(folder):
        raise InputError(f"{printable(str(folder))}: a configuration cannot name what is no UTF-8: rename it")
    found = [(path, path.relative_to(folder).as_posix()) for path in sorted(find_files(folder), key=_natural)]
    unfit = [(shown(name), UNFIT) for _, name in found if not fits_a_list(name)]
    paths = [path for path, name in found if fits_a_list(name)]
    rows = [(name, -1) for _, name in found if fits_a_list(name)]
    if classes is not None:
        rows = [(name, _class_of(name, folder, classes)) for name, _ in rows]
    facts = check_files(paths, workers=workers) if check else []
    left_out = unfit + [(name, fact.error) for (name, _), fact in zip(rows, facts) if fact.error]
    if facts:
        rows = [row for row, fact in zip(rows, facts) if not fact.error]
    if not rows:
        raise InputError(f"{folder}: not one of its {len(found)} clips can be read (first: {left_out[0][1]})")
    return Folder(folder, rows, [fact for fact in facts if not fact.error], left_out)


UNFIT = "a list cannot name it (blank at an end, line break, quotes around it or no UTF-8): rename the file or folder"


def fits_a_list(name: str) -> bool:
    """Return whether a list gives back the name as it is."""
    try:
        name.encode()
        return parse_row(f"{name}{_SEPARATOR}0", _SEPARATOR, 1)[0] == name and not set(name) & set("\r\n")
    except ValueError:
        return False


def write_list(path: Path, rows: Sequence[Row], line_end: str = "\n") -> None:
    """Write rows of name and class number."""
    write_text(path, "".join(f"{name}{_SEPARATOR}{label}{line_end}" for name, label in rows))


def prepare(
    output: Path,
    light: Path,
    dark: Path,
    *,
    val: Path | None = None,
    dark_val: Path | None = None,
    test: Path | None = None,
    check: bool = True,
    workers: int | None = None,
) -> dict[str, Folder]:
    """Write lists and `data.yaml` for clips of any classes.

    Args:
        output: folder of the lists.
        light: labelled clips in one folder per class.
        dark: unlabelled clips, at any depth.
        val: labelled light clips for validation, in the same class folders; default: a part of the light ones, which
            nothing is trained on then.
        dark_val: labelled dark clips for validation, in the same class folders.
        test: clips to predict; default the dark ones.
        check: decode every clip and leave out what cannot be read.
        workers: processes of the check.

    Returns:
        The folders by split.

    Raises:
        InputError: when folders or classes are wrong.
    """
    classes = class_names(light)
    wanted = {"train_label": (light, classes), "total_unlabel": (dark, None)}
    wanted |= {"val_dry": (val, classes)} if val else {}
    wanted |= {"arid": (dark_val, classes)} if dark_val else {}
    wanted |= {"test": (test, None)} if test else {}
    folders = {split: read_folder(path, names, check=check, workers=workers) for split, (path, names) in wanted.items()}
    counts = [sum(label == number for _, label in folders["train_label"].rows) for number in range(len(classes))]
    if 0 in counts:
        raise InputError(f"{light}: the class {classes[counts.index(0)]!r} has no readable clip")
    if val is None:
        folders |= _keep_back(folders["train_label"])
    for split, folder in ({"test": folders["total_unlabel"]} | folders).items():
        write_list(output / f"{split}.csv", folder.rows)
    write_configuration(output, configuration(output, folders, classes))
    return folders


def write_configuration(output: Path, keys: dict) -> None:
    """Write `data.yaml`."""
    write_text(output / "data.yaml", _HEADER + yaml.safe_dump(keys, sort_keys=False))


def _keep_back(light: Folder) -> dict[str, Folder]:
    """Return the light clips in two parts, or nothing when there are too few of them."""
    held_N, groups = hold_out([name for name, _ in light.rows], [label for _, label in light.rows])
    if not any(held_N):
        return {}
    parts = {}
    for split, wanted in (("train_label", False), ("val_dry", True)):
        facts = [fact for fact, held in zip(light.facts, held_N) if held == wanted]
        rows = [row for row, held in zip(light.rows, held_N) if held == wanted]
        parts[split] = Folder(light.path, rows, facts, light.left_out if split == "train_label" else [])
    named = sorted({group for group, held in zip(groups, held_N) if held})
    if len(named) < sum(held_N):
        parts["val_dry"].groups.extend(named)
    return parts


def gamma_of(folders: dict[str, Folder]) -> float | None:
    """Return the gamma that suits the dark clips, None when they were not looked at."""
    facts = [fact for split in ("total_unlabel", "arid") if split in folders for fact in folders[split].facts]
    return suggest_gamma(facts) if facts else None


def remarks(folders: dict[str, Folder]) -> list[str]:
    """Return what a user has to know of the lists: numbers of the classes, gamma, batches."""
    names = class_names(folders["train_label"].path)
    gamma, batch = gamma_of(folders), _batch_size(folders)
    unchecked = (
        "not measured (--no-check): DATA.GAMMA keeps the values of the model's file; check_videos.py suggests one"
    )
    few = "; small pools give noisy BatchNorm statistics" if batch < _BATCH else ""
    lines = ["classes: " + ", ".join(f"{number} = {name}" for number, name in enumerate(names))]
    lines.append(f"gamma of dark clips: {unchecked if gamma is None else f'{gamma:g}' + ' (off)' * (gamma == 1)}")
    lines.append(f"batch size: {batch}, from the shortest list that is trained on{few}")
    return [*lines, _validation(folders)]


def _validation(folders: dict[str, Folder]) -> str:
    """Return in words which clips measure the networks."""
    train, val = folders["train_label"], folders.get("val_dry")
    if val is None:
        return (
            "no clip is held out, there are too few: every accuracy of val_dry is one on training clips, and whether"
            " pseudo-labels are worth training on cannot be estimated; give --val, or more clips"
        )
    if val.path != train.path:
        return f"held out: {len(val.rows)} light clips of {val.path}"
    groups = f", {len(val.groups)} groups that their names tell, {val.groups[0]!r} for example" if val.groups else ""
    total = len(train.rows) + len(val.rows)
    return f"held out: {len(val.rows)} of {total} light clips{groups}; nothing is trained on them (--val DIR: your own)"


def _batch_size(folders: dict[str, Folder]) -> int:
    """Return a batch that labelled and dark clips fill."""
    return min(_BATCH, len(folders["train_label"].rows), len(folders["total_unlabel"].rows))


def _light(folder: Folder) -> list[str]:
    """Return the third part of a split's entry as the clips themselves say it; nothing when they were not looked at."""
    dark = [fact.dark for fact in folder.facts]
    return ["dark" if 2 * sum(dark) >= len(dark) else "light"] if dark else []


_HEADER = """# Written by tools/prepare_lists.py: lists, classes and roles of these clips, and a short recipe.
# Use it over a model file: python tools/run_net.py --cfg MODEL.yaml --cfg THIS_FILE OUTPUT_DIR output/NAME
"""


def configuration(output: Path, folders: dict[str, Folder], classes: list[str]) -> dict:
    """Return the keys that name lists, classes, gamma and a recipe for so many clips."""
    source = {split: [f"{split}.csv", str(folder.path)] for split, folder in folders.items()}
    pool, light = source["total_unlabel"], [*source["train_label"], "light"]
    source.setdefault("test", ["test.csv", pool[1]])
    if "test" in folders:
        source["test"] += _light(folders["test"])
    gamma, batch = gamma_of(folders), _batch_size(folders)
    val = [*source["val_dry"], "light"] if "val_dry" in source else light
    splits = {
        "train_label": light,
        "train_unlabel": pool,
        "train_pseudo_label": ["", pool[1]],
        "val_dry": val,
        "arid": [*source["arid"], "dark"] if "arid" in source else val,
        "dark_unlabel": pool,
        "total_unlabel": pool,
        "test": source["test"],
    }
    evaluated = [split for split in ("val_dry", "arid") if split in folders] or ["val_dry"]
    mixing = {"MIXUP": {"ENABLE": False}} if batch < 2 else {}
    loss = {"LOSS_FUNC": "cross_entropy"} if batch < 2 else {}
    return {
        "DATA": {
            "PATH_PREFIX": str(output),
            "PATH_LABEL_SEPARATOR": _SEPARATOR,
            "CLASS_NAMES": list(classes),
            "SPLITS": {split: list(entry) for split, entry in splits.items()},
            **({"GAMMA": dict.fromkeys(("TARGET", "BN", "VAL_DARK", "TEST"), gamma)} if gamma is not None else {}),
        },
        "MODEL": {"NUM_CLASSES": len(classes), **loss},
        **mixing,
        "TRAIN": {"BATCH_SIZE": batch, "EVAL_SPLITS": evaluated, "EVAL_PERIOD": 5, "CHOOSE_EPOCH": "last"},
        "SOLVER": {
            "BASE_LR": 1.0e-3,
            "COSINE_END_LR": 1.0e-5,
            "WARMUP_START_LR": 1.0e-4,
            "WARMUP_EPOCHS": 2.0,
            "MAX_EPOCH": 20,
        },
        "TEST": {"DATA_SELECT": "test"},
    }


def prepare_ug2(root: Path, labels: Sequence[Path] = ()) -> dict[str, int]:
    """Write the lists of UG2+ Track 2.1 and ARID v1.5 for the folders below a data root.

    Args:
        root: data root with `labeled_train/Train`, `dry_run/Validation`, `dark_train/Train` (the ARID class folders
            inside), `Test`; folders that are not there are passed over.
        labels: lists of name and class number; they give the labels that no name tells, and the order of the rows
            they have. Rows they do not have come after, in the order of their numbers.

    Returns:
        List -> number of rows.

    Raises:
        InputError: when nothing is there, or a light clip has no label.
    """
    known: dict[str, int] = {}
    for path in labels:
        names, numbers = read_names(path, _SEPARATOR, labelled=True)
        known |= dict(zip(names, numbers.tolist()))
    lists: dict[str, list[Row]] = {}
    pool = root / "dark_train/Train"
    if (root / "labeled_train/Train").is_dir():
        val = _known_rows(root / "dry_run/Validation", known) if (root / "dry_run/Validation").is_dir() else []
        inside = {name for name, _ in val}
        train = _known_rows(root / "labeled_train/Train", known)
        lists["train_label+val_dry.csv"] = [row for row in train if row[0] not in inside] + val
        lists |= {"val_dry.csv": val} if val else {}
    if pool.is_dir():
        files = _names(pool, known)
        numbers = {folder: number for number, folder in enumerate(_arid_classes())}
        arid = [(name, numbers[name.split("/")[0]]) for name in files if name.split("/")[0] in numbers]
        lists["dark_unlabel.csv"] = [(name, -1) for name in sorted(files, key=natural_name) if "/" not in name]
        lists["arid.csv"] = arid
        lists["total_unlabel.csv"] = lists["dark_unlabel.csv"] + [(name, -1) for name, _ in arid]
    if (root / "Test").is_dir():
        lists["test.csv"] = [(name, -1) for name in sorted(_names(root / "Test", {}), key=natural_name)]
    if not lists:
        raise InputError(f"{root}: none of labeled_train/Train, dark_train/Train and Test is below this data root")
    for name, rows in lists.items():
        write_list(root / name, rows, "\r\n" if name in _WINDOWS_LISTS else "\n")
    return {name: len(rows) for name, rows in lists.items()}


def _names(folder: Path, known: dict[str, int]) -> list[str]:
    """Return the clips below a folder: those of the given lists in their order, then the others by number."""
    names = [path.relative_to(folder).as_posix() for path in find_files(folder)]
    present = set(names)
    listed = [name for name in known if name in present]
    return listed + sorted(present.difference(listed), key=natural_name)


def _known_rows(folder: Path, known: dict[str, int]) -> list[Row]:
    """Return the rows of a labelled folder; the class of an HMDB51 clip is the action word of its name."""
    rows, unknown = [], []
    for name in _names(folder, known):
        label = known.get(name, _hmdb_label(name))
        rows.append((name, label))
        if label < 0:
            unknown.append(name)
    if unknown:
        raise InputError(
            f"{folder}: {len(unknown)} of {len(rows)} clips have no label (first: {unknown[0]}): give the challenge's"
            " list with --labels"
        )
    return rows


def _hmdb_label(name: str) -> int:
    """Return the class of an HMDB51 file name, -1 for other names."""
    match = re.search(r"_([a-z]+)_[fhul]_[a-z]{2}_np\d", name)
    words = [folder.lower() for folder in _arid_classes()]
    return words.index(match[1]) if match and match[1] in words else -1


@functools.cache
def _arid_classes() -> tuple[str, ...]:
    """Return ARID's class names, which are its folders; they stand in its configuration."""
    return tuple(yaml.safe_load(repo_path(_ARID).read_text(encoding="utf-8"))["DATA"]["CLASS_NAMES"])


def _class_of(name: str, folder: Path, classes: Sequence[str]) -> int:
    """Return the number of the class folder that a clip lies in."""
    first, slash, _ = name.partition("/")
    if not slash or first not in classes:
        raise InputError(f"{folder / name}: this clip lies in none of the class folders {', '.join(classes)}")
    return classes.index(first)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Return the sorting key of a path."""
    return natural_name(os.fspath(path))


def natural_name(name: str) -> list[tuple[int, int, str]]:
    """Return a sorting key that takes digits as numbers: 2.mp4 before 10.mp4."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
