"""Weights of other code bases as detectors of ours: read safely, renamed, and every key accounted for."""

from lfb_lightning.models.imports.importing import Imported, import_weights
from lfb_lightning.models.imports.report import ImportReport

__all__ = ["ImportReport", "Imported", "import_weights"]
