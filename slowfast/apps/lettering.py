"""A font that has the letters of a text, wherever one is installed."""

import functools
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

from PIL import ImageFont

logger = logging.getLogger(__name__)

_FOLDERS = (
    "/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/System/Library/Fonts",
    "/Library/Fonts", "C:/Windows/Fonts",
)  # fmt: skip
_ENDINGS = (".ttf", ".otf", ".ttc")
# Fonts that are likely to have what others lack come first; plain ones before bold and slanted.
_RICH = re.compile(r"cjk|hei|ming|song|gothic|noto|unifont|unicode|dejavu", re.IGNORECASE)
_MARKED = re.compile(r"bold|italic|oblique|black|thin|light", re.IGNORECASE)
_MISSING = "\U0010ffff"  # no font has it, so it shows what is drawn for a letter that is missing


@functools.lru_cache(maxsize=1)
def installed_fonts() -> tuple[str, ...]:
    """Return the font files of this machine, the likely ones first."""
    found = [
        os.path.join(folder, name)
        for start in _FOLDERS
        for folder, _, names in os.walk(Path(start).expanduser())
        for name in names
        if name.lower().endswith(_ENDINGS)
    ]
    return tuple(sorted(found, key=lambda path: (not _RICH.search(path), bool(_MARKED.search(path)), path)))


def has_letters(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Return whether a font draws every letter of a text, and no box in its place."""
    box = bytes(font.getmask(_MISSING))
    return all(letter.isspace() or bytes(font.getmask(letter)) != box for letter in set(text))


@functools.lru_cache(maxsize=256)
def font_for(text: str, size: int) -> ImageFont.FreeTypeFont | None:
    """Return a font that has all letters of a text, None where no installed one has."""
    plain = ImageFont.load_default(size)
    if has_letters(plain, text):
        return plain
    for path in installed_fonts():
        try:
            font = ImageFont.truetype(path, size)
            if has_letters(font, text):
                return font
        except (OSError, ValueError):  # damaged, or of a kind that cannot be read
            continue
    return None


def lettering(texts: Sequence[str], size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """Return the first of several texts that can be drawn, and the font; the last one has to be ASCII."""
    for text in texts:
        font = font_for(text, size)
        if font is not None:
            return text, font
        _tell(text)
    raise ValueError(f"{texts[-1]!r} is not ASCII")


@functools.lru_cache(maxsize=256)
def _tell(text: str) -> None:
    """Say once that a text cannot be drawn."""
    logger.warning("no installed font has the letters of %r: its number is drawn (fonts-noto-cjk has most)", text)
