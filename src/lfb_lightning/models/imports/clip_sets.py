"""Models of whole clips among a code base's checkpoints: which data set a file is for, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from lfb_lightning.errors import InputError
from lfb_lightning.models.imports.architecture import depth_of
from lfb_lightning.models.imports.rules import ClipSet, Layout

_KINETICS = 400  # and more: classifiers that give a backbone
_FBOS = {"FBONone": "baseline", "FBOAvg": "lfb_avg", "FBOMax": "lfb_max", "FBONonLocal": "lfb_nl"}  # names of presets


def clip_set_of(
    layout: Layout, source: Iterable[str], classifier: Tensor | None, *, strict: bool = True
) -> ClipSet | None:
    """Find the data set of whole clips that a file's model is for; its weights tell by the classes that it scores.

    Args:
        layout: The code base.
        source: Names of the file's weights, as they stand there.
        classifier: The classifier's weight, a row for each class; None: the file has none.
        strict: Whether another number of classes than the code base's models have is an error.

    Returns:
        The data set; None: it is a detector of persons, or a backbone.

    Raises:
        InputError: The number of classes is of no known data set, and nothing else says what is scored.
    """
    if not layout.clip_sets or classifier is None:
        return None
    names, classes = list(source), len(classifier)
    if any(re.fullmatch(layout.person_mark, name) for name in names):
        return None
    of_clips = any(re.fullmatch(layout.clip_mark, name) for name in names)
    found = layout.clip_sets.get(classes)
    if found is not None or classes >= _KINETICS or (classes in layout.person_classes and not of_clips):
        return found
    if not strict and not of_clips:
        return None
    known = {**layout.person_classes, **{number: one.name for number, one in layout.clip_sets.items()}}
    listed = ", ".join(f"{number} ({name})" for number, name in known.items())
    raise InputError(
        f"its classifier has {classes} classes, expected {listed}"
        + (
            ": it scores whole clips of none of these."
            if of_clips
            else "; strict=false takes it for a detector of persons."
        )
    )


def told_of(clip_set: ClipSet, spec: Mapping[str, Any]) -> str:
    """Say in a line what was found in a file of whole clips, and which preset goes with it.

    Args:
        clip_set: Its data set.
        spec: The detector's configuration.
    """
    depth = depth_of(spec["backbone"]["stage_blocks"])
    kind = _FBOS[spec["fbo"]["_target_"].rsplit(".", 1)[1]]
    preset = clip_set.preset.format(depth=depth, kind=kind)
    bank = f", which reads the bank {spec['bank_name']}" if spec.get("bank_name") else ""
    return f"{clip_set.name}: whole clips, {spec['num_classes']} classes, R{depth}, {kind}{bank}; experiment={preset}"
