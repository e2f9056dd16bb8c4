"""What a run needs is looked at before anything is written: lists, videos, starting weights."""

from collections.abc import Iterator
from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.config import parse_also
from slowfast.datasets.loader import build_dataset
from slowfast.datasets.splits import PSEUDO_SPLIT
from slowfast.engine.build import start_path, validation_role
from slowfast.engine.provenance import check_table
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path


def check_inputs(cfg: CfgNode, output: Path) -> None:
    """Read every list that the run will use and look for its videos and starting weights.

    Args:
        cfg: the run.
        output: its output folder; with checkpoints in it, starting weights are not needed any more.

    Raises:
        InputError: naming everything that is wrong together.
    """
    wrong: dict[str, None] = {}
    for split, role, train in dict.fromkeys(_needed_splits(cfg)):
        try:
            build_dataset(cfg, split, role, train=train)
        except InputError as error:
            wrong[str(error)] = None
    if cfg.TRAIN.ENABLE and cfg.DATA.PSEUDO_CSV:
        try:
            check_table(repo_path(cfg.DATA.PATH_PREFIX) / cfg.DATA.PSEUDO_CSV)
        except InputError as error:
            wrong[str(error)] = None
    resumes = cfg.TRAIN.AUTO_RESUME and any((output / "checkpoints").glob("checkpoint_*.pyth"))
    if cfg.TRAIN.ENABLE and not resumes:
        try:
            start_path(cfg)
        except InputError as error:
            wrong[str(error)] = None
    if wrong:
        raise InputError("; ".join(wrong))


def _needed_splits(cfg: CfgNode) -> Iterator[tuple[str, str, bool]]:
    """Yield (split, role, train) of all loaders of a run."""
    if cfg.TRAIN.ENABLE:
        yield "train_label", "source", True
        if cfg.DATA.PSEUDO_CSV:
            yield PSEUDO_SPLIT, "target", True
        if cfg.BN.USE_PRECISE_STATS:
            yield cfg.BN.ADAPT_SPLIT, "bn", True
        yield from ((split, validation_role(split), False) for split in cfg.TRAIN.EVAL_SPLITS)
    if cfg.TEST.ENABLE:
        yield cfg.TEST.DATA_SELECT, "test", False
        for setting in map(parse_also, cfg.TEST.ALSO):
            yield setting.split, "test", False
            if setting.bn_split:
                yield setting.bn_split, "bn", True
