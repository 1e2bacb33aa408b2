"""The action detector: short-term features of persons, what the bank adds to them, and a linear head."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lfb_lightning.models.resnet3d import ResNet3d
from lfb_lightning.models.roi_features import RoIFeatures
from lfb_lightning.structures import BankWindow


class ActionDetector(nn.Module):
    """Scores every action of every person in a batch of clips.

    A score column is an AVA action id: `num_classes` is the largest id plus one, and column 0 (the peers' background)
    is neither trained nor evaluated. `frozen_backbone` keeps the backbone as loaded: no gradient, evaluation mode.
    """

    def __init__(
        self,
        *,
        backbone: ResNet3d,
        roi_features: RoIFeatures,
        fbo: nn.Module,
        num_classes: int,
        dropout: float = 0.3,
        frozen_backbone: bool = False,
    ) -> None:
        super().__init__()
        if num_classes < 1:
            raise ValueError(f"num_classes is {num_classes}, expected the largest action id plus one")
        self.backbone = backbone
        self.roi_features = roi_features
        self.fbo = fbo
        self.num_classes = num_classes
        self.frozen_backbone = frozen_backbone
        self.dropout = nn.Dropout(dropout)
        fbo_channels = fbo.out_channels
        assert isinstance(fbo_channels, int)
        self.head = nn.Linear(backbone.out_channels + fbo_channels, num_classes)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        if frozen_backbone:
            backbone.requires_grad_(False)
        self.train()  # Lightning trains modules in the mode that it finds them in

    @property
    def channels(self) -> int:
        """Channels of the short-term features, hence of a bank that fits."""
        return self.backbone.out_channels

    def short_term_features(
        self, clips: Float[Tensor, "B 3 T H W"], rois: Float[Tensor, "R 5"]
    ) -> Float[Tensor, "R C"]:
        """Features of pixel `rois` (clip index, x1, y1, x2, y2) in normalised `clips`; what the bank stores."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen_backbone):
            return self.roi_features(self.backbone(clips), rois, stride=self.backbone.stride)

    def classify(
        self, short_term: Float[Tensor, "R C"], window: BankWindow | None, clip_of_roi: Int[Tensor, " R"]
    ) -> Float[Tensor, "R A"]:
        """Logits of persons from their short-term features and their clips' windows."""
        long_term = self.fbo(short_term, window, clip_of_roi)
        return self.head(self.dropout(torch.cat([short_term, long_term], dim=1)))

    def forward(
        self, clips: Float[Tensor, "B 3 T H W"], rois: Float[Tensor, "R 5"], window: BankWindow | None = None
    ) -> Float[Tensor, "R A"]:
        """Logits of every roi; `window` holds one bank window per clip, None without an FBO."""
        return self.classify(self.short_term_features(clips, rois), window, rois[:, 0].long())

    def train(self, mode: bool = True) -> ActionDetector:
        """Switch the mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self.frozen_backbone:
            self.backbone.eval()
        return self


def assemble_detector(
    *,
    backbone: ResNet3d,
    roi_features: RoIFeatures,
    fbo: Callable[..., nn.Module],
    num_classes: int,
    dropout: float = 0.3,
    frozen_backbone: bool = False,
) -> ActionDetector:
    """Build a detector whose FBO is made for the backbone's width: `fbo` is a constructor that lacks `channels` only."""
    return ActionDetector(
        backbone=backbone,
        roi_features=roi_features,
        fbo=fbo(channels=backbone.out_channels),
        num_classes=num_classes,
        dropout=dropout,
        frozen_backbone=frozen_backbone,
    )
