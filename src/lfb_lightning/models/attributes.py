"""What a detector needs to know of its parts, and reads off them as attributes."""

from __future__ import annotations

from torch import nn

from lfb_lightning.errors import InputError


def required_attribute(part: nn.Module, name: str, *, of: str, least: int) -> int:
    """Read a whole number that a part of a detector must have as an attribute; raises InputError where it has none."""
    value = getattr(part, name, None)
    if not isinstance(value, int) or value < least:
        found = "has no" if value is None else f"has {value!r:.40} as"
        raise InputError(
            f"model.{of}: {type(part).__name__} {found} {name}, expected a whole number of at least {least}; "
            f"set self.{name} in its __init__ (docs/models.md)."
        )
    return value


def short_term_channels(backbone: nn.Module, roi_features: nn.Module) -> int:
    """Compute the width of short-term features: the backbone's, times what the region features add beside it."""
    channels = required_attribute(backbone, "out_channels", of="backbone", least=1)
    if getattr(roi_features, "widening", None) is None:
        return channels
    return channels * required_attribute(roi_features, "widening", of="roi_features", least=1)
