"""The sections of a card that are tables: the model, its data, its recipe, its figures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lfb_lightning.models.cards.text import code, escaped, file_name, plain, shown, table

_UNKNOWN = ["Not known.", ""]
_CLIPS = ("fps", "num_frames", "frame_stride", "eval_short_side", "resize", "ticks_per_second", "mean", "std")
_MOST_ACTIONS = 120


def model_lines(config: Mapping[str, Any]) -> list[str]:
    """Say what it is, in a paragraph."""
    model = _mapping(config.get("model"))
    backbone, fbo = _mapping(model.get("backbone")), _mapping(model.get("fbo"))
    shape = ", ".join(
        f"{code(name)} {shown(plain(value))}"
        for name, value in backbone.items()
        if name in ("depth", "stage_blocks", "base_channels", "temporal_kernels") and value is not None
    )
    parts = [
        "An action detector of the Python package `lfb-lightning`: it scores the actions of every person in a clip",
        f"(backbone {code(_class(backbone))}{f': {shape}' if shape else ''}; feature bank operator {code(_class(fbo))})."
        if backbone
        else "; its parts are not told.",
        "The method is that of [Long-Term Feature Banks](https://arxiv.org/abs/1812.05038) (Wu et al., CVPR 2019).",
    ]
    banks = banks_of(config)
    if banks:
        parts.append(f"It reads the banks {', '.join(map(code, banks))}: features of the minutes around the clip.")
    if _mapping(config.get("trained_on")).get("bank_backbone"):
        parts.append("It reads a bank: features of the minutes around the clip, which are computed first.")
    return [" ".join(parts), ""]


def banks_of(config: Mapping[str, Any]) -> list[str]:
    """Name the banks that it reads side by side; none where it reads one or none."""
    banks = _mapping(_mapping(_mapping(config.get("model")).get("fbo")).get("banks"))
    return [str(name) for name in banks] if len(banks) > 1 else []


def data_set_name(training: Mapping[str, Any] | None) -> str | None:
    """Name the data as its files do: `ava_v2.1` of `ava_{split}_v2.1.csv`; else as its class.

    `AvaDataset` reads whatever is in AVA's form, so its name would tell the Hub of a data set that it was not: then None.
    """
    if training is None:
        return None
    annotations = _mapping(training.get("files")).get("annotations")
    if isinstance(annotations, str):
        name = re.sub(r"_?\{split\}", "", annotations.rsplit(".csv", 1)[0]).strip("_- ")
        if name:
            return name
    read_by = training.get("data_set")
    return read_by if isinstance(read_by, str) and read_by not in ("", "AvaDataset") else None


def data_lines(config: Mapping[str, Any], training: Mapping[str, Any] | None) -> list[str]:
    """Say what it was trained on, and how a clip is cut."""
    rows = []
    if training is not None:
        rows += [[code(key), code(file_name(name))] for key, name in _mapping(training.get("files")).items()]
        if training.get("data_set"):
            rows.append(["read by", code(training["data_set"])])
    columns = _mapping(config.get("model")).get("num_classes")
    if type(columns) is int:
        rows.append(["score columns", str(columns)])
    clips = _mapping(config.get("clips") or config.get("data"))
    rows += [[code(f"clips.{key}"), shown(plain(clips[key]))] for key in _CLIPS if clips.get(key) is not None]
    lines = table(["what", "value"], rows) if rows else ["Not known."]
    if training is None and rows:
        lines = ["On which data it was trained is not known.", "", *lines]
    actions = [str(name) for name in _mapping(_mapping(config.get("trained_on")).get("actions")).values()]
    if actions:
        rest = f", and {len(actions) - _MOST_ACTIONS} more" if len(actions) > _MOST_ACTIONS else ""
        lines += ["", f"Its {len(actions)} actions: {', '.join(map(escaped, actions[:_MOST_ACTIONS]))}{rest}."]
    return [*lines, ""]


def recipe_lines(training: Mapping[str, Any] | None) -> list[str]:
    """List the settings of the training: data, optimizer, schedule, trainer."""
    if training is None:
        return _UNKNOWN
    rows = [
        [code(f"{section}.{key}"), shown(value)]
        for section in ("data", "optimizer", "schedule", "trainer")
        for key, value in _mapping(training.get(section)).items()
        if value is not None
    ]
    return [*table(["key", "value"], rows), ""] if rows else _UNKNOWN


def figure_lines(figures: Mapping[str, Any] | None, *, has_others: bool) -> list[str]:
    """Say what was measured on these weights, and by what."""
    if figures is None:
        others = " Its configuration has figures of other weights, which are left out." if has_others else ""
        return [f"None: nothing that was measured on these weights is known.{others}", ""]
    when = ", ".join(
        f"{name} {figures[name]}" for name in ("epoch", "step") if type(figures.get(name)) is int and figures[name]
    )
    measured_by, split = (code(figures.get(name, "not told")) for name in ("measured_by", "split"))
    lines = [
        f"Measured on exactly these weights by {measured_by}, split {split}{f', {when}' if when else ''}; from 0 to 1.",
        "",
        *table(["figure", "value"], [[escaped(key), f"{value:.4f}"] for key, value in figures["values"].items()]),
    ]
    rows = [
        [escaped(one[0]), f"{one[1]:.4f}", shown("" if one[2] is None else one[2])]
        for one in figures["classes"]
        if isinstance(one, list) and len(one) == 3 and type(one[1]) in (int, float)
    ]
    if rows:
        lines += ["", "<details><summary>Average precision per action</summary>", ""]
        lines += [*table(["action", "AP", "annotated"], rows), "", "</details>"]
    return [*lines, ""]


def _class(section: Mapping[str, Any]) -> str:
    return str(section.get("_target_", "not told")).rpartition(".")[2]


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
