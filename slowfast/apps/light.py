"""Which gamma a single clip gets: measured from its frames, because no list says whether it is light or dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.utils.errors import InputError
from slowfast.video.probe import DARK_LUMA, probe


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
        if not 0 < gamma <= 10:
            raise InputError(f"--gamma is {gamma}, a value above 0 and up to 10 is needed (1 is off)")
        return [Light(gamma, reason=f"gamma {gamma:g} as given")] * len(paths)
    return [_measured(cfg, path) for path in paths]


def _measured(cfg: CfgNode, path: Path) -> Light:
    """Return the gamma of one file."""
    facts = probe(path, cfg.DATA.DECODING_BACKEND)
    if not facts.readable:
        return Light(cfg.DATA.GAMMA.TEST)
    gamma = cfg.DATA.GAMMA.TEST if facts.dark else cfg.DATA.GAMMA.VAL_BRIGHT
    kind = f"dark, mean grey {facts.luma:.0f} below" if facts.dark else f"light, mean grey {facts.luma:.0f} from"
    return Light(gamma, facts.luma, f"{kind} {DARK_LUMA:g}: gamma {gamma:g}{' (off)' if gamma == 1 else ''}")
