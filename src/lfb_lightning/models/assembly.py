"""Assembles detectors: the FBO is made for the width of the backbone's features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from lfb_lightning.errors import InputError
from lfb_lightning.models.attributes import short_term_channels
from lfb_lightning.models.detector import ActionDetector
from lfb_lightning.models.fbo.several import MAIN, BankNames, FBOSeveral, bank_widths, without_banks


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
    banks: BankNames | None = None,
) -> ActionDetector:
    """Build a detector whose FBO is made for the width of its short-term features.

    Args:
        backbone: A module that is a `Backbone`.
        roi_features: A module that is a `RegionFeatures`.
        fbo: The FBO's constructor. It is called with `channels=`, and with `bank_channels=` where that is not None. An
            argument `banks` that is bound to it (`fbo.banks`) is taken as the one below.
        num_classes: Score columns: the largest action id plus one.
        dropout: Probability, before the head.
        frozen_backbone: Whether the backbone stays as loaded.
        bank_channels: Width of the features in the bank that the FBO reads; None: that of the short-term features.
        bank_name: Which of several banks the FBO reads; None: the one that is made with this detector's own features.
        head_layers: Layers of the head, 1 or 2.
        head_channels: Width between two of them; None: that of the short-term features.
        backbone_weights: The file that `lfb-train` loads the backbone from. It is a key of the model so that it works for
            any backbone, and is not read here: rebuilding a detector from a checkpoint opens no other file.
        banks: The banks that are read side by side by an FBO each: their names (`main` is the one that is made with this
            detector's own features), or the width of their features by name. A width that is not said is the detector's
            own. One name is the same as `bank_name`; None: one bank.

    Raises:
        InputError: The backbone or the FBO lacks an attribute that it is asked for, or the banks are said twice.
    """
    channels = short_term_channels(backbone, roi_features)
    fbo, bound = without_banks(fbo)
    widths = _widths(bound if banks is None else banks, channels)
    if widths and (bank_name, bank_channels) != (None, None):
        raise InputError(
            "fbo.banks says which banks are read, and how wide they are; set model.bank_name=null and "
            "model.bank_channels=null."
        )
    if len(widths) == 1:
        ((name, width),) = widths.items()
        bank_name, bank_channels = None if name == MAIN else name, None if width == channels else width
    several = widths if len(widths) > 1 else None
    if bank_channels is not None and bank_channels < 1:
        raise InputError(f"model.bank_channels is {bank_channels}, expected at least 1, or null for the detector's.")
    return ActionDetector(
        backbone=backbone,
        roi_features=roi_features,
        fbo=_side_by_side(fbo, channels, several) if several else _made(fbo, channels, bank_channels),
        num_classes=num_classes,
        dropout=dropout,
        frozen_backbone=frozen_backbone,
        bank_channels=bank_channels,
        bank_name=bank_name,
        head_layers=head_layers,
        head_channels=head_channels,
        banks=several,
    )


def _widths(banks: Any, channels: int) -> dict[str, int]:
    """Read how wide each named bank is; one that does not say so is as wide as the detector's own features."""
    return {} if banks is None else {name: width or channels for name, width in bank_widths(banks).items()}


def _made(fbo: Callable[..., nn.Module], channels: int, bank_channels: int | None) -> nn.Module:
    return fbo(channels=channels) if bank_channels is None else fbo(channels=channels, bank_channels=bank_channels)


def _side_by_side(fbo: Callable[..., nn.Module], channels: int, widths: Mapping[str, int]) -> FBOSeveral:
    """Make an FBO for each bank; one that is as wide as the detector's features is not told, as it never was."""
    parts = {name: _made(fbo, channels, None if width == channels else width) for name, width in widths.items()}
    return FBOSeveral(parts=parts)
