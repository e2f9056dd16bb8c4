"""Too little memory and clips too small for the network, in one sentence that names the settings that help."""

import contextlib
import errno
from collections.abc import Iterator

import torch
from fvcore.common.config import CfgNode

from slowfast.config import flatten
from slowfast.utils.errors import InputError, MemoryLimitError

# In training, the settings that help most come first; what stands behind each is a value that needs less.
_HELP = {
    "training": (
        "lower TRAIN.BATCH_SIZE", "AUG.NUM_SAMPLE", "DATA.NUM_FRAMES", "DATA.TRAIN_CROP_SIZE",
        "TEST.BATCH_SIZE (evaluations)", "DATA_LOADER.NUM_WORKERS", "or set MODEL.USE_CHECKPOINT True",
        "TRAIN.MIXED_PRECISION bf16",
    ),
    "testing": ("lower TEST.BATCH_SIZE", "TEST.NUM_ENSEMBLE_VIEWS", "TEST.NUM_SPATIAL_CROPS", "DATA.NUM_FRAMES",
        "DATA.TEST_CROP_SIZE", "DATA_LOADER.NUM_WORKERS", "or set TEST.MIXED_PRECISION bf16"),
}  # fmt: skip
_NO_MEMORY = (
    "out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc", "alloc_failed",
    "unable to allocate",
)  # fmt: skip

# What the layers of torch say when nothing is left of a clip.
_TOO_SMALL = ("greater than actual input size", "output size is too small")


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
    """Turn the failure of a network on clips that are too small into a sentence.

    Raises:
        InputError: naming the sizes.
    """
    try:
        yield
    except RuntimeError as error:
        if not any(words in str(error) for words in _TOO_SMALL):
            raise
        data = cfg.DATA
        raise InputError(
            f"the clips are too small for MODEL.ARCH {cfg.MODEL.ARCH}: raise DATA.TRAIN_CROP_SIZE (now "
            f"{data.TRAIN_CROP_SIZE}), DATA.TEST_CROP_SIZE (now {data.TEST_CROP_SIZE}) or DATA.NUM_FRAMES (now "
            f"{data.NUM_FRAMES})"
        ) from None
