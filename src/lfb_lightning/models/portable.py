"""The part of a run's configuration that goes with a detector when it leaves: nothing of the machine it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lfb_lightning.models.cards.recipe import training_of
from lfb_lightning.models.cards.text import file_name

# Keys of a stored `data` section that say how a clip is cut and when; the others name files, or are about training.
CLIP_KEYS = (
    *("fps", "num_frames", "frame_stride", "frame_shift", "frame_spacing", "eval_short_side", "resize", "mean", "std"),
    *("train_short_side", "train_crop", "train_flip", "train_color_jitter"),
    *("test_scales", "test_flip", "test_crops", "test_reduce", "eval_crop", "crop_rounding"),
    *("ticks_per_second", "key_step"),
    "train_colour_jitter",  # its name in older checkpoints
)
# Keys of a stored `bank` section that describe windows; the others say where banks are, and how errors are handled.
WINDOW_KEYS = (
    *("precision", "window_seconds", "features_per_second", "placement", "layout", "cells"),
    *("window_before", "window_after", "slots", "train_selection", "eval_selection"),
)
_AS_THEY_ARE = (
    *("loss", "task", "trained_on", "seed", "license", "notes"),
    *("figures", "trained_with", "imported_layout"),  # for the card
)


def portable(config: Mapping[str, Any]) -> dict[str, Any]:
    """Choose what a detector's folder says of it.

    Args:
        config: The configuration of a checkpoint, or of such a folder: plain data.

    Returns:
        `model` without the files that training started from, `clips`, `bank`, `training` with names of files in the place
        of paths, and the sections that name no file.
    """
    content = {name: config[name] for name in _AS_THEY_ARE if config.get(name) is not None}
    content["model"] = _without_files(config.get("model"))
    clips = config.get("data") or config.get("clips")
    if isinstance(clips, Mapping):
        content["clips"] = {name: value for name, value in clips.items() if name in CLIP_KEYS}
    if isinstance(config.get("bank"), Mapping):
        content["bank"] = {name: value for name, value in config["bank"].items() if name in WINDOW_KEYS}
    if config.get("imported_from") is not None:
        content["imported_from"] = file_name(config["imported_from"])
    if (training := training_of(config)) is not None:
        content["training"] = training
    return content


def _without_files(model: Any) -> Any:
    """Forget the files that weights were first read from: rebuilding a detector opens none of them."""
    if not isinstance(model, Mapping):
        return model
    kept = {name: None if name == "backbone_weights" else value for name, value in model.items()}
    backbone = kept.get("backbone")
    if isinstance(backbone, Mapping) and "weights" in backbone:
        kept["backbone"] = {**backbone, "weights": None}
    return kept
