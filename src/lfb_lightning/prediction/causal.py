"""Detectors that are shown the past only: as in a live picture, nothing after a moment is known."""

from __future__ import annotations

from dataclasses import replace

from lfb_lightning.prediction.trained import Trained


def causal(trained: Trained) -> Trained:
    """End a detector's windows at the moment itself.

    The slots of later moments stay, and are empty: a window is what it would be at the end of a video.

    Args:
        trained: With the windows of its training.
    """
    window = trained.recipe.window
    return replace(trained, recipe=replace(trained.recipe, window=replace(window, after=min(window.after, 0))))


def note_of_causal(trained: Trained) -> str | None:
    """Say in a line what a causal window takes from a detector; None if it was trained with such windows, or has no memory.

    Args:
        trained: With the windows of its training.
    """
    window = trained.recipe.window
    if not trained.detector.reads_bank or window.after <= 0:
        return None
    return (
        f"checkpoint {trained.path} was trained with a memory from {float(window.before):g} s before to "
        f"{float(window.after):g} s after each moment; here nothing comes after it, so its scores are not quite what it was "
        "trained for. A detector for live pictures is trained with bank.placement=causal."
    )
