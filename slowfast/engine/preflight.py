"""What a run needs is looked at before anything is written; what it lacks later is told in one sentence."""

import contextlib
import errno
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from slowfast.config import flatten
from slowfast.datasets.loader import build_loader, build_pool_loader, list_separators
from slowfast.datasets.sources import Sources
from slowfast.datasets.splits import PSEUDO_SPLIT, remarks
from slowfast.engine.adapt import ADAPTATIONS
from slowfast.engine.build import build_train_loader, resolve_tests, start_path
from slowfast.engine.methods.base import reads_of
from slowfast.ensemble.provenance import check_table
from slowfast.lists.records import ClipRecord, VideoList
from slowfast.utils import distributed
from slowfast.utils.errors import InputError, MemoryLimitError
from slowfast.utils.paths import repo_path

logger = logging.getLogger(__name__)

COMPILED_CHECKPOINTS = (2, 9)  # the oldest torch that was found to compile checkpointed blocks as they run uncompiled


def check_inputs(cfg: CfgNode, output: Path) -> Sources:
    """Read every list that the run will use and look for its videos and starting weights.

    Args:
        cfg: the run.
        output: its output folder; with checkpoints in it, starting weights are not needed any more.

    Returns:
        What the lists hold.

    Raises:
        InputError: naming everything that is wrong together.
    """
    wrong: dict[str, None] = {}
    lists: dict[str, VideoList] = {}
    by_split: dict[str, VideoList] = {}
    for reads in reads_of(cfg).values() if cfg.TRAIN.ENABLE else ():
        try:
            loader = build_train_loader(cfg, reads, num_workers=0, rank=0)
            if reads.split == PSEUDO_SPLIT:
                _check_pseudo_labels(cfg, loader.dataset.records)
            lists.setdefault(reads.role, loader.dataset.records)
            by_split.setdefault(reads.split, loader.dataset.records)
        except InputError as error:
            wrong[str(error)] = None
    for split, role, train in dict.fromkeys(_needed_splits(cfg)):
        try:
            loader = build_loader(cfg, split, role, train=train, num_workers=0, world_size=distributed.world_size())
            lists[split] = by_split[split] = loader.dataset.records
        except InputError as error:
            wrong[str(error)] = None
    wrong |= dict.fromkeys(_wrong_adaptations(cfg, by_split) if cfg.TEST.ENABLE else ())
    clips = cfg.TRAIN.BATCH_SIZE // distributed.world_size() * cfg.AUG.NUM_SAMPLE
    if cfg.TRAIN.ENABLE and cfg.MIXUP.ENABLE and clips < 2:
        few = f"MIXUP.ENABLE needs at least two clips in every process, TRAIN.BATCH_SIZE {cfg.TRAIN.BATCH_SIZE} gives"
        wrong[f"{few} {clips}: raise it, or set MIXUP.ENABLE False and MODEL.LOSS_FUNC cross_entropy"] = None
    wrong |= dict.fromkeys(_wrong_compilation(cfg) if cfg.TRAIN.ENABLE and cfg.TRAIN.COMPILE else ())
    resumes = cfg.TRAIN.AUTO_RESUME and any((output / "checkpoints").glob("checkpoint_*.pyth"))
    if cfg.TRAIN.ENABLE and not resumes:
        try:
            start_path(cfg)
        except InputError as error:
            wrong[str(error)] = None
    if wrong:
        raise InputError("; ".join(wrong))
    if "source" in lists:
        evaluated = {split: lists[split] for split, role, _ in _needed_splits(cfg) if role in ("val", "test")}
        for text in remarks(lists["source"], evaluated):
            logger.warning("%s", text)
    sources = Sources()
    for split, records in by_split.items():
        sources.add(split, records, list_separators(cfg, split), cfg.MODEL.NUM_CLASSES)
    return sources


def _wrong_compilation(cfg: CfgNode) -> Iterator[str]:
    """Yield what does not go with TRAIN.COMPILE."""
    replayed, again = cfg.TRAIN.COMPILE == "replay", cfg.MODEL.USE_CHECKPOINT
    if replayed and (again or distributed.world_size() > 1):
        found = "MODEL.USE_CHECKPOINT True" if again else f"{distributed.world_size()} processes"
        yield f"TRAIN.COMPILE replay does not go with {found}: set TRAIN.COMPILE blocks"
    elif again and torch.__version__ < COMPILED_CHECKPOINTS:
        newer = ".".join(map(str, COMPILED_CHECKPOINTS))
        both = "TRAIN.COMPILE and MODEL.USE_CHECKPOINT are both on, with which BatchNorm statistics come out wrong in"
        yield f"{both} torch {torch.__version__}: set one of them False, or install torch {newer} or newer"


def _wrong_adaptations(cfg: CfgNode, lists: dict[str, VideoList]) -> Iterator[str]:
    """Yield what is wrong with names and pools of the adaptations of tests; the pools are added to `lists`."""
    for setting in resolve_tests(cfg):
        if setting.adapt and setting.adapt not in ADAPTATIONS:
            yield ADAPTATIONS.refusal(setting.adapt)
        elif setting.adapt and not ADAPTATIONS[setting.adapt].training_views:
            try:
                lists[setting.adapt_split] = build_pool_loader(cfg, setting.adapt_split).dataset.records
            except InputError as error:
                yield str(error)


