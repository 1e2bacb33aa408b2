"""Everything that imports Lightning: modules that train, test and extract, the data they read, and callbacks."""

from lfb_lightning.lightning.datamodules.action_data import ActionDataModule
from lfb_lightning.lightning.datamodules.extraction_data import ExtractionDataModule
from lfb_lightning.lightning.modules.detection import DetectionTask
from lfb_lightning.lightning.modules.extraction import ExtractionTask
from lfb_lightning.lightning.modules.optimization import Optimisation

__all__ = ["ActionDataModule", "DetectionTask", "ExtractionDataModule", "ExtractionTask", "Optimisation"]
