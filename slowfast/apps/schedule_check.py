"""What a schedule of jobs needs is looked at before its first job."""

import os
from collections.abc import Iterator, Sequence
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
        configs: files of a training, in the order of its `--cfg`.
        rules: table of the vote, to compare its number of classes; empty: none.

    Raises:
        InputError: naming everything that is wrong.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise InputError(f"{', '.join(f'{shown}/{name}' for name in missing)} {verb} missing; {how}")
    if configs:
        wrong = list(dict.fromkeys(_wrong(load_config([argument_path(path) for path in configs]), rules)))
        if wrong:
            raise InputError("; ".join(wrong))


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
