"""Whether there is a GPU that torch can use, and why not."""

import logging
import warnings

import torch

logger = logging.getLogger(__name__)


def find_gpu() -> tuple[bool, str]:
    """Return whether torch can use a GPU, and what it says of one that it cannot use (a driver that is too old)."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = torch.cuda.is_available()
    return found, "" if found or not told else " ".join(str(told[0].message).split())[:300]


def has_mac_gpu() -> bool:
    """Return whether there is the GPU of a Mac (torch's `mps`), which nothing here uses."""
    return torch.backends.mps.is_available()


def use_gpu(num_gpus: int) -> bool:
    """Return whether a run uses GPUs: NUM_GPUS is not 0, and torch can; a GPU that it cannot use is told."""
    if not num_gpus:
        return False
    found, reason = find_gpu()
    if reason:
        logger.warning(
            "the GPU of this machine cannot be used, so everything runs on the CPU, much slower: %s; install the "
            "driver that torch %s needs, or a torch for this driver; NUM_GPUS 0 asks for the CPU",
            reason, torch.__version__,
        )  # fmt: skip
    if not found and has_mac_gpu():
        logger.warning(
            "the GPU of this Mac (mps) is not used, since nothing has been tried on it: everything runs on the CPU; "
            "NUM_GPUS 0 asks for that"
        )
    return found
