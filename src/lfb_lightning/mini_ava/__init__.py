"""Mini-AVA: a generated data set in AVA's own file formats, with actions that only the seconds around a clip can tell.

Colored actors move in a 2 x 2 grid of cells. Now and then an actor shows a *cue* (a colored glyph), and seconds before
or after it a *pulse* (a white ring). The action of a pulse is one of three, and the same actor's cue decides which; the
three look the same in the clip. A detector can distinguish them only by remembering which actor showed which cue.

In mini-AVA hard (`HARD`) the actors look alike and change places, and the cue lies farther away: see `hard_scenario`.
"""

from lfb_lightning.mini_ava.actions import ACTION_NAMES, HARD_ACTION_NAMES, LONG_TERM_IDS, SHORT_TERM_IDS
from lfb_lightning.mini_ava.files import HARD, MiniAVA, generate

__all__ = ["ACTION_NAMES", "HARD", "HARD_ACTION_NAMES", "LONG_TERM_IDS", "SHORT_TERM_IDS", "MiniAVA", "generate"]
