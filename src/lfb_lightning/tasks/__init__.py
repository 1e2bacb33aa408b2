"""Everything that knows Lightning: data modules, the detection and the extraction task, optimisation."""

from lfb_lightning.tasks.datamodule import AvaDataModule
from lfb_lightning.tasks.detection import DetectionTask
from lfb_lightning.tasks.extraction import ExtractionTask
from lfb_lightning.tasks.extraction_data import ExtractionDataModule
from lfb_lightning.tasks.optimisation import Optimisation

__all__ = ["AvaDataModule", "DetectionTask", "ExtractionDataModule", "ExtractionTask", "Optimisation"]
