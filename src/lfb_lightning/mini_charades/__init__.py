"""Mini-Charades: a generated data set in Charades' file formats, with actions that no clip of two seconds can tell.

A video shows two *cues*, colored squares of different kinds and colors, and between them a *pulse*, a ring in the color of
one of the two. The action of a pulse is the kind of the cue of its color. No clip sees the pulse and a cue; the ten seconds
around the pulse hold both cues, so that whoever pools them knows two kinds and not which one.
"""

from lfb_lightning.mini_charades.files import MiniCharades, generate
from lfb_lightning.mini_charades.scenario import CLASS_NAMES, LONG_TERM, SHORT_TERM

__all__ = ["CLASS_NAMES", "LONG_TERM", "SHORT_TERM", "MiniCharades", "generate"]
