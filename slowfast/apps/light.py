"""Which gamma a single clip gets: measured from its frames, because no list says whether it is light or dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fvcore.common.config import CfgNode

from slowfast.utils.errors import InputError
from slowfast.video.probe import DARK_LUMA, mean_grey, probe


@dataclass(frozen=True)
class Light:
    """What is done about the light of a clip.

    Args:
        gamma: exponent of the gamma correction.
        luma: mean grey of some frames, 0 to 255; None where it was not or could not be measured.
        reason: in words.
    """

    gamma: float
    luma: float | None = None
    reason: str = ""


def choose_light(cfg: CfgNode, paths: Sequence[Path], gamma: float | None = None) -> list[Light]:
    """Return the gamma of every file: DATA.GAMMA.TEST for dark clips, DATA.GAMMA.VAL_BRIGHT for light ones.

    Args:
        cfg: DATA.GAMMA and DATA.DECODING_BACKEND are read.
        paths: files, readable or not.
        gamma: for all of them, as the user says.

    Raises:
        InputError: `gamma` is none.
    """
    if gamma is not None:
        return [_given(gamma)] * len(paths)
    return [_measured(cfg, path) for path in paths]


def light_of(cfg: CfgNode, frames: Sequence[np.ndarray], gamma: float | None = None) -> Light:
    """Return the gamma for frames, uint8 (H, W, 3); see `choose_light`."""
    if gamma is not None:
        return _given(gamma)
    return _chosen(cfg, float(np.mean([mean_grey(frame_HWC) for frame_HWC in frames])))


def _given(gamma: float) -> Light:
    """Return the gamma that the user gave."""
    if not 0 < gamma <= 10:
        raise InputError(f"--gamma is {gamma}, a value above 0 and up to 10 is needed (1 is off)")
    return Light(gamma, reason=f"gamma {gamma:g} as given")


def _measured(cfg: CfgNode, path: Path) -> Light:
    """Return the gamma of one file."""
    facts = probe(path, cfg.DATA.DECODING_BACKEND)
    return _chosen(cfg, facts.luma) if facts.readable else Light(cfg.DATA.GAMMA.TEST)


def _chosen(cfg: CfgNode, luma: float) -> Light:
    """Return the gamma for a mean grey."""
    dark = luma < DARK_LUMA
    gamma = cfg.DATA.GAMMA.TEST if dark else cfg.DATA.GAMMA.VAL_BRIGHT
    kind = f"dark, mean grey {luma:.0f} below" if dark else f"light, mean grey {luma:.0f} from"
    return Light(gamma, luma, f"{kind} {DARK_LUMA:g}: gamma {gamma:g}{' (off)' if gamma == 1 else ''}")
