"""Everything that imports Lightning: modules that train, test and extract, the data they read, and callbacks."""

from lfb_lightning.lightning.datamodules.action_data import ActionDataModule
from lfb_lightning.lightning.datamodules.extraction_data import ExtractionDataModule
from lfb_lightning.lightning.modules.detection import DetectionTask
from lfb_lightning.lightning.modules.extraction import ExtractionTask
from lfb_lightning.lightning.modules.optimization import Optimization
from lfb_lightning.lightning.modules.parameter_groups import parameter_groups
from lfb_lightning.lightning.modules.schedules import TorchSchedule

__all__ = [
    "ActionDataModule",
    "DetectionTask",
    "ExtractionDataModule",
    "ExtractionTask",
    "Optimization",
    "TorchSchedule",
    "parameter_groups",
]
