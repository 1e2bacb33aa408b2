"""Trained detectors as predictions need them: with the recipe by which they were trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lfb_lightning.errors import InputError
from lfb_lightning.exporting import open_detector
from lfb_lightning.models import InferenceDetector
from lfb_lightning.prediction.recipe import Recipe, read_recipe


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained detector with the recipe by which it was trained.

    Args:
        detector: In evaluation mode.
        recipe: How it is to be shown a video.
        path: The checkpoint that it is from.
        whole_clips: Whether it was trained on whole clips, or looks at no boxes: there are no persons to be found.
    """

    detector: InferenceDetector
    recipe: Recipe
    path: str
    whole_clips: bool = False

    @property
    def name(self) -> str:
        """How results call it: the checkpoint's place and what reads the bank."""
        return f"{'/'.join(Path(self.path).parts[-3:])} ({self.detector.fbo_name})"


def load_trained(
    path: str | Path,
    *,
    labels: str | Path | None = None,
    clips: Mapping[str, Any] | None = None,
    trusted_packages: Sequence[str] = (),
) -> Trained:
    """Load a detector with its recipe.

    Args:
        path: A checkpoint that `load_detector` reads, or a folder of `lfb-export`.
        labels: A label map to take the actions' names from; None: the checkpoint's.
        clips: Keys of `ClipSettings` that replace the checkpoint's.
        trusted_packages: Packages whose classes the checkpoint may name.

    Raises:
        InputError: It cannot be loaded, or says something that does not fit.
    """
    detector, config = open_detector(path, trusted_packages)
    recipe = read_recipe(
        config,
        source=f"checkpoint {path}",
        num_columns=detector.num_classes,
        labels=labels,
        clips=clips,
        trusted_packages=trusted_packages,
    )
    return Trained(detector, recipe, str(path), _sees_whole_clips(detector, config))


def _sees_whole_clips(detector: InferenceDetector, config: Mapping[str, Any]) -> bool:
    told = config.get("trained_on")
    if isinstance(told, Mapping) and told.get("entries") == "clips":
        return True
    return not getattr(getattr(detector, "roi_features", None), "looks_at_boxes", True)


def memory_of(trained: Trained, given: Trained | None) -> tuple[Trained, str | None]:
    """Choose the detector whose backbone makes the bank that a detector reads.

    Args:
        trained: Who reads the bank.
        given: Who was given to make it; None: nobody.

    Returns:
        It, and a line for the user where nothing says whether it is the one of the training.

    Raises:
        InputError: It is another one than the training's, its features have another width, or the detector reads several
            banks, or another than that of its own regions.
    """
    memory = given or trained
    detector = trained.detector
    if not detector.reads_bank:
        return trained, None
    refuse_other_banks(trained)
    if memory.detector.channels != detector.bank_channels:
        raise InputError(
            f"checkpoint {memory.path} makes features of {memory.detector.channels} channels, but {trained.path} reads a "
            f"bank of {detector.bank_channels}; give bank_ckpt_path=<the checkpoint that its bank was extracted with>."
        )
    wanted = trained.recipe.bank_backbone
    found = memory.detector.backbone_digest()
    if wanted not in (None, found):
        raise InputError(
            f"checkpoint {trained.path} was trained on a bank of backbone {wanted[:12]}, but that of {memory.path} is "
            f"{found[:12]}; give bank_ckpt_path=<the checkpoint that the bank was extracted with>."
        )
    if wanted is None and given is None:
        return memory, (
            f"checkpoint {trained.path} does not say which backbone made the bank that it was trained on: its own makes it "
            "here. If that bank was extracted with another checkpoint, give bank_ckpt_path=<it>."
        )
    return memory, None


def refuse_other_banks(trained: Trained) -> None:
    """Raise InputError for a detector that reads several banks, or another than that of the regions that it scores."""
    if not trained.detector.reads_bank:
        return
    name = getattr(trained.detector, "bank_name", None)
    if name is not None:
        raise InputError(
            f"checkpoint {trained.path} reads the bank {name!r:.80}, but a prediction makes a bank of the regions that it "
            "scores; test it on a data set with that bank (lfb-test), or train a detector that reads its own "
            "(model.bank_name=null fbo.banks=null)."
        )
    banks = getattr(trained.detector, "banks", None)  # an exported program has one
    if banks is not None:
        raise InputError(
            f"checkpoint {trained.path} reads the banks {', '.join(banks)}, but a prediction makes one, by one backbone; "
            "test it on a data set with its banks (lfb-test), or train a detector that reads one (fbo.banks=null)."
        )


def refuse_incomparable(trained: Trained, other: Trained) -> None:
    """Raise InputError unless two detectors score the same actions at the same moments."""
    ours, theirs = trained.recipe, other.recipe
    if (ours.actions, ours.clock, ours.step) != (theirs.actions, theirs.clock, theirs.step):
        raise InputError(
            f"checkpoint {other.path} scores other actions, or at other moments, than {trained.path}: the two cannot be "
            "compared; set compare to a detector of the same data."
        )
