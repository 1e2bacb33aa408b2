"""Who gives the features of an object bank, and the one that has them already: the backbone of a checkpoint."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from lfb_lightning.errors import InputError
from lfb_lightning.models import ActionDetector, RoIFeatures
from lfb_lightning.models.attributes import short_term_channels
from lfb_lightning.models.region_model import RegionModel
from lfb_lightning.persons.object_boxes import ObjectBoxes


@runtime_checkable
class ObjectSource(Protocol):
    """Boxes of objects, and what computes their features."""

    @property
    def boxes(self) -> ObjectBoxes:
        """Which boxes."""
        ...

    @property
    def needs_checkpoint(self) -> bool:
        """Whether `model` works on a detector of actions, whose clips are then read; else it sees one still picture."""
        ...

    def model(self, detector: ActionDetector | None) -> RegionModel:
        """Give the `torch.nn.Module` that computes the features.

        Args:
            detector: The checkpoint's, where one is needed.
        """
        ...


class CheckpointObjects:
    """Features of a checkpoint's backbone, RoIAligned to the boxes of objects.

    Args:
        boxes: Which boxes.
        output_size: RoIAlign cells per side.
    """

    needs_checkpoint = True

    def __init__(
        self,
        *,
        boxes: ObjectBoxes,
        output_size: int = 7,
    ) -> None:
        self.boxes = boxes
        self._regions = RoIFeatures(output_size=output_size)

    def model(self, detector: ActionDetector | None) -> RegionModel:
        """Give the backbone with this pooling; see `ObjectSource.model`."""
        if detector is None:
            raise InputError("objects=checkpoint needs ckpt_path, the checkpoint whose backbone sees the objects.")
        return _AlignedBackbone(detector, self._regions)


class _AlignedBackbone(nn.Module):
    def __init__(self, detector: ActionDetector, regions: nn.Module) -> None:
        super().__init__()
        self.backbone = detector.backbone
        self.regions = regions
        self.channels = short_term_channels(detector.backbone, regions)
        self._stride = detector.stride
        self._description = detector.describe_backbone()

    def describe_backbone(self) -> str:
        return f"{self._description}, objects aligned"

    def short_term_features(
        self, clips: Float[Tensor, "B 3 T H W"], rois: Float[Tensor, "R 5"]
    ) -> Float[Tensor, "R C"]:
        features: Tensor = self.regions(self.backbone(clips), rois, stride=self._stride)
        return features
