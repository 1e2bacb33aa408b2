"""What this machine has and can do, line by line with its remedy.

Nothing here needs an installed dependency: each check imports what it asks for by itself, in a process that may die of it.
"""

from lfb_lightning.doctor.line import Line, Section, note, ok, problem
from lfb_lightning.doctor.running import examine
from lfb_lightning.doctor.settings import Settings

__all__ = ["Line", "Section", "Settings", "examine", "note", "ok", "problem"]
