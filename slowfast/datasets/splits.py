"""Names of splits and roles: which list, which folder, which gamma, labels needed or not."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slowfast.lists.records import VideoList
from slowfast.utils.errors import InputError

ROLES = ("source", "target", "bn", "val", "val_bright", "val_dark", "test")
# Roles whose rows need labels: a loss or an accuracy is computed from them.
LABELLED_ROLES = ("source", "target", "val", "val_bright", "val_dark")
PSEUDO_SPLIT = "train_pseudo_label"
# Splits that are light when their entry does not say it.
_LIGHT_SPLITS = ("val_dry", "train_label")
# What the light of a split makes of a role that does not say it: the role whose gamma its clips get.
_LIGHT_ROLES = {"val": "val_bright", "test": "val_bright", "bn": "source"}


@dataclass(frozen=True)
class Split:
    """Where the videos of a split are.

    Args:
        name: as in DATA.SPLITS.
        list_path: its list.
        folder: its videos.
    """

    name: str
    list_path: Path
    folder: Path


def resolve_split(name: str, splits: Mapping[str, Sequence[str]], root: Path, pseudo_csv: str = "") -> Split:
    """Return list and folder of a split.

    Args:
        name: a key of `splits`.
        splits: name -> (list below the root, folder below the root[, light or dark]).
        root: the data root.
        pseudo_csv: list of the pseudo-labelled split below the root.

    Raises:
        InputError: when the name is unknown or the pseudo-label list is not set.
    """
    if name not in splits:
        raise InputError(f"the split {name!r} is unknown, DATA.SPLITS has {', '.join(splits)}")
    list_name, folder = splits[name][:2]
    if name == PSEUDO_SPLIT:
        list_name = pseudo_csv or list_name
    if not list_name:
        raise InputError(f"the split {name!r} has no list: set DATA.PSEUDO_CSV to a pseudo-label CSV below {root}")
    return Split(name, root / list_name, root / folder)


def is_light(name: str, splits: Mapping[str, Sequence[str]]) -> bool:
    """Return whether the clips of a split are light: as its entry says, else by the names of the published splits."""
    entry = splits.get(name, ())
    return entry[2] == "light" if len(entry) > 2 else name in _LIGHT_SPLITS


def kind_of_clips(name: str, splits: Mapping[str, Sequence[str]]) -> str:
    """Return in words on which clips an accuracy is taken: `training clips`, `light clips` or `dark clips`."""
    entry = splits.get(name, ("",))
    if list(entry[:2]) == list(splits.get("train_label", ())[:2]):
        return "training clips"
    return "light clips" if is_light(name, splits) else "dark clips"


def gamma_role(role: str, light: bool) -> str:
    """Return the role whose gamma clips get: validation, tests and adaptation see light clips as training does."""
    return _LIGHT_ROLES.get(role, role) if light else {"val": "val_dark"}.get(role, role)


def check_role(role: str) -> str:
    """Return the role in lower case.

    Raises:
        InputError: when it is unknown.
    """
    if role.lower() not in ROLES:
        raise InputError(f"the role {role!r} is unknown, one of {', '.join(ROLES)} is needed")
    return role.lower()


def remarks(train: VideoList, evaluated: Mapping[str, VideoList]) -> Iterator[str]:
    """Yield what is odd about the lists of a run, though it can be run.

    Args:
        train: the labelled training clips.
        evaluated: validation and test splits by name.
    """
    labels = np.unique(train.labels_N)
    if len(labels) == 1:
        yield f"{train.source}: all {len(train)} clips have the class {labels[0]}, a network can only learn to say that"
    keys_N = train.keys_N(os.path.abspath(train.folder))
    for name, records in evaluated.items():
        same = int(np.isin(records.keys_N(os.path.abspath(records.folder)), keys_N).sum())
        if 2 * same >= len(records):
            yield (
                f"{same} of {len(records)} clips of the split {name} are trained on ({train.source}): its accuracy says"
                " how well they are remembered, not what the network can do; give it clips of its own"
            )
