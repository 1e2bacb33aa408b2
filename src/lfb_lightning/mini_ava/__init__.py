"""Mini-AVA: a generated data set in AVA's own file formats, in which memory matters.

Coloured actors move in a 2 x 2 grid of cells. Now and then an actor shows a *cue* (a coloured glyph), and seconds before
or after it a *pulse* (a white ring) whose action is decided by that same actor's cue: looking at the clip alone, its three
kinds are one and the same picture. A detector can tell them only by remembering who showed what.
"""

from lfb_lightning.mini_ava.actions import ACTION_NAMES, LONG_TERM_IDS, SHORT_TERM_IDS
from lfb_lightning.mini_ava.files import MiniAVA, generate

__all__ = ["ACTION_NAMES", "LONG_TERM_IDS", "SHORT_TERM_IDS", "MiniAVA", "generate"]