def _check_pseudo_labels(cfg: CfgNode, records: Sequence[ClipRecord]) -> None:
    """Refuse a table that was changed, or has no probabilities where the loss is taken against them."""
    table = repo_path(cfg.DATA.PATH_PREFIX) / cfg.DATA.PSEUDO_CSV
    check_table(table)
    rows = [record.row + 1 for record in records if record.probs is None]
    if rows and cfg.MODEL.PSEUDO_LOSS_FUNC:
        raise InputError(
            f"{table}: {len(rows)} rows (the first is row {rows[0]}) have no probabilities, which "
            f"MODEL.PSEUDO_LOSS_FUNC {cfg.MODEL.PSEUDO_LOSS_FUNC} needs; make the table with "
            "gen_pseudo_tools, or set MODEL.PSEUDO_LOSS_FUNC ''"
        )


def _needed_splits(cfg: CfgNode) -> Iterator[tuple[str, str, bool]]:
    """Yield (split, role, train) of all loaders of a run but those of its method."""
    if cfg.TRAIN.ENABLE:
        if cfg.BN.USE_PRECISE_STATS:
            yield cfg.BN.ADAPT_SPLIT, "bn", True
        yield from ((split, "val", False) for split in cfg.TRAIN.EVAL_SPLITS)
    if cfg.TEST.ENABLE:
        for setting in resolve_tests(cfg):
            yield setting.split, "test", False
            if setting.adapt in ADAPTATIONS and ADAPTATIONS[setting.adapt].training_views:
                yield setting.adapt_split, "bn", True


# In training, the settings that help most come first; what stands behind each is a value that needs less.
_HELP = {
    "training": (
        "lower TRAIN.BATCH_SIZE", "AUG.NUM_SAMPLE", "DATA.NUM_FRAMES", "DATA.TRAIN_CROP_SIZE",
        "TEST.BATCH_SIZE (evaluations)", "DATA_LOADER.NUM_WORKERS", "or raise TRAIN.ACCUMULATE",
        "or set MODEL.USE_CHECKPOINT True", "TRAIN.MIXED_PRECISION bf16",
    ),
    "testing": ("lower TEST.BATCH_SIZE", "TEST.NUM_ENSEMBLE_VIEWS", "TEST.NUM_SPATIAL_CROPS", "DATA.NUM_FRAMES",
        "DATA.TEST_CROP_SIZE", "ADAPT.BATCH_SIZE (adaptation)", "DATA_LOADER.NUM_WORKERS",
        "or set TEST.MIXED_PRECISION bf16"),
}  # fmt: skip
_NO_MEMORY = (
    "out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc", "alloc_failed",
    "unable to allocate",
)  # fmt: skip

# What the layers of torch say when nothing is left of a clip.
_TOO_SMALL = ("greater than actual input size", "output size is too small")
# What its BatchNorm says of a batch of one clip, once pooled.
_LONELY = "Expected more than 1 value per channel"


@contextlib.contextmanager
def explain_memory(cfg: CfgNode, work: str) -> Iterator[None]:
    """Turn a lack of memory into a sentence that names the settings that help, with their values.

    Args:
        cfg: the run.
        work: `training` or `testing`.

    Raises:
        MemoryLimitError: the memory does not suffice.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        sentence = _memory_sentence(cfg, work, error)
        if sentence:
            raise MemoryLimitError(sentence) from None
        raise


def _memory_sentence(cfg: CfgNode, work: str, error: Exception) -> str:
    """Return what to do about too little memory, or an empty string for another failure."""
    text = str(error).strip()
    known = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or getattr(error, "errno", None) == errno.ENOMEM
    if not known and not (isinstance(error, RuntimeError) and any(word in text.lower() for word in _NO_MEMORY)):
        return ""
    values = flatten(cfg)
    knobs = []
    for knob in _HELP[work]:
        key = next(word for word in knob.split() if word in values)
        knobs.append(knob.replace(key, f"{key} (now {values[key]})"))
    reason = text.splitlines()[0][:200].rstrip(".") if text else type(error).__name__
    return f"out of memory in {work} ({reason}): {', '.join(knobs)}; the run goes on from its last checkpoint"


@contextlib.contextmanager
def explain_sizes(cfg: CfgNode) -> Iterator[None]:
    """Turn the failure of a network on clips that are too small, or on a batch of one clip, into a sentence.

    Raises:
        InputError: naming the sizes.
    """
    try:
        yield
    except ValueError as error:
        if _LONELY not in str(error):
            raise
        sizes = ("TRAIN.BATCH_SIZE", "ADAPT.BATCH_SIZE", "DATA.TRAIN_CROP_SIZE")
        named = ", ".join(f"{key} (now {flatten(cfg)[key]})" for key in sizes)
        raise InputError(
            f"a BatchNorm of MODEL.ARCH {cfg.MODEL.ARCH} got a single value a channel, which has no statistics: give"
            f" every process two clips or more, or larger ones: raise {named}, or set MVIT.NECK_BN False"
        ) from None
    except RuntimeError as error:
        if not any(words in str(error) for words in _TOO_SMALL):
            raise
        data = cfg.DATA
        raise InputError(
            f"the clips are too small for MODEL.ARCH {cfg.MODEL.ARCH}: raise DATA.TRAIN_CROP_SIZE (now "
            f"{data.TRAIN_CROP_SIZE}), DATA.TEST_CROP_SIZE (now {data.TEST_CROP_SIZE}) or DATA.NUM_FRAMES (now "
            f"{data.NUM_FRAMES})"
        ) from None
