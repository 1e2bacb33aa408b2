"""The weights that a training began with, and what is known of their license."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lfb_lightning.models.cards.text import code, file_name

# What the code bases publish, by the layout of `lfb-import`, for the backbones that each entry names. A layout says how
# weights are called, not who made them: the sentence says so.
_RESNETS = ("ResNet3d", "SlowFast")
_VITS = ("VisionTransformer", "ViT")
LICENSES: Mapping[str, tuple[tuple[tuple[str, ...], str, str], ...]] = {
    "mmaction2": (
        (_RESNETS, "Apache-2.0", "its repository's license"),
        (_VITS, "CC-BY-NC-4.0", "its ViTs begin with VideoMAE's weights, whose license forbids commercial use"),
    ),
    "PySlowFast": ((_RESNETS, "Apache-2.0", "its repository's license"),),
    "pytorchvideo": ((_RESNETS, "Apache-2.0", "its repository's license"),),
    "Caffe2 (original LFB release)": ((_RESNETS, "Apache-2.0", "its repository's license"),),
    "VideoMAE": ((_VITS, "CC-BY-NC-4.0", "its repository's license, which forbids commercial use"),),
}


def began_with(config: Mapping[str, Any], path: object) -> list[dict[str, str]]:
    """Describe the file that a training begins with, for `trained_on.began_with` of its checkpoints.

    Args:
        config: The file's configuration, as `read_any` gives it.
        path: The file.

    Returns:
        The file, and before it those that it began with itself: its name, and the layout and the backbone's class where
        it is another code base's.
    """
    entry = {"file": file_name(path)}
    if config.get("imported_from") is None:
        return [*origins_of(config), entry]
    return [{**entry, "imported_from": file_name(config["imported_from"]), **_make(config)}]


def origins_of(config: Mapping[str, Any]) -> list[dict[str, str]]:
    """List what a configuration says of the weights that its training began with, oldest first; empty: nothing.

    Args:
        config: The configuration of a checkpoint or a folder.
    """
    trained = config.get("trained_on")
    stored = trained.get("began_with") if isinstance(trained, Mapping) else None
    if isinstance(stored, list):
        known = ("file", "imported_from", "layout", "backbone")
        return [
            {name: file_name(one[name])[:200] for name in known if isinstance(one.get(name), str)}
            for one in stored[:20]
            if isinstance(one, Mapping)
        ]
    if config.get("imported_from") is not None:
        return [{"file": file_name(config["imported_from"]), **_make(config)}]
    training = config.get("training")
    files = training.get("started_from") if isinstance(training, Mapping) else None
    return [{"file": file_name(one)} for one in files] if isinstance(files, list) else []


def license_of(origin: Mapping[str, str]) -> tuple[str, str] | None:
    """Give the license under which a code base publishes such weights, and why; None: it is not known."""
    for backbones, name, why in LICENSES.get(origin.get("layout", ""), ()):
        if any(part in origin.get("backbone", "") for part in backbones):
            return name, why
    return None


def sentence(origin: Mapping[str, str]) -> str:
    """Write what is known of one file, in a line of Markdown."""
    name = code(origin.get("file", "a file"))
    if origin.get("imported_from"):
        name += f", imported from {code(origin['imported_from'])}"
    layout, known = origin.get("layout"), license_of(origin)
    if not layout:
        return f"{name}: its license is not known; nothing in it says who made it."
    made = f"{name}: its weights are named as {code(layout)} names them"
    if known is None:
        return f"{made}; under which license such weights are published is not known."
    return (
        f"{made}, which publishes such weights under {known[0]} ({known[1]}). If it is not one of those, its license is "
        "not known."
    )


def _make(config: Mapping[str, Any]) -> dict[str, str]:
    model = config.get("model")
    backbone = model.get("backbone") if isinstance(model, Mapping) else None
    target = backbone.get("_target_") if isinstance(backbone, Mapping) else None
    found = {"layout": config.get("imported_layout"), "backbone": target}
    return {name: value for name, value in found.items() if isinstance(value, str)}
