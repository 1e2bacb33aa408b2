"""A loss for labels that come in blocks of columns, such as 97 verbs and 300 nouns, each with a loss of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lfb_lightning.errors import InputError


class Block(nn.Module):
    """The columns of one kind of label, and their loss.

    Args:
        columns: The first column, and the one behind the last: `[0, 97]` is 97 columns.
        loss: A module that is a `Loss`. It sees the block's columns, numbered from 0. All of them are actions, unless it was
            built with a `background` of its own.
        weight: Factor of its loss in the sum over the blocks.

    Raises:
        InputError: The columns are none.
    """

    def __init__(self, *, columns: Sequence[int], loss: nn.Module, weight: float = 1.0) -> None:
        super().__init__()
        if len(columns) != 2 or not 0 <= columns[0] < columns[1]:
            raise InputError(
                f"columns is {list(columns)}, expected the first and the one behind the last, as in [0, 97]."
            )
        self.first, self.end = columns
        self.loss: Any = loss
        self.weight = weight
        if callable(set_background := getattr(loss, "set_background", None)):
            set_background(False)

    @property
    def action_ids(self) -> list[int]:
        """The columns with a loss, numbered as the model's."""
        own = getattr(self.loss, "action_ids", None)
        return list(range(self.first, self.end)) if own is None else [self.first + one for one in own]


class BlockLoss(nn.Module):
    """The sum of the losses of several blocks of columns.

    The mean over several batches divides by the regions of the block that has most: of blocks that are labeled alike, as
    verbs and nouns are, it is the sum of the blocks' own means.

    Args:
        blocks: By name. Columns that no block has carry no loss, and their score is 0.

    Raises:
        InputError: There is none, or two share a column.
    """

    def __init__(self, *, blocks: Mapping[str, Block]) -> None:
        super().__init__()
        if not blocks:
            raise InputError("loss.blocks is empty, expected at least one block of columns.")
        ordered = sorted(blocks.items(), key=lambda entry: entry[1].first)
        for (name, block), (other, following) in pairwise(ordered):
            if following.first < block.end:
                raise InputError(f"loss.blocks: {name} and {other} share column {following.first}.")
        self.blocks = nn.ModuleDict(dict(blocks))
        self._each = tuple(blocks.values())

    @property
    def action_ids(self) -> list[int]:
        """The columns with a loss, of all blocks."""
        return sorted(column for block in self._each for column in block.action_ids)

    def forward(self, logits: Float[Tensor, "R A"], labels: Float[Tensor, "R A"]) -> Float[Tensor, ""]:
        """Compute the mean loss over the labeled regions; zero if there are none."""
        total, count = self.sum(logits, labels)
        return total / count.clamp(min=1.0)

    def sum(
        self, logits: Float[Tensor, "R A"], labels: Float[Tensor, "R A"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Sum the blocks' losses, and count the regions of the block that has most."""
        self._check(logits)
        sums = [
            (block.weight, *block.loss.sum(logits[:, block.first : block.end], labels[:, block.first : block.end]))
            for block in self._each
        ]
        total = torch.stack([weight * total for weight, total, _ in sums]).sum() + 0.0 * logits.float().sum()
        return total, torch.stack([count for _, _, count in sums]).amax()

    def scores(self, logits: Float[Tensor, "R A"]) -> Float[Tensor, "R A"]:
        """Score each block as its loss says; 0 for columns without a block."""
        self._check(logits)
        scores = torch.zeros_like(logits, dtype=torch.float32)
        for block in self._each:
            scores[:, block.first : block.end] = block.loss.scores(logits[:, block.first : block.end])
        return scores

    def competing(self, num_columns: int) -> list[list[int]]:
        """Say which columns' scores make one distribution, as the blocks' losses say it."""
        found = []
        for block in self._each:
            of_block = getattr(block.loss, "competing", None)
            groups = of_block(block.end - block.first) if callable(of_block) else []
            found += [[block.first + column for column in group] for group in groups]
        return found

    def _check(self, logits: Tensor) -> None:
        end = max(block.end for block in self._each)
        if end > logits.shape[1]:
            raise InputError(
                f"loss.blocks has columns up to {end - 1}, but the model has {logits.shape[1]}: set model.num_classes={end}."
            )
