"""Composes a card of a folder's configuration, and tells whether somebody has edited one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lfb_lightning.models.cards.front_matter import front_matter
from lfb_lightning.models.cards.origins import license_of, origins_of, sentence
from lfb_lightning.models.cards.recipe import training_of
from lfb_lightning.models.cards.sections import data_lines, data_set_name, figure_lines, model_lines, recipe_lines
from lfb_lightning.models.cards.text import code, escaped
from lfb_lightning.models.cards.usage import usage_lines
from lfb_lightning.version import __version__

CARD = "README.md"
_STAMP = re.compile(r"<!-- made by lfb-lightning; an edited card is kept: ([0-9a-f]{64}) -->\n?")
_LARGEST = 1 << 20  # bytes; a card of AVA has 6,000


def card_text(config: Mapping[str, Any], *, name: str, weights_digest: str) -> str:
    """Write a card: facts of the run where there are any, and that they are not known where there are none.

    Args:
        config: What a folder's `config.json` says; `training`, `figures`, `license` and `notes` are the run's.
        name: What the model is called: its folder's name, or `organization/name` of the Hub.
        weights_digest: `state_digest` of the detector. Figures of other weights are left out.
    """
    figures = _figures_of_these(config, weights_digest)
    training = training_of(config)
    license = _said_license(config)
    data_set, format = data_set_name(training), str(config.get("format", "safetensors"))
    lines = [
        f"# {escaped(name)}",
        "",
        *model_lines(config),
        *([f"Notes: {escaped(config['notes'], 2000)}", ""] if config.get("notes") else []),
        *("## Data", ""),
        *data_lines(config, training),
        *("## Recipe", ""),
        *recipe_lines(training),
        *("## Figures", ""),
        *figure_lines(figures, has_others="figures" in config),
        *("## Use", ""),
        *usage_lines(config, name),
        *("## Fingerprint", ""),
        *_fingerprint(config, weights_digest),
        *("## Weights that it began with, and licenses", ""),
        *_licenses(config, license),
        *("## Limits", ""),
        *_limits(figures),
    ]
    head = front_matter(name=name, license=license, data_set=data_set, format=format, figures=figures)
    text = "\n".join([head, *lines, ""])
    return f"{text}<!-- made by lfb-lightning; an edited card is kept: {_digest(text)} -->\n"


def is_edited(path: Path) -> bool:
    """Tell whether a file is there that `card_text` has not written so: somebody's own work."""
    if not path.is_file():
        return False
    if path.stat().st_size > _LARGEST:
        return True
    text = path.read_bytes().decode("utf-8", errors="replace").replace("\r\n", "\n")
    stamps = list(_STAMP.finditer(text))
    return not stamps or stamps[-1].end() != len(text) or stamps[-1][1] != _digest(text[: stamps[-1].start()])


def card_title(folder: str | Path, card: str | None, *, overwrite_card: bool) -> str | None:
    """Decide what a new card calls the detector; None: no card is written, since somebody has edited the one there.

    Args:
        folder: The folder.
        card: What it is called; None: as the folder is; the empty text: no card is wanted.
        overwrite_card: Whether an edited card is replaced.
    """
    folder = Path(folder).resolve()
    if card == "" or (is_edited(folder / CARD) and not overwrite_card):
        return None
    return card or folder.name


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _figures_of_these(config: Mapping[str, Any], weights_digest: str) -> Mapping[str, Any] | None:
    figures = config.get("figures")
    if not isinstance(figures, Mapping) or figures.get("weights_digest") != weights_digest:
        return None
    values, classes = figures.get("values"), figures.get("classes")
    if not isinstance(values, Mapping) or not all(type(value) in (int, float) for value in values.values()):
        return None
    texts = {key: figures[key] for key in ("split", "measured_by") if isinstance(figures.get(key), str)}
    numbers = {key: figures[key] for key in ("epoch", "step") if type(figures.get(key)) is int}
    whole = {str(key): value for key, value in values.items()}
    return {**texts, **numbers, "values": whole, "classes": classes if isinstance(classes, list) else []}


def _said_license(config: Mapping[str, Any]) -> str | None:
    """Give the license that the publisher has said; that of a code base's weights is none."""
    license = config.get("license")
    inherited = {origin.get("license") for origin in origins_of(config)}
    return license if isinstance(license, str) and license not in inherited else None


def _fingerprint(config: Mapping[str, Any], weights_digest: str) -> list[str]:
    versions = {"lfb-lightning": __version__, "torch": torch.__version__}
    lines = [
        f"* weights: SHA-256 {code(weights_digest)} of names, shapes, dtypes and values (`models.state_digest`)",
        f"* written with {', '.join(f'{name} {code(version)}' for name, version in versions.items())}",
    ]
    if isinstance(trained := config.get("trained_with"), Mapping):
        lines.append(f"* trained with {', '.join(f'{escaped(key)} {code(value)}' for key, value in trained.items())}")
    return [*lines, ""]


def _licenses(config: Mapping[str, Any], license: str | None) -> list[str]:
    origins = origins_of(config)
    known = "training" in config or "optim" in config or "imported_from" in config
    if origins:
        lines = [f"* {sentence(origin)}" for origin in origins]
    elif known and isinstance(trained := config.get("trained_on"), Mapping) and "began_with" in trained:
        lines = ["* It began with random weights."]
    else:
        lines = ["* What it began with is not known."]
    lines.append(
        f"* These weights: {code(license)}, as their publisher has said."
        if license is not None
        else "* These weights: their publisher has not said under which license they are."
    )
    binding = sorted({found[0] for one in origins if (found := license_of(one)) and "-nc-" in found[0].lower()})
    if binding:
        lines.append(f"* **{escaped(', '.join(binding))} of what it began with stays binding**: no commercial use.")
    return [*lines, ""]


def _limits(figures: Mapping[str, Any] | None) -> list[str]:
    measured = "The figures are those of the data that they were measured on; on other footage they will differ."
    return [
        f"* {measured if figures is not None else 'How good it is was not measured, or is not known here.'}",
        "* It scores the actions of its label map only, and persons whose boxes something else has found.",
        "* Average precision sets no threshold: which score is high enough has to be chosen on your own footage.",
        "* It has the faults and the bias of its data. Do not let it decide about people.",
        "",
    ]
