"""What a file of another code base became: a detector's configuration and weights, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from lfb_lightning.files.torch_writing import save_durably
from lfb_lightning.models.imports.report import ImportReport


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file of another code base became.

    Attributes:
        spec: The detector's configuration.
        weights: Its weights, under our names.
        report: What became of each of the source's weights.
        has_head: False where the source classifies clips: the head is new then.
        clips: How the source cuts and normalizes clips, as keys of `data`.
        license: That of the weights; "": not known.
        note: What its detectors do beside what is usual here, and which keys do so; "": nothing.
        source: What it was imported from: as it was typed, of the hub with the commit.
        task: Keys of `task` by which its scores differ from our defaults.
        loss: The section `loss` by which they do; None: they do not.
    """

    spec: dict[str, Any]
    weights: dict[str, torch.Tensor]
    report: ImportReport
    has_head: bool
    clips: Mapping[str, Any]
    license: str = ""
    note: str = ""
    source: str = ""
    task: Mapping[str, Any] | None = None
    loss: Mapping[str, Any] | None = None

    def config(self, *, source: str) -> dict[str, Any]:
        """Make the configuration that a checkpoint of it holds.

        Args:
            source: What it was imported from.
        """
        told = {name: text for name, text in (("license", self.license), ("notes", self.note)) if text}
        return {
            "model": self.spec,
            "imported_from": source,
            "imported_layout": self.report.layout,
            "backbone_only": not self.has_head,
            "clips": dict(self.clips),
            **({"task": dict(self.task)} if self.task else {}),
            **({"loss": dict(self.loss)} if self.loss else {}),
            **told,
        }

    def save(self, path: str | Path, *, source: str) -> None:
        """Write a checkpoint that `load_detector`, `init_from` and `backbone.weights` read."""
        content = {
            "state_dict": {f"detector.{key}": value for key, value in self.weights.items()},
            "hyper_parameters": {"config": yaml.safe_dump(self.config(source=source))},
        }
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        save_durably(Path(path), content)
