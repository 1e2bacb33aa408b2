"""Imports weights of other code bases: they are read safely and renamed, and every key is accounted for."""

from lfb_lightning.models.imports.imported import Imported
from lfb_lightning.models.imports.importing import import_weights
from lfb_lightning.models.imports.report import ImportReport

__all__ = ["ImportReport", "Imported", "import_weights"]
