"""The weights that a training began with, and what is known of their license."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lfb_lightning.models.cards.text import code, file_name

_LICENSE = re.compile(r"(\S+)(?: \((.*)\))?")  # a publisher's, or that of a code base and why (`Layout.license`)

STATED = "as its card says"  # why a license is taken to be that of weights whose repository states it


def began_with(config: Mapping[str, Any], path: object) -> list[dict[str, str]]:
    """Describe the file that a training begins with, for `trained_on.began_with` of its checkpoints.

    Args:
        config: The file's configuration, as `read_any` gives it.
        path: The file.

    Returns:
        The file, and before it those that it began with itself: its name; the layout where it is another code base's; and
        its license, if that is known.
    """
    entry = {"file": file_name(path), **_make(config)}
    if config.get("imported_from") is None:
        return [*origins_of(config), entry]
    return [{**entry, "imported_from": file_name(config["imported_from"])}]


def origins_of(config: Mapping[str, Any]) -> list[dict[str, str]]:
    """List what a configuration says of the weights that its training began with, oldest first; empty: nothing.

    Args:
        config: The configuration of a checkpoint or a folder.
    """
    trained = config.get("trained_on")
    stored = trained.get("began_with") if isinstance(trained, Mapping) else None
    if isinstance(stored, list):
        known = ("file", "imported_from", "layout", "license")
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
    """Give the license of such weights, and why it is taken to be theirs ("": it was said); None: it is not known."""
    found = _LICENSE.fullmatch(origin.get("license", ""))
    return (found[1], found[2] or "") if found else None


def sentence(origin: Mapping[str, str]) -> str:
    """Write what is known of one file, in a line of Markdown."""
    name = code(origin.get("file", "a file"))
    if origin.get("imported_from"):
        name += f", imported from {code(origin['imported_from'])}"
    layout, known = origin.get("layout"), license_of(origin)
    if not layout and known is not None:
        return f"{name}: its publisher has said {code(known[0])}."
    if not layout:
        return f"{name}: its license is not known; nothing in it says who made it."
    if known is not None and known[1] == STATED:
        return f"{name}: its card states {code(known[0])}."
    made = f"{name}: its weights are named as {code(layout)} names them"
    if known is None:
        return f"{made}; under which license such weights are published is not known."
    return (
        f"{made}, which publishes such weights under {known[0]} ({known[1]}). If it is not one of those, its license is "
        "not known."
    )


def _make(config: Mapping[str, Any]) -> dict[str, str]:
    found = {"layout": config.get("imported_layout"), "license": config.get("license")}
    return {name: value for name, value in found.items() if isinstance(value, str)}
