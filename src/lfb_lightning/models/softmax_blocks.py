"""One label of each kind per region: a softmax over the verbs and one over the nouns, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from lfb_lightning.errors import InputError
from lfb_lightning.models.block_loss import Block, BlockLoss
from lfb_lightning.models.losses import SingleLabelLoss

_REDUCTIONS = ("mean", "sum")


def softmax_blocks(*, widths: Mapping[str, int] | None, reduce: str = "mean") -> BlockLoss:
    """Make the loss of labels of which a region shows one of each kind.

    Args:
        widths: How many columns each kind has, in their order, such as `{"verb": 97, "noun": 300}`. `lfb-train` takes
            None from the data set.
        reduce: How the cross entropies of the kinds become one loss: their mean (epic-kitchens-slowfast) or their sum.

    Raises:
        InputError: There is no width, one is less than 1, or `reduce` is neither.
    """
    if not widths or not all(width >= 1 for width in widths.values()):
        found = None if widths is None else dict(widths)
        raise InputError(
            f"loss.widths is {found}, expected how many columns each kind of label has, such as {{verb: 97, noun: 300}}."
        )
    if reduce not in _REDUCTIONS:
        raise InputError(f"loss.reduce is {reduce!r}, expected one of {', '.join(_REDUCTIONS)}.")
    weight = 1 / len(widths) if reduce == "mean" else 1.0
    ends = accumulate(widths.values())
    return BlockLoss(
        blocks={
            name: Block(columns=[end - width, end], loss=SingleLabelLoss(), weight=weight)
            for (name, width), end in zip(widths.items(), ends, strict=True)
        }
    )
