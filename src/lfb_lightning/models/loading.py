"""Loads detectors and weights from any checkpoint that is known: our own, or another code base's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lfb_lightning.errors import InputError
from lfb_lightning.models.cards.origins import began_with
from lfb_lightning.models.checkpoint import ForeignCheckpointError, build_detector, load_weights, read_checkpoint
from lfb_lightning.models.detector import ActionDetector
from lfb_lightning.models.head import start_head
from lfb_lightning.models.imports.importing import import_found, weights_in
from lfb_lightning.models.imports.reading import read_foreign, tensors_of
from lfb_lightning.models.imports.source import WeightSource, find_weights
from lfb_lightning.models.parameter_limit import no_larger_than
from lfb_lightning.models.pretrained import read_folder

_LONGEST_LICENSE = 200  # letters; it is a file's
_log = logging.getLogger(__name__)


def load_detector(path: str | Path, trusted_packages: Sequence[str] = ()) -> ActionDetector:
    """Load the detector of a checkpoint.

    It takes what `lfb-train` and `lfb-import` write, and directly the files that `lfb-import` reads where nothing has to be
    said beside them. The file is data: it chooses among the modules of `lfb_lightning.models` (docs/security.md).

    Args:
        path: The checkpoint, a folder of `lfb-export format=safetensors`, or `hf:organization/name` of the hub.
        trusted_packages: Packages whose own classes and functions the checkpoint may name too, such as `["my_package"]`.

    Returns:
        The detector, on the CPU and in evaluation mode.

    Raises:
        InputError: The file is missing, damaged, holds a backbone only, or names what it may not.
    """
    return load_with_config(path, trusted_packages)[0]


def load_with_config(path: str | Path, trusted_packages: Sequence[str] = ()) -> tuple[ActionDetector, dict[str, Any]]:
    """Load the detector of a checkpoint, with the configuration that it was trained with.

    Args:
        path: The checkpoint.
        trusted_packages: As `load_detector` has it.

    Returns:
        The detector, on the CPU and in evaluation mode, and the configuration as plain data.

    Raises:
        InputError: As `load_detector` raises it.
    """
    config, weights = read_any(path)
    if "imported_from" in config and config.get("backbone_only"):
        raise InputError(
            f"checkpoint {path} holds a backbone and no classifier: train from it with "
            f"`lfb-train fbo=none backbone.weights={path}`."
        )
    source = f"checkpoint {path}"
    with no_larger_than(weights, source=source):
        detector = build_detector(config.get("model"), source=source, trusted_packages=trusted_packages)
    load_weights(detector, weights, path)
    detector.stored_config = config
    return detector.eval(), config


def read_any(path: str | Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read a checkpoint of ours, a detector's folder, or weights that can be imported; also from the hub.

    Args:
        path: A file, a folder, or `hf:organization/name`.

    Returns:
        Its configuration as plain data, and the detector's weights by name.

    Raises:
        InputError: The file is missing, damaged, or of no known make.
    """
    found = find_weights(path)
    if found.path.is_dir():
        return read_folder(found.path)
    try:
        return read_checkpoint(found.path)
    except ForeignCheckpointError:
        imported = import_found(found)
        if imported.note:
            _log.warning("checkpoint %s: %s", path, imported.note)
        return imported.config(source=found.shown), imported.weights


@dataclass(frozen=True, slots=True)
class Start:
    """What training started from.

    Attributes:
        text: A line that says what was taken.
        license: That of the weights; None: not known.
        origins: What the file is, for the card of what comes of it: names and makes, no places; it may have others itself.
    """

    text: str
    license: str | None
    origins: Sequence[Mapping[str, str]]


def start_from(detector: ActionDetector, path: str | Path) -> Start:
    """Copy what fits from a checkpoint into a detector.

    The backbone must fit whole. The head starts with the other's columns for the short-term feature (its columns for the
    FBO stay as initialized), so an LFB detector begins as the baseline that it extends.

    Args:
        detector: What is changed in place.
        path: The checkpoint.

    Returns:
        What was taken, and its license.

    Raises:
        InputError: The backbone does not fit.
    """
    config, weights = read_any(path)
    number = _copy_backbone(detector.backbone, weights, path)
    fits = not config.get("backbone_only") and start_head(detector.head, weights, channels=detector.channels)
    note = "the head's short-term columns" if fits else "a new head"
    return _start(f"started from {path}: the backbone ({number} tensors) and {note}", config, path)


def load_backbone(backbone: nn.Module, path: str | Path) -> Start:
    """Load a backbone's weights from any known checkpoint.

    Args:
        backbone: What is changed in place. One that has `load_foreign(weights) -> number` reads other code bases' names
            itself.
        path: The checkpoint.

    Returns:
        What was taken, and its license.

    Raises:
        InputError: The backbone does not fit.
    """
    load_foreign = getattr(backbone, "load_foreign", None)
    found = find_weights(path)
    if load_foreign is not None and not found.path.is_dir() and not _is_ours(found.path):
        return _load_foreign(load_foreign, found, path)
    config, weights = read_any(path)
    return _start(f"backbone from {path}: {_copy_backbone(backbone, weights, path)} tensors", config, path)


def _is_ours(path: Path) -> bool:
    try:
        read_checkpoint(path)
    except ForeignCheckpointError:
        return False
    return True


def _load_foreign(load_foreign: Callable[..., int], found: WeightSource, path: str | Path) -> Start:
    """Load a file of another code base into a backbone that knows its names itself."""
    try:
        number = load_foreign(tensors_of(weights_in(read_foreign(found.path))))
    except InputError as error:
        raise InputError(f"checkpoint {path}: {error}") from error
    config = {"imported_from": found.shown, "imported_layout": "transformers", "license": found.license}
    return _start(f"backbone from {path}: {number} tensors", config, path)


def _start(text: str, config: Mapping[str, Any], path: str | Path) -> Start:
    license, origins = config.get("license"), began_with(config, path)
    if not isinstance(license, str) or not license:
        return Start(text, None, origins)
    license = "".join(letter if letter.isprintable() else "?" for letter in license)[:_LONGEST_LICENSE]
    return Start(f"{text}; license of the weights: {license}", license, origins)


def _copy_backbone(backbone: nn.Module, weights: dict[str, torch.Tensor], path: str | Path) -> int:
    own = backbone.state_dict()
    found = {key.removeprefix("backbone."): value for key, value in weights.items() if key.startswith("backbone.")}
    bad = sorted(
        key
        for key in own.keys() | found.keys()
        if key not in own or key not in found or own[key].shape != found[key].shape
    )
    if bad:
        raise InputError(
            f"checkpoint {path}: its backbone does not fit ({len(bad)} weights differ, first '{bad[0]}'); choose the "
            "backbone group that it was made with."
        )
    backbone.load_state_dict(found)
    return len(own)
