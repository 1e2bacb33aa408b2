"""Features of objects by any detector of Hugging Face's hub that answers with queries: DETR, RT-DETR, D-FINE, YOLOS."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.ops import box_convert, box_iou

from lfb_lightning.errors import InputError
from lfb_lightning.models import ActionDetector
from lfb_lightning.models.region_model import RegionModel
from lfb_lightning.persons.huggingface import load_hub_detector
from lfb_lightning.persons.object_boxes import ObjectBoxes


class HuggingfaceObjects(nn.Module):
    """Features of the queries with which a detector found objects: of a given box, that of the query whose box is most alike.

    With boxes that the same detector has found, that is the query that found them.

    Args:
        boxes: Which boxes.
        model: Its name on the hub, or a folder that `save_pretrained` wrote model and image processor to.

    Raises:
        InputError: transformers is missing, or the model cannot be had.
    """

    needs_checkpoint = False

    def __init__(
        self,
        *,
        boxes: ObjectBoxes,
        model: str | None = "PekingU/rtdetr_r50vd",
    ) -> None:
        super().__init__()
        if model is None:
            raise InputError("objects.model is not set: give a name on Hugging Face's hub, or a folder.")
        self.boxes = boxes
        self._processor, detector = load_hub_detector(model, section="objects")
        self.backbone: nn.Module = detector.eval()
        self._name = model
        config: Any = detector.config
        width = getattr(config, "d_model", None) or getattr(config, "hidden_size", None)
        if not isinstance(width, int) or width < 1:
            raise InputError(
                f"objects.model {model}: does not say how wide its queries are, so it is no such detector."
            )
        self.channels = width

    def model(self, detector: ActionDetector | None) -> RegionModel:
        """Give itself; see `ObjectSource.model`."""
        return self

    def describe_backbone(self) -> str:
        """Name the detector."""
        return f"Hugging Face {self._name}, queries"

    def short_term_features(
        self, clips: Float[Tensor, "B 3 T H W"], rois: Float[Tensor, "R 5"]
    ) -> Float[Tensor, "R C"]:
        """Compute the features of the nearest queries; of a clip the middle picture is seen; see `RegionModel`."""
        if len(rois) == 0:
            return clips.new_zeros(0, self.channels)
        pictures = (
            (clips[:, :, clips.shape[2] // 2] * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
        )
        inputs = self._processor(images=list(pictures), return_tensors="pt", input_data_format="channels_last")
        outputs = self.backbone(**inputs.to(clips.device))
        queries = box_convert(outputs.pred_boxes.float(), "cxcywh", "xyxy")
        features = outputs.last_hidden_state[:, -queries.shape[1] :]  # YOLOS has the picture's patches before them
        height, width = pictures.shape[1:3]
        wanted = rois[:, 1:] / rois.new_tensor([width, height, width, height])
        found = [
            features[clip, box_iou(box[None], queries[clip]).argmax()]
            for clip, box in zip(rois[:, 0].long().tolist(), wanted.to(queries.dtype), strict=True)
        ]
        return torch.stack(found)
