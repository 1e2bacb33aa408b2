"""Adds what a checkpoint's run has measured, and was trained with, to the configuration that a folder is written of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from lfb_lightning.models.cards.figures import figures_of


def with_figures(
    config: Mapping[str, Any], detector: nn.Module, checkpoint: str | Path, *, metrics: str | Path | None = None
) -> dict[str, Any]:
    """Add the sections `figures` and `trained_with` to a configuration, if there are such facts.

    Args:
        config: The configuration that the detector was loaded with.
        detector: The detector.
        checkpoint: The file, or the folder, that it was loaded from.
        metrics: The `metrics.json` of an `lfb-test` of it; None: the figures of its training are looked for.

    Raises:
        InputError: The detector is not the checkpoint's, or `metrics` are those of other weights.
    """
    found = figures_of(checkpoint, detector, metrics=metrics)
    facts = {"figures": found.figures, "trained_with": found.trained_with}
    return {**config, **{name: fact for name, fact in facts.items() if fact is not None}}
