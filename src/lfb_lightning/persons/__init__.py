"""Finding the persons of a video, and linking those of consecutive moments to tracks."""

from lfb_lightning.persons.linking import PersonLinker
from lfb_lightning.persons.person_source import PersonSource

__all__ = ["PersonLinker", "PersonSource"]
