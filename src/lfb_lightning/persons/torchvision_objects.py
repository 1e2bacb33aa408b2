"""Features of objects by torchvision's two-stage detectors: what their box head computes before it names a class."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lfb_lightning.errors import InputError
from lfb_lightning.files.torch_file import read_torch
from lfb_lightning.models import ActionDetector
from lfb_lightning.models.region_model import RegionModel
from lfb_lightning.persons.object_boxes import ObjectBoxes
from lfb_lightning.persons.torchvision import weights_in_cache

_CLASSES = "roi_heads.box_predictor.cls_score.weight"
_MOST_CLASSES = 100_000


class TorchvisionObjects(nn.Module):
    """A Faster R-CNN of torchvision, whose box head describes given boxes in 1024 numbers (`fc7`), as the paper's detector.

    Args:
        boxes: Which boxes.
        model: Its name.
        weights: A file of them, also of a model with classes of its own; None: the ones trained on COCO, out of torch hub's
            cache, and the first time off the net.

    Raises:
        InputError: The weights cannot be had, or are another model's.
    """

    needs_checkpoint = False

    def __init__(
        self,
        *,
        boxes: ObjectBoxes,
        model: Literal[
            "fasterrcnn_mobilenet_v3_large_320_fpn",
            "fasterrcnn_mobilenet_v3_large_fpn",
            "fasterrcnn_resnet50_fpn",
            "fasterrcnn_resnet50_fpn_v2",
        ] = "fasterrcnn_resnet50_fpn_v2",
        weights: str | None = None,
    ) -> None:
        super().__init__()
        self.boxes = boxes
        path = weights_in_cache(model, section="objects") if weights is None else Path(weights)
        detector = _loaded(model, path)
        self.backbone: nn.Module = detector
        self.channels = int(detector.roi_heads.box_predictor.cls_score.in_features)
        self._name = model

    def model(self, detector: ActionDetector | None) -> RegionModel:
        """Give itself; see `ObjectSource.model`."""
        return self

    def describe_backbone(self) -> str:
        """Name the detector."""
        return f"torchvision {self._name}, box head"

    def short_term_features(
        self, clips: Float[Tensor, "B 3 T H W"], rois: Float[Tensor, "R 5"]
    ) -> Float[Tensor, "R C"]:
        """Compute the box head's features; of a clip the middle picture is seen; see `RegionModel`."""
        pictures = clips[:, :, clips.shape[2] // 2]
        if len(rois) == 0:
            return pictures.new_zeros(0, self.channels)
        detector: Any = self.backbone
        images, _ = detector.transform(list(pictures))  # its own normalization and size
        (height, width), shown = pictures.shape[2:], images.image_sizes
        sides = rois.new_tensor([shown[0][1] / width, shown[0][0] / height] * 2)
        order = rois[:, 0].argsort(stable=True)
        boxes = [rois[order][rois[order, 0] == clip, 1:] * sides for clip in range(len(pictures))]
        heads = detector.roi_heads
        found: Tensor = heads.box_head(heads.box_roi_pool(detector.backbone(images.tensors), boxes, shown))
        features = torch.empty_like(found)
        features[order] = found
        return features


def _loaded(model: str, path: Path) -> Any:
    from torchvision.models import get_model

    if not path.is_file():
        raise InputError(f"objects.weights {path}: no such file.")
    state = read_torch(path, what="objects.weights")
    classes = state.get(_CLASSES) if isinstance(state, dict) else None
    if not isinstance(classes, Tensor) or classes.ndim != 2 or not 1 < len(classes) <= _MOST_CLASSES:
        raise InputError(f"objects.weights {path}: no tensor {_CLASSES}, so no weights of a Faster R-CNN.")
    detector = get_model(model, weights=None, weights_backbone=None, num_classes=len(classes)).eval()
    try:
        detector.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[1 if "\n" in str(error) else 0].strip()[:200]
        raise InputError(f"objects.weights {path}: are not those of {model} ({reason}); see objects.model.") from error
    return detector
