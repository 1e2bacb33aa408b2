"""Mini-EPIC: a generated data set in EPIC-Kitchens' file formats, whose nouns can only be known from minutes before.

In the first minute three boxes of different colors stand on a shelf, and something is put into each. From then on closed
boxes are handled: the motion is the verb, and the noun is what was put into the box of that color. A feature of a whole clip
shows all three boxes at once; only a feature of an object binds what was put away to the color of its box.
"""

from lfb_lightning.mini_epic.files import MiniEPIC, generate
from lfb_lightning.mini_epic.scenario import NOUNS, TAIL_NOUNS, TAIL_VERBS, VERBS

__all__ = ["NOUNS", "TAIL_NOUNS", "TAIL_VERBS", "VERBS", "MiniEPIC", "generate"]
