"""Assembles detectors: the FBO is made for the width of the backbone's features."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from lfb_lightning.errors import InputError
from lfb_lightning.models.attributes import short_term_channels
from lfb_lightning.models.detector import ActionDetector


def assemble_detector(
    *,
    backbone: nn.Module,
    roi_features: nn.Module,
    fbo: Callable[..., nn.Module],
    num_classes: int,
    dropout: float = 0.3,
    frozen_backbone: bool = False,
    bank_channels: int | None = None,
    bank_name: str | None = None,
    head_layers: int = 1,
    head_channels: int | None = None,
    backbone_weights: str | None = None,
) -> ActionDetector:
    """Build a detector whose FBO is made for the width of its short-term features.

    Args:
        backbone: A module that is a `Backbone`.
        roi_features: A module that is a `RegionFeatures`.
        fbo: The FBO's constructor. It is called with `channels=`, and with `bank_channels=` where that is not None.
        num_classes: Score columns: the largest action id plus one.
        dropout: Probability, before the head.
        frozen_backbone: Whether the backbone stays as loaded.
        bank_channels: Width of the features in the bank that the FBO reads; None: that of the short-term features.
        bank_name: Which of several banks the FBO reads; None: the one that is made with this detector's own features.
        head_layers: Layers of the head, 1 or 2.
        head_channels: Width between two of them; None: that of the short-term features.
        backbone_weights: The file that `lfb-train` loads the backbone from. It is a key of the model so that it works for
            any backbone, and is not read here: rebuilding a detector from a checkpoint opens no other file.

    Raises:
        InputError: The backbone or the FBO lacks an attribute that it is asked for.
    """
    widths = {"channels": short_term_channels(backbone, roi_features)}
    if bank_channels is not None:
        if bank_channels < 1:
            raise InputError(
                f"model.bank_channels is {bank_channels}, expected at least 1, or null for the detector's."
            )
        widths["bank_channels"] = bank_channels
    return ActionDetector(
        backbone=backbone,
        roi_features=roi_features,
        fbo=fbo(**widths),
        num_classes=num_classes,
        dropout=dropout,
        frozen_backbone=frozen_backbone,
        bank_channels=bank_channels,
        bank_name=bank_name,
        head_layers=head_layers,
        head_channels=head_channels,
    )
