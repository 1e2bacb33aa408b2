"""The layout of epic-kitchens-slowfast: PySlowFast's SlowFast with a classifier of verbs and one of nouns."""

from __future__ import annotations

import torch
from torch import Tensor

from lfb_lightning.errors import InputError
from lfb_lightning.models.imports.rules import ClipSet, Layout, Rule
from lfb_lightning.models.imports.slowfast_layouts import PYSLOWFAST_SLOWFAST

_HEADS = ("verb", "noun")  # in the order of our columns
_WIDTHS = {"verb": 97, "noun": 300}
_LEAVES = ("weight", "bias")


def join_heads(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Stack the classifiers of verbs and nouns, verbs first, as one; a file that lacks a part of them stays as it is.

    Args:
        weights: As the file names them.

    Raises:
        InputError: They are of other classes than EPIC-Kitchens 100's.
    """
    names = {leaf: [f"head.projection_{head}.{leaf}" for head in _HEADS] for leaf in _LEAVES}
    if not all(name in weights for pair in names.values() for name in pair):
        return weights
    found = {head: len(weights[f"head.projection_{head}.weight"]) for head in _HEADS}
    if found != _WIDTHS:
        raise InputError(
            f"its classifiers have {found['verb']} verbs and {found['noun']} nouns, expected EPIC-Kitchens 100's "
            f"{_WIDTHS['verb']} and {_WIDTHS['noun']}; to begin a training of other classes with its backbone, "
            "leave out the weights whose names begin with head."
        )
    joined = dict(weights)
    for leaf, pair in names.items():
        joined[f"head.projection_{{verb,noun}}.{leaf}"] = torch.cat([joined.pop(name) for name in pair])
    return joined


EPIC_SLOWFAST = Layout(
    name="epic-kitchens-slowfast",
    license="CC-BY-NC-SA-4.0 (its repository's license)",
    mark=r"head\.projection_(?:verb|noun)\.weight",
    join=join_heads,
    rules=(Rule(r"head\.projection_\{verb,noun\}\.(weight|bias)", r"head.\1"), *PYSLOWFAST_SLOWFAST.rules),
    backbone={  # its configuration SLOWFAST_8x8_R50: clips, where PySlowFast's detectors keep the last stage's stride
        **PYSLOWFAST_SLOWFAST.backbone,
        "spatial_strides": [1, 2, 2, 2],
        "freeze_batch_norm": True,
    },
    clips=PYSLOWFAST_SLOWFAST.clips,
    clip_sets={
        sum(_WIDTHS.values()): ClipSet(
            "EPIC-Kitchens 100, verbs and nouns",
            "epic100_slowfast_r{depth}",
            clips={"fps": 60.0, "frame_spacing": "even", "eval_crop": "center", "crop_rounding": "up"},
            loss={"_target_": "lfb_lightning.models.softmax_blocks", "widths": _WIDTHS},
        )
    },
)
