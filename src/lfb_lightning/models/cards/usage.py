"""The section of a card that says how the folder is used; its lines run as they stand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lfb_lightning.errors import one_line
from lfb_lightning.models.cards.sections import banks_of

_OURS = "lfb_lightning"


def usage_lines(config: Mapping[str, Any], name: str) -> list[str]:
    """Write how a folder of this format is used.

    Args:
        config: The folder's configuration.
        name: The folder's name, or that of the Hub.
    """
    format = config.get("format", "safetensors")
    quoted = json.dumps(one_line(name), ensure_ascii=False)
    if format == "torch_export":
        lines = [
            *("```python", "import torch", ""),
            f'program = torch.export.load({quoted} + "/features.pt2").module()  # without lfb-lightning',
            "features = program(torch.rand(1, 3, 4, 64, 96), torch.tensor([[0, 10.0, 5.0, 40.0, 60.0]]))",
            *("```", "", "`config.json` names the inputs and outputs of each program."),
        ]
        return [*lines, ""]
    packages = sorted({target.split(".")[0] for target in _targets(config.get("model"))} - {_OURS})
    trusted = f", trusted_packages={json.dumps(packages)}" if packages else ""
    opened = (
        ("from lfb_lightning.models import ActionDetector", f"ActionDetector.from_pretrained({quoted}{trusted})")
        if format == "safetensors"
        else ("from lfb_lightning.exporting import open_detector", f"open_detector({quoted}{trusted})[0]")
    )
    frames = config["clips"].get("num_frames") if isinstance(config.get("clips"), Mapping) else None
    frames = frames if type(frames) is int and 1 <= frames <= 256 else 4
    slots = config.get("window_slots")
    slots = slots if type(slots) is int and 1 <= slots <= 1_000_000 else 9
    whose = ", same_person=torch.zeros_like(mask)" if config.get("reads_identity") is True else ""  # one person: [1, S]
    several = banks_of(config)
    window = f"BankWindow(torch.zeros(1, {slots}, detector.bank_channels), mask{whose})"
    if several:
        each = f"BankWindow(torch.zeros(1, {slots}, width), mask{whose})"
        window = f"BankWindows.of({{name: {each} for name, width in detector.banks.items()}})"
    values = "BankWindow, BankWindows" if several else "BankWindow"
    lines = [
        *("```python", "import torch", opened[0], f"from lfb_lightning.structures import {values}", ""),
        f"detector = {opened[1]}",
        f"clips = torch.rand(1, 3, {frames}, 64, 96)  # one clip of yours, normalized",
        "boxes = torch.tensor([[0, 10.0, 5.0, 40.0, 60.0]])  # in clip 0, corners of a person",
        f"mask = torch.zeros(1, {slots}, dtype=torch.bool)  # what a bank holds around it: here nothing",
        f"window = {window}",
        "features = detector.short_term_features(clips, boxes)",
        "logits = detector.classify(features, window, clip_of_roi=boxes[:, 0].long())  # one row per box",
        *("```", ""),
    ]
    if several:
        return [
            *lines,
            "It is tested on a data set with these banks: `lfb-test ckpt_path=FOLDER`, with this folder.",
            "",
        ]
    packages_typed = f" 'trusted_packages={json.dumps(packages)}'" if packages else ""
    lines.append(
        f"A video of your own: `lfb-predict video=walk.mp4 ckpt_path=FOLDER{packages_typed}`, with this folder."
    )
    if isinstance(config.get("trained_on"), Mapping) and config["trained_on"].get("bank_backbone"):
        lines.append("If another detector made the bank that it was trained with, add `bank_ckpt_path=` of that one.")
    return [*lines, ""]


def _targets(node: Any) -> Iterator[str]:
    """Every name of a class in a stored model that could be written into a line of code."""
    if isinstance(node, Mapping):
        target = node.get("_target_")
        if isinstance(target, str) and all(part.isidentifier() for part in target.split(".")):
            yield target
        for value in node.values():
            yield from _targets(value)
    elif isinstance(node, list):
        for value in node:
            yield from _targets(value)
