"""What a schedule of jobs needs is looked at before its first job."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.config import load_config
from slowfast.datasets.splits import resolve_split
from slowfast.ensemble.rules import submission_rules
from slowfast.lists.names import check_unique, find_file
from slowfast.lists.tables import read_names
from slowfast.utils.errors import InputError
from slowfast.utils.paths import argument_path, repo_path

# The lists of a schedule on own clips, and whether their rows have labels.
_LISTS = {"train_label": True, "val_dry": True, "total_unlabel": False, "test": False}


def check_schedule(
    folder: Path, shown: str, names: Sequence[str], how: str, *, configs: Sequence[str] = (), rules: str = ""
) -> None:
    """Look for files and, with a configuration, at the lists, videos and classes it names.

    Args:
        folder: data root.
        shown: its name in messages.
        names: files that have to lie in it.
        how: what to do about a missing one.
        configs: files of a training, in the order of its `--cfg`; the one of its network may be left out.
        rules: table of the vote, to compare its number of classes; empty: none.

    Raises:
        InputError: naming everything that is wrong.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise InputError(f"{', '.join(f'{shown}/{name}' for name in missing)} {verb} missing; {how}")
    if configs:
        cfg = load_config([argument_path(path) for path in configs], whole=False)  # of any network
        wrong = list(dict.fromkeys(_wrong(cfg, rules)))
        if wrong:
            raise InputError("; ".join(wrong))


def check_configurations(commands: Mapping[str, str], data: str) -> None:
    """Refuse trainings whose configurations do not exist; the first job makes those of the data root, or looks at them.

    Args:
        commands: `STEP-VOTER` -> command, of the trainings.
        data: data root.

    Raises:
        InputError: naming every such voter.
    """
    absent: dict[str, dict[str, None]] = {}
    for job, command in commands.items():
        for path in configurations_in(shlex.split(command)):
            there = argument_path(path).is_file() if path else False
            if not there and not argument_path(path).is_relative_to(argument_path(data)):
                absent.setdefault(job.partition("-")[2], {})[path] = None
    if absent:
        which = "; ".join(f"{voter}: {', '.join(map(_missing, paths))}" for voter, paths in absent.items())
        raise InputError(f"voters without a configuration: {which}: set `config` or `experiment` of their entries")


def configurations_in(words: Sequence[str]) -> list[str]:
    """Return the configurations that the words of a command name: behind `--cfg`, or that of a `run.sh`."""
    named = [words[place + 1] for place, word in enumerate(words[:-1]) if word == "--cfg"]
    return named + [str(Path(word).parent / "config.yaml") for word in words if word.endswith("/run.sh")]


def _missing(path: str) -> str:
    """Return what is said of a configuration that does not exist."""
    return f"{path} does not exist" if path else "its entry names none"


def _wrong(cfg: CfgNode, rules: str) -> Iterator[str]:
    """Yield what is wrong with lists, videos and classes of a configuration."""
    classes = cfg.MODEL.NUM_CLASSES
    if cfg.DATA.CLASS_NAMES and len(cfg.DATA.CLASS_NAMES) != classes:
        yield f"DATA.CLASS_NAMES has {len(cfg.DATA.CLASS_NAMES)} names for MODEL.NUM_CLASSES {classes}; make them agree"
    if rules and submission_rules(argument_path(rules)).num_classes not in (0, classes):
        yield f"{rules} is for {submission_rules(argument_path(rules)).num_classes} classes, the lists have {classes}"
    for split, labelled in _LISTS.items():
        try:
            yield from _wrong_rows(cfg, split, labelled)
        except InputError as error:
            yield str(error)


def _wrong_rows(cfg: CfgNode, split: str, labelled: bool) -> Iterator[str]:
    """Yield what is wrong with one list."""
    place = resolve_split(split, cfg.DATA.SPLITS, repo_path(cfg.DATA.PATH_PREFIX))
    names, labels_N = read_names(place.list_path, cfg.DATA.PATH_LABEL_SEPARATOR, labelled=labelled)
    check_unique(names, str(place.list_path))
    absent = [name for name in names if not os.path.exists(find_file(place.folder / name))]
    if absent:
        yield f"{place.list_path}: {len(absent)} of {len(names)} videos are not in {place.folder}, first {absent[0]!r}"
    if not labelled:
        return
    outside = [row for row, label in enumerate(labels_N) if not 0 <= label < cfg.MODEL.NUM_CLASSES]
    if outside:
        yield (
            f"{place.list_path}, row {outside[0] + 1}: the label {labels_N[outside[0]]} is none of 0 to"
            f" {cfg.MODEL.NUM_CLASSES - 1} (MODEL.NUM_CLASSES)"
        )
    elif split == "train_label" and len(set(labels_N.tolist())) < cfg.MODEL.NUM_CLASSES:
        without = min(set(range(cfg.MODEL.NUM_CLASSES)) - set(labels_N.tolist()))
        yield f"{place.list_path}: the class {without} has no clip; give it one, or lower MODEL.NUM_CLASSES"
