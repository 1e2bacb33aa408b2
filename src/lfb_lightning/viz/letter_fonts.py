"""Fonts for texts of any script: the one that comes with matplotlib, or else one of the machine's that has the letters."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
from matplotlib.ft2font import FT2Font

USUAL_FONT = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")  # there on every machine


@lru_cache(maxsize=1024)
def font_for(text: str) -> str:
    """Return the file of a font that has all letters of a text; the usual one if no font has."""
    letters = frozenset(map(ord, text)) - {ord(" ")}
    if _has(USUAL_FONT, letters):
        return USUAL_FONT
    from matplotlib.font_manager import fontManager  # lists the machine's fonts, which takes a moment

    # The "last resort" font has a box for every letter.
    files = sorted(entry.fname for entry in fontManager.ttflist if "LastResort" not in entry.fname)
    return next((file for file in files if _has(file, letters)), USUAL_FONT)


def _has(file: str, letters: frozenset[int]) -> bool:
    try:
        return letters <= _letters_of(file)
    except (OSError, RuntimeError):  # a font that was removed, or that FreeType does not read
        return False


@lru_cache(maxsize=256)
def _letters_of(file: str) -> frozenset[int]:
    return frozenset(FT2Font(file).get_charmap())
