"""Detectors from the checkpoints that training writes, without Lightning, Hydra or a plain unpickler.

A checkpoint holds the run's resolved configuration as YAML text under `hyper_parameters["config"]`, and weights under
`detector.*`. Rebuilding calls only constructors of `lfb_lightning.models`, whatever the text says.
"""

from __future__ import annotations

import hashlib
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from lfb_lightning.errors import InputError
from lfb_lightning.files.torch_file import is_torch_file, read_torch
from lfb_lightning.models.detector import ActionDetector

_TRUSTED = "lfb_lightning.models"


class ForeignCheckpointError(InputError):
    """A file that `lfb-train` did not write; it may still be one that can be imported."""


def read_checkpoint(path: str | Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The resolved configuration and the detector's weights of a checkpoint.

    Raises InputError for a missing file and ForeignCheckpointError for one of another make.
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
    config = content.get("hyper_parameters", {}).get("config") if isinstance(content, dict) else None
    if config is None or "state_dict" not in content:
        raise ForeignCheckpointError(f"checkpoint {path}: was not written by lfb-train (no configuration in it).")
    prefix = "detector."
    weights = {key[len(prefix) :]: value for key, value in content["state_dict"].items() if key.startswith(prefix)}
    return yaml.safe_load(config), weights


def build_detector(spec: dict[str, Any]) -> ActionDetector:
    """Build a detector from its configuration: nested `{_target_: lfb_lightning.models.X, ...}` of plain data."""
    detector = _build(spec)
    if not isinstance(detector, ActionDetector):
        raise InputError(f"model configuration: _target_ {spec.get('_target_')!r} does not make an ActionDetector.")
    return detector


def load_weights(module: nn.Module, weights: dict[str, torch.Tensor], path: str | Path) -> None:
    """Load weights that must match exactly; raises InputError with the first keys that do not."""
    own = module.state_dict()
    missing, unexpected = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    reshaped = [key for key in own.keys() & weights.keys() if own[key].shape != weights[key].shape]
    if missing or unexpected or reshaped:
        raise InputError(
            f"checkpoint {path} does not fit the model: {len(missing)} weights missing {missing[:3]}, "
            f"{len(unexpected)} unexpected {unexpected[:3]}, {len(reshaped)} of another shape {sorted(reshaped)[:3]}."
        )
    module.load_state_dict(weights)


def state_digest(module: nn.Module) -> str:
    """SHA-256 over names, shapes and values of a module's state: equal for equal weights, wherever they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _build(node: Any) -> Any:
    if isinstance(node, list):
        return [_build(item) for item in node]
    if not isinstance(node, dict):
        return node
    arguments = {key: _build(value) for key, value in node.items() if key not in ("_target_", "_partial_", "_convert_")}
    if "_target_" not in node:
        return arguments
    module, _, name = str(node["_target_"]).rpartition(".")
    if module != _TRUSTED and not module.startswith(f"{_TRUSTED}."):
        raise InputError(f"model configuration: _target_ {node['_target_']!r} is not part of {_TRUSTED}.")
    target = getattr(import_module(module), name)
    return partial(target, **arguments) if node.get("_partial_") else target(**arguments)
