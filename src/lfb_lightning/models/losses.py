"""Losses of actions: multi-label or single-label, plain or focal, for one block of columns or for several.

They equal the reference implementations': the mean runs over labeled regions (x actions), and column 0 carries no loss
where the label map says that it is background. Logits in, so it is safe under autocast, and no labeled region gives a loss
of zero (in the reference implementations: NaN) that still reaches every parameter.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lfb_lightning.movable import Constant


@runtime_checkable
class Loss(Protocol):
    """What training and testing ask of a loss. Any `nn.Module` that has it works, whoever wrote it.

    It may also have `action_ids: list[int] | None`, the columns that it looks at (None: all), which are checked against the
    model before training; and `set_background(background: bool)`, which is called before training with what the data set's
    label map says of column 0: whether it stands for "no action"; and `competing(num_columns: int) -> list[list[int]]`, the
    groups of columns whose scores make one distribution, which are compared with what the data set says of its labels.
    """

    def sum(
        self, logits: Float[Tensor, "R A"], labels: Float[Tensor, "R A"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Sum the losses of a batch's regions, and count the regions that have one.

        Args:
            logits: Of R regions and A columns, in any floating precision.
            labels: 1 where a region shows an action, 0 elsewhere.

        Returns:
            The sum and the number, from which a mean over several batches or processes is made. The sum is to reach every
            parameter, also where there is no region: `+ 0.0 * logits.sum()`.
        """
        ...

    def scores(self, logits: Float[Tensor, "R A"]) -> Float[Tensor, "R A"]:
        """Turn logits into the scores, 0 to 1, of a detector that was trained with this loss, in fp32."""
        ...


