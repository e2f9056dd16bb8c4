"""What a training and a test of a configuration are made from, and whether a stored one is the same."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from fvcore.common.config import CfgNode

from slowfast.config import TestSetting, flatten, get_cfg
from slowfast.datasets.sources import Sources
from slowfast.datasets.splits import PSEUDO_SPLIT, is_light
from slowfast.engine.checkpoint import DIGEST, load_checkpoint, state_digest
from slowfast.engine.methods.base import reads_of
from slowfast.ensemble.predictions import load_predictions
from slowfast.parents import (
    ClipDigests,
    Input,
    MadeOf,
    differences,
    input_of_file,
    input_of_folder,
    read_record,
    versions,
    write_record,
)
from slowfast.parents.settings import test_settings, training_settings
from slowfast.utils.errors import InputError
from slowfast.utils.untrusted.tensors import TensorFileError, read_tensor_file

logger = logging.getLogger(__name__)

START = "starting weights"
WEIGHTS = "weights"
# Differences that one message names.
_NAMED = 6


def training_splits(cfg: CfgNode) -> list[str]:
    """Return the splits whose content has an effect on a training."""
    read = [reads.split for reads in reads_of(cfg).values()]
    adapted = [cfg.BN.ADAPT_SPLIT] if cfg.BN.USE_PRECISE_STATS else []
    return list(dict.fromkeys([*read, *adapted, *cfg.TRAIN.EVAL_SPLITS]))


@dataclass
class Origin:
    """What a result is made from, and where that lies.

    Attributes:
        made_of: the content.
        paths: role -> file, of inputs that are results themselves.
        lists: see `Sources.lists`.
    """

    made_of: MadeOf
    paths: dict[str, str]
    lists: dict[str, dict[str, Any]]

    def record(self, artefact: Path) -> None:
        """Write the record beside a result."""
        write_record(artefact, self.made_of, self.paths, self.lists)


def origin_of_training(cfg: CfgNode, sources: Sources, start: Path | None) -> Origin:
    """Return what a training is made from.

    Args:
        cfg: the run.
        sources: its lists.
        start: its starting weights, None for random ones.
    """
    splits = training_splits(cfg)
    inputs = sources.of(splits)
    if start is not None:
        # With its epoch a file counts as a whole, not only its weights.
        inputs[START] = (
            input_of_file(start) if cfg.TRAIN.CHECKPOINT_KEEP_EPOCH and start.is_file() else weights_input(start)
        )
    lights = {f"light {split}": is_light(split, cfg.DATA.SPLITS) for split in splits}  # they decide the gamma
    made_of = MadeOf("training", inputs, training_settings(flatten(cfg)) | lights, versions())
    paths = {START: str(start)} if start is not None else {}
    lists = {split: sources.lists[split] for split in splits if split in sources.lists}
    if PSEUDO_SPLIT in lists:
        paths[f"list {PSEUDO_SPLIT}"] = lists[PSEUDO_SPLIT]["path"]
    return Origin(made_of, paths, lists)


def origin_of_test(
    cfg: CfgNode, sources: Sources, setting: TestSetting, weights: Path, *, gamma: float, precision: str
) -> Origin:
    """Return what the predictions of a test are made from; its list is called `list`, whatever the split's name.

    Args:
        cfg: the run.
        sources: its lists.
        setting: the test.
        weights: the file that is tested.
        gamma: exponent of the clips.
        precision: arithmetic of the network.
    """
    inputs = {WEIGHTS: weights_input(weights)}
    used = {"": setting.split} | ({" of the adaptation": setting.adapt_split} if setting.adapt else {})
    for which, split in used.items():
        inputs |= {f"{role.split()[0]}{which}": item for role, item in sources.of([split]).items()}
    settings = test_settings(flatten(cfg), adapted=bool(setting.adapt))
    own = {"views": setting.views, "crops": setting.crops, "gamma": gamma, "precision": precision}
    made_of = MadeOf("predictions", inputs, {**settings, **own, "adaptation": setting.adapt}, versions())
    lists = {which: sources.lists[split] for which, split in used.items() if split in sources.lists}
    return Origin(made_of, {WEIGHTS: str(weights)}, lists)


def weights_input(path: Path) -> Input:
    """Return the content of weights: of the tensors, where this library wrote the file, else of the file or folder."""
    if path.is_dir():
        return input_of_folder(path)
    known = ClipDigests(digest=_weights_digest, kind="weights").of([str(path)])[0]
    digest, _, rounds = known.partition(":")
    return Input(digest, round=int(rounds or 0))


def _weights_digest(path: str, size: int) -> str:
    """Return `digest:round` of a file of weights."""
    state: Any = None
    if path.endswith(".pyth"):
        try:
            state = read_tensor_file(path)
        except (TensorFileError, MemoryError):
            logger.debug("%s is known by its bytes", path)
    if not isinstance(state, dict) or DIGEST not in state or "model_state" not in state:
        return input_of_file(path).digest
    made_of = MadeOf.from_plain(state.get("made_of"))
    return f"{state_digest(state['model_state'])}:{made_of.round if made_of else -1}"


def made_of_state(state: dict[str, Any]) -> tuple[MadeOf | None, bool]:
    """Return what a stored training was made from, and whether its inputs are known; older ones know settings only."""
    made_of = MadeOf.from_plain(state.get("made_of"))
    if made_of is not None or not isinstance(state.get("cfg"), str):
        return made_of, made_of is not None
    try:
        values = _flat(yaml.safe_load(state["cfg"]))
    except (yaml.YAMLError, AttributeError):
        return None, False
    return MadeOf("training", {}, training_settings(values)), False


def _flat(tree: dict, prefix: str = "") -> dict[str, Any]:
    """Return the dotted keys of nested dicts."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def complete_record(best: Path, origin: Origin) -> None:
    """Write the record beside the best weights of this training, where a kill came between the two."""
    if read_record(best)[0] is None and best.is_file():
        made_of = MadeOf.from_plain(load_checkpoint(best).get("made_of"))
        if made_of is not None and made_of.identity() == origin.made_of.identity():
            origin.record(best)


def changes(state: dict[str, Any], now: MadeOf) -> list[str]:
    """Return what differs between a stored training and the one that is wanted, one phrase each.

    Keys that the stored one did not know had their default; starting weights that are gone are taken as they were.
    """
    old, known = made_of_state(state)
    if old is None:
        return []
    usual = training_settings(flatten(get_cfg()))
    settings = {key: old.settings.get(key, usual.get(key)) for key in now.settings if key in {*old.settings, *usual}}
    inputs = dict(now.inputs) if known else {}
    if START in old.inputs and inputs.get(START, Input("missing")).digest == "missing":
        inputs[START] = old.inputs[START]
    wanted = {key: now.settings[key] for key in settings}
    return differences(MadeOf("training", old.inputs, settings), MadeOf("training", inputs, wanted))


def shortened(phrases: list[str]) -> str:
    """Return the first phrases, and how many more there are."""
    more = f" and {len(phrases) - _NAMED} more" if len(phrases) > _NAMED else ""
    return ", ".join(phrases[:_NAMED]) + more


def is_made(path: Path, made_of: MadeOf) -> bool:
    """Return whether predictions are there already, made from this by the same versions, and whole."""
    if not path.is_file():
        return False
    try:
        there = load_predictions(path, several=True)
    except InputError:
        return False
    stored = MadeOf.from_plain(there.made_of)
    same = stored is not None and stored.identity() == made_of.identity()
    return same and stored.made_with == made_of.made_with and not there.failed
