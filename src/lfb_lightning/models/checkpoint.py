"""Rebuilds detectors from the checkpoints that training writes, without Lightning, Hydra or a plain unpickler.

A checkpoint holds the run's resolved configuration as YAML text under `hyper_parameters["config"]`, and weights under
`detector.*`. Rebuilding calls only what `DETECTOR_PARTS` names or the user trusts, whatever the text says (docs/security.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lfb_lightning.errors import InputError
from lfb_lightning.files.plain_yaml import read_plain_mapping
from lfb_lightning.files.torch_file import is_torch_file, read_torch
from lfb_lightning.models.assembly import assemble_detector
from lfb_lightning.models.backbones import (
    VJEPA2,
    HuggingFaceVideo,
    MViT,
    ResNet3d,
    SlowFast,
    Swin3d,
    VisionTransformer,
)
from lfb_lightning.models.block_loss import Block, BlockLoss
from lfb_lightning.models.detector import ActionDetector
from lfb_lightning.models.fbo import FBONonLocal
from lfb_lightning.models.losses import MultiLabelLoss, SingleLabelLoss
from lfb_lightning.models.regions import GlobalMean, RoIFeatures
from lfb_lightning.models.softmax_blocks import softmax_blocks
from lfb_lightning.models.stored_objects import FBOS, StoredObjects, named

BACKBONES = (HuggingFaceVideo, MViT, ResNet3d, SlowFast, Swin3d, VisionTransformer, VJEPA2)
# What a stored configuration may name beside the classes of trusted packages (docs/security.md).
DETECTOR_PARTS: dict[str, Callable[..., Any]] = {
    **named(assemble_detector, ActionDetector, *BACKBONES, RoIFeatures, GlobalMean, *FBOS),
    "lfb_lightning.models.detector.assemble_detector": assemble_detector,  # where it stood earlier in 0.1
    "lfb_lightning.models.resnet3d.ResNet3d": ResNet3d,  # modules of 0.1
    "lfb_lightning.models.roi_features.RoIFeatures": RoIFeatures,
    "lfb_lightning.models.fbo_nonlocal.FBONonLocal": FBONonLocal,
}
LOSSES = named(MultiLabelLoss, SingleLabelLoss, BlockLoss, Block, softmax_blocks)
_PREFIX = "detector."


class ForeignCheckpointError(InputError):
    """A file that `lfb-train` did not write; it may still be one that can be imported."""


def read_checkpoint(path: str | Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read the configuration and the detector's weights of a checkpoint of ours.

    Returns:
        The configuration as plain data, read by `read_plain_mapping`, and the weights by name.

    Raises:
        InputError: There is no such file, or what it holds is not as `lfb-train` writes it.
        ForeignCheckpointError: The file is of another make.
    """
    content = load_content(path)
    parameters = content.get("hyper_parameters")
    if not isinstance(parameters, dict) or parameters.get("config") is None or "state_dict" not in content:
        raise ForeignCheckpointError(f"checkpoint {path}: was not written by lfb-train (no configuration in it).")
    config = read_plain_mapping(parameters["config"], source=f"checkpoint {path}")
    state = content["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise InputError(f"checkpoint {path}: state_dict is not a mapping from names to tensors.")
    weights = {key.removeprefix(_PREFIX): value for key, value in state.items() if key.startswith(_PREFIX)}
    for key, value in weights.items():
        if not isinstance(value, torch.Tensor):
            raise InputError(f"checkpoint {path}: {key!r:.80} is of type {type(value).__name__}, expected a tensor.")
    return config, weights


def load_content(path: str | Path) -> dict[Any, Any]:
    """Read the mapping of tensors and plain data that `torch.save` wrote into a file; nothing else is unpickled.

    Raises:
        InputError: There is no such file.
        ForeignCheckpointError: The file is of another make.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"checkpoint {path}: no such file; `lfb-train fbo=none` makes one (checkpoints/best.ckpt of its run)."
        )
    if not is_torch_file(path):
        raise ForeignCheckpointError(f"checkpoint {path}: not a torch file.")
    try:
        content = read_torch(path, what="checkpoint")
    except InputError as error:
        raise ForeignCheckpointError(str(error)) from error
    if not isinstance(content, dict):
        raise ForeignCheckpointError(f"checkpoint {path}: holds no mapping.")
    return content


def build_detector(
    spec: object, *, source: str = "model configuration", trusted_packages: Sequence[str] = ()
) -> ActionDetector:
    """Build a detector from its configuration.

    Args:
        spec: Nested `{_target_: lfb_lightning.models.X, ...}` of plain data; anything else is refused.
        source: How messages call the file that it comes from.
        trusted_packages: Packages whose own classes it may name too.

    Raises:
        InputError: It names anything else, or does not fit what it names.
    """
    detector = StoredObjects(source=source, trusted_packages=trusted_packages).build(spec, "model", DETECTOR_PARTS)
    if not isinstance(detector, ActionDetector):
        raise InputError(f"{source}: model makes a {type(detector).__name__}, expected an ActionDetector.")
    return detector


def load_weights(module: nn.Module, weights: dict[str, torch.Tensor], path: str | Path) -> None:
    """Load weights that must match a module's exactly.

    Args:
        module: What is changed in place. A part of it may fill in itself what earlier versions did not write: names in its
            `absent_in_older`.
        weights: By the names that the module has for them.
        path: The file that they are from, for messages.

    Raises:
        InputError: Some are missing, unexpected or of another shape. The message names the first of each.
    """
    own = module.state_dict()
    newer = {
        f"{name}.{weight}" if name else weight
        for name, part in module.named_modules()
        for weight in getattr(part, "absent_in_older", ())
    }
    missing, unexpected = sorted(own.keys() - weights.keys() - newer), sorted(weights.keys() - own.keys())
    reshaped = [key for key in own.keys() & weights.keys() if own[key].shape != weights[key].shape]
    if missing or unexpected or reshaped:
        raise InputError(
            f"checkpoint {path} does not fit the model: {len(missing)} weights missing {missing[:3]}, "
            f"{len(unexpected)} unexpected {unexpected[:3]}, {len(reshaped)} of another shape {sorted(reshaped)[:3]}."
        )
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:  # of another layout or kind than a dense tensor of numbers
        raise InputError(f"checkpoint {path}: {' '.join(str(error).split())[:300]}") from error