class ActionLoss(nn.Module):
    """What both losses share: which columns and rows count, focal weighting, and what the sum is divided by.

    With `focal_gamma` or `focal_alpha` an element l becomes alpha (1 - exp(-l))^gamma l.

    Args:
        action_ids: Columns with a loss; None: all, without column 0 where that is background.
        background: Whether column 0 means "no action". None: what `set_background` says, and True until it does.
        empty_rows: Whether a region without any action has a loss too: that it shows none of them.
        focal_alpha: Factor of the focal weighting.
        focal_gamma: Exponent of the focal weighting.
    """

    def __init__(
        self,
        *,
        action_ids: list[int] | None = None,
        background: bool | None = None,
        empty_rows: bool = False,
        focal_alpha: float = 1.0,
        focal_gamma: float = 0.0,
    ) -> None:
        super().__init__()
        self.action_ids = action_ids
        self.background = background is None or background
        self.background_is_given = background is not None
        self.empty_rows = empty_rows
        self.focal_alpha = focal_alpha
        self.focal_gamma = focal_gamma
        self._constant: tuple[list[int], Constant] | None = None  # `action_ids` on each device

    def set_background(self, background: bool) -> None:
        """Take what the label map says of column 0, unless the loss was built with `background`."""
        if not self.background_is_given:
            self.background = background

    def forward(self, logits: Float[Tensor, "R A"], labels: Float[Tensor, "R A"]) -> Float[Tensor, ""]:
        """Compute the mean loss over the labeled regions; zero if there are none."""
        total, count = self.sum(logits, labels)
        return total / count.clamp(min=1.0)

    def sum(
        self, logits: Float[Tensor, "R A"], labels: Float[Tensor, "R A"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Sum the labeled regions' losses, and count those regions."""
        rows = torch.ones_like(labels[:, 0], dtype=torch.bool) if self.empty_rows else self._labeled(labels)
        elements = self.elements(self._chosen(logits.float()), self._chosen(labels))
        if self.focal_gamma > 0:  # clamped: below a power of 1 the gradient at 0 is infinite
            elements = (1 - torch.exp(-elements)).clamp(min=1e-8).pow(self.focal_gamma) * elements
        elements = self.focal_alpha * elements
        # Multiplying instead of selecting keeps the graph whole when no region is labeled.
        total = (elements * rows[:, None]).sum() + 0.0 * logits.float().sum()
        return total / elements.shape[1], rows.sum().float()

    def competing(self, num_columns: int) -> list[list[int]]:
        """Say which columns' scores make one distribution: none, since every action is scored on its own."""
        return []

    def scores(self, logits: Float[Tensor, "R A"]) -> Float[Tensor, "R A"]:
        """Score every action on its own, in fp32."""
        return torch.sigmoid(logits.float())

    def elements(self, logits: Float[Tensor, "R K"], labels: Float[Tensor, "R K"]) -> Float[Tensor, "R _"]:
        """Compute the loss of every region and action, or of every region."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its elements are")

    def _columns(self, table: Float[Tensor, "R A"]) -> slice | Tensor:
        """Say which columns have a loss, in a way that does not wait for the device: a list would be copied to it."""
        ids = self.action_ids
        if ids is None:
            return slice(1 if self.background else 0, table.shape[1])
        if ids and ids == list(range(ids[0], ids[0] + len(ids))):
            return slice(ids[0], ids[-1] + 1)
        if self._constant is None or self._constant[0] != ids:
            self._constant = list(ids), Constant(torch.tensor(ids, dtype=torch.long))
        return self._constant[1].on(table.device)

    def _chosen(self, table: Float[Tensor, "R A"]) -> Float[Tensor, "R K"]:
        columns = self._columns(table)
        return table[:, columns].contiguous() if isinstance(columns, slice) else table.index_select(1, columns)

    def _labeled(self, labels: Tensor) -> Bool[Tensor, " R"]:
        return labeled(labels) if self.background else labels.sum(dim=1) > 0


class MultiLabelLoss(ActionLoss):
    """Binary cross entropy of every action on its own.

    Args:
        action_ids: See `ActionLoss`.
        background: See `ActionLoss`.
        empty_rows: See `ActionLoss`.
        focal_alpha: See `ActionLoss`.
        focal_gamma: See `ActionLoss`.
        pos_weight: How often an action that is there counts against one that is not.
    """

    def __init__(
        self,
        *,
        action_ids: list[int] | None = None,
        background: bool | None = None,
        empty_rows: bool = False,
        focal_alpha: float = 1.0,
        focal_gamma: float = 0.0,
        pos_weight: float = 1.0,
    ) -> None:
        super().__init__(
            action_ids=action_ids,
            background=background,
            empty_rows=empty_rows,
            focal_alpha=focal_alpha,
            focal_gamma=focal_gamma,
        )
        self.pos_weight = pos_weight

    def elements(self, logits: Float[Tensor, "R K"], labels: Float[Tensor, "R K"]) -> Float[Tensor, "R _"]:
        """Compute one element for each region and action."""
        elements = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        return elements * (1 + (self.pos_weight - 1) * labels)


class SingleLabelLoss(ActionLoss):
    """Cross entropy over the actions; a region with several shares one unit of probability among them.

    Without `background` the labels are taken as they are (the reference implementation's behaviour): several add up.
    """

    def competing(self, num_columns: int) -> list[list[int]]:
        """Say which columns' scores make one distribution: all that have a loss."""
        first = 1 if self.background else 0
        return [list(range(first, num_columns)) if self.action_ids is None else list(self.action_ids)]

    def scores(self, logits: Float[Tensor, "R A"]) -> Float[Tensor, "R A"]:
        """Compute a distribution over the columns with a loss, in fp32; 0 for the others."""
        columns = self._columns(logits)
        scores = torch.zeros_like(logits, dtype=torch.float32)
        found = torch.softmax(self._chosen(logits.float()), dim=1)
        if isinstance(columns, slice):
            scores[:, columns] = found
            return scores
        return scores.index_copy(1, columns, found)

    def elements(self, logits: Float[Tensor, "R K"], labels: Float[Tensor, "R K"]) -> Float[Tensor, "R _"]:
        """Compute one element for each region."""
        if self.background:
            labels = labels / labels.sum(dim=1, keepdim=True).clamp(min=1.0)
        return -(labels * F.log_softmax(logits, dim=1)).sum(dim=1, keepdim=True)


def labeled(labels: Float[Tensor, "R A"]) -> Bool[Tensor, " R"]:
    """Find the regions with at least one action, background (column 0) aside."""
    return labels[:, 1:].sum(dim=1) > 0
