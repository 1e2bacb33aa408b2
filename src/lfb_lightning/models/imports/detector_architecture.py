"""The detector that a set of renamed weights belongs to: what stands around its backbone, read off their shapes."""

from __future__ import annotations

import re
from typing import Any

import torch

from lfb_lightning.errors import InputError
from lfb_lightning.models.imports.architecture import SLOWFAST_MARK, backbone_spec
from lfb_lightning.models.imports.classifier import head_spec, reading_layer
from lfb_lightning.models.imports.rules import MODELS, ClipSet, Layout


def fbo_spec(
    weights: dict[str, torch.Tensor], channels: int, hint: str | None, clip_set: ClipSet | None = None
) -> dict[str, Any]:
    """Read the FBO's configuration off its weights.

    Args:
        weights: The detector's, under our names.
        channels: Width of the short-term features.
        hint: "avg" or "max", which have no weights and cannot be told apart by shapes.
        clip_set: The data set of whole clips that it is for, if it is.

    Raises:
        InputError: The classifier fits no FBO, or the hint is needed.
    """
    classifier = reading_layer(weights)
    head_in = channels if classifier is None else classifier.shape[1]
    if "fbo.short_term_projection.weight" in weights:
        layers = {int(match[1]) for key in weights if (match := re.match(r"fbo\.layers\.(\d+)\.", key))}
        return {
            "_target_": f"{MODELS}.FBONonLocal",
            "_partial_": True,
            "latent_channels": weights["fbo.short_term_projection.weight"].shape[0],
            "num_layers": len(layers),
            "dropout": 0.2,
            "mask_padding": False,
            **({} if clip_set is None or clip_set.pre_act else {"pre_act": False}),
        }
    if head_in == channels:
        return {"_target_": f"{MODELS}.FBONone", "_partial_": True}
    if head_in != 2 * channels and (clip_set is None or clip_set.bank_name is None or head_in < channels):
        raise InputError(f"the classifier reads {head_in} channels, the backbone makes {channels}: no FBO fits.")
    if hint not in ("avg", "max"):
        raise InputError(
            f"the classifier reads {'twice' if head_in == 2 * channels else 'more than'} the backbone's channels: this is "
            "FBO avg or max, which the weights do not tell; add fbo=max or fbo=avg."
        )
    return {"_target_": f"{MODELS}.FBO{hint.capitalize()}", "_partial_": True, "mask_padding": False}


def bank_spec(
    weights: dict[str, torch.Tensor], channels: int, fbo: dict[str, Any], clip_set: ClipSet | None
) -> dict[str, Any]:
    """Read off the weights which bank the FBO reads, where that is not one of the detector's own features.

    Args:
        weights: The detector's, under our names.
        channels: Width of the short-term features.
        fbo: The FBO's configuration.
        clip_set: The data set of whole clips that it is for, if it is.

    Returns:
        The keys `bank_channels` and `bank_name` of a detector's configuration; {}: its own features.
    """
    if clip_set is None or clip_set.bank_name is None or fbo["_target_"].endswith("FBONone"):
        return {}
    projection = weights.get("fbo.long_term_projection.weight")
    classifier = reading_layer(weights)
    if projection is not None:
        width = projection.shape[1]
    else:
        width = channels if classifier is None else classifier.shape[1] - channels
    return {"bank_name": clip_set.bank_name, **({} if width == channels else {"bank_channels": width})}


def detector_spec(
    weights: dict[str, torch.Tensor],
    layout: Layout,
    fbo: str | None,
    num_classes: int,
    *,
    clip_set: ClipSet | None = None,
    temporal_max: bool = False,
) -> dict[str, Any]:
    """Read the whole detector's configuration off its weights.

    Args:
        weights: The detector's, under our names.
        layout: The code base that they are from.
        fbo: "avg" or "max", which have no weights and cannot be told apart by shapes; None where nothing says so.
        num_classes: Score columns.
        clip_set: The data set of whole clips that it is for; None: it is a detector of persons.
        temporal_max: Whether the file says that its features are maxima over time.

    Raises:
        InputError: The classifier fits no FBO, or `fbo` is needed.
    """
    backbone, channels = backbone_spec(weights, layout, clip_set)
    regions: dict[str, Any] = {"_target_": f"{MODELS}.GlobalMean"}
    if clip_set is None:
        regions, channels = _person_features(weights, layout, channels, fbo, temporal_max)
    operator = fbo_spec(weights, channels, fbo, clip_set)
    return {
        "_target_": f"{MODELS}.assemble_detector",
        "backbone": backbone,
        "roi_features": regions,
        "fbo": operator,
        "num_classes": num_classes,
        "dropout": layout.dropout,
        **head_spec(weights),
        **bank_spec(weights, channels, operator, clip_set),
    }


def _person_features(
    weights: dict[str, torch.Tensor], layout: Layout, channels: int, fbo: str | None, temporal_max: bool
) -> tuple[dict[str, Any], int]:
    """Read how persons' features are taken from a map of `channels`, and how wide they are."""
    regions = {
        "_target_": f"{MODELS}.RoIFeatures",
        "output_size": layout.roi_size,
        "sampling_ratio": 0,
        "aligned": layout.aligned,
    }
    if temporal_max:
        regions["temporal_max"] = True
    if layout.enlarge is not None:
        regions["enlarge"] = list(layout.enlarge)
    head = reading_layer(weights)
    if fbo is None and SLOWFAST_MARK in weights and head is not None and head.shape[1] == 2 * channels:
        regions["context"] = True  # no SlowFast was published with an FBO avg or max, whose head is as wide
        channels *= 2
    return regions, channels
