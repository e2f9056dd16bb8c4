"""Failures of the machine in one sentence: too little memory, decoding processes that die or hang."""

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
    "out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc", "alloc_failed", "killed by signal",
    "unable to allocate", "insufficient shared memory", "bus error",
)  # fmt: skip


@contextlib.contextmanager
def explain_failures(cfg: CfgNode, work: str) -> Iterator[None]:
    """Turn failures of the machine into a sentence that names the settings that help, with their values.

    Args:
        cfg: the run.
        work: `training` or `testing`.

    Raises:
        MemoryLimitError: the memory does not suffice.
        InputError: a decoding process died or hangs.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        sentence = _memory_sentence(cfg, work, error)
        if sentence:
            raise MemoryLimitError(sentence) from None
        sentence = _worker_sentence(cfg, error)
        if sentence:
            raise InputError(sentence) from None
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


def _worker_sentence(cfg: CfgNode, error: Exception) -> str:
    """Return what to do about decoding processes that died or hang, or an empty string for another failure."""
    text = str(error)
    if "DataLoader timed out" in text:
        return (
            f"no batch within DATA_LOADER.TIMEOUT ({cfg.DATA_LOADER.TIMEOUT}) seconds: storage or a decoder hangs; "
            "check the videos with tools/check_videos.py, or raise the limit"
        )
    if "DataLoader worker" in text and ("exited unexpectedly" in text or "killed by signal" in text):
        return (
            f"a decoding process died ({text.splitlines()[0]}): a video may crash the decoder; find it with "
            f"tools/check_videos.py, or set DATA_LOADER.NUM_WORKERS 0 (now {cfg.DATA_LOADER.NUM_WORKERS})"
        )
    return ""
