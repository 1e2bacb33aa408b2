"""Action losses as the peers compute them: multi-label or single-label, plain or focal.

Column 0 is background: it carries no loss, and a person without any action (a proposal that matched nobody) carries none
either. The mean runs over labelled persons (x actions). Logits in, so it is safe under autocast, and no labelled person
gives a loss of zero (the peers': NaN) that still reaches every parameter.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class ActionLoss(nn.Module):
    """What both losses share: which columns and rows count, focal weighting, and what the sum is divided by.

    `action_ids` restricts the loss to some columns (None: all); `background` sets column 0 aside. With `focal_gamma` or
    `focal_alpha` an element l becomes alpha (1 - exp(-l))^gamma l.
    """

    def __init__(
        self,
        *,
        action_ids: list[int] | None = None,
        background: bool = True,
        focal_alpha: float = 1.0,
        focal_gamma: float = 0.0,
    ) -> None:
        super().__init__()
        self.action_ids = action_ids
        self.background = background
        self.focal_alpha = focal_alpha
        self.focal_gamma = focal_gamma

    def forward(self, logits: Float[Tensor, "R A"], labels: Float[Tensor, "R A"]) -> Float[Tensor, ""]:
        """Mean loss over the labelled persons; zero if there are none."""
        total, count = self.sum(logits, labels)
        return total / count.clamp(min=1.0)

    def sum(
        self, logits: Float[Tensor, "R A"], labels: Float[Tensor, "R A"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The labelled persons' losses, summed, and their number: what a mean over several batches or ranks is made of."""
        columns = self._columns(logits)
        rows = labelled(labels) if self.background else labels.sum(dim=1) > 0
        elements = self.elements(logits.float()[:, columns], labels[:, columns])
        if self.focal_gamma > 0:  # clamped: below a power of 1 the gradient at 0 is infinite
            elements = (1 - torch.exp(-elements)).clamp(min=1e-8).pow(self.focal_gamma) * elements
        elements = self.focal_alpha * elements
        # Multiplying instead of selecting keeps the graph whole when no person is labelled.
        total = (elements * rows[:, None]).sum() + 0.0 * logits.float().sum()
        return total / elements.shape[1], rows.sum().float()

    def scores(self, logits: Float[Tensor, "R A"]) -> Float[Tensor, "R A"]:
        """What a detector that was trained with this loss says, 0 to 1, in fp32: every action on its own."""
        return torch.sigmoid(logits.float())

    def elements(self, logits: Float[Tensor, "R K"], labels: Float[Tensor, "R K"]) -> Float[Tensor, "R _"]:
        """The loss of every person and action, or of every person."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its elements are")

    def _columns(self, logits: Tensor) -> list[int]:
        first = 1 if self.background else 0
        return self.action_ids if self.action_ids is not None else list(range(first, logits.shape[1]))


class MultiLabelLoss(ActionLoss):
    """Binary cross entropy of every action on its own; an action that is there counts `pos_weight` times."""

    def __init__(
        self,
        *,
        action_ids: list[int] | None = None,
        background: bool = True,
        focal_alpha: float = 1.0,
        focal_gamma: float = 0.0,
        pos_weight: float = 1.0,
    ) -> None:
        super().__init__(action_ids=action_ids, background=background, focal_alpha=focal_alpha, focal_gamma=focal_gamma)
        self.pos_weight = pos_weight

    def elements(self, logits: Float[Tensor, "R K"], labels: Float[Tensor, "R K"]) -> Float[Tensor, "R _"]:
        """One element a person and action."""
        elements = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        return elements * (1 + (self.pos_weight - 1) * labels)


class SingleLabelLoss(ActionLoss):
    """Cross entropy over the actions; a person with several shares one unit of probability among them.

    Without `background` the labels are taken as they are (the peer's behaviour): several add up.
    """

    def scores(self, logits: Float[Tensor, "R A"]) -> Float[Tensor, "R A"]:
        """A distribution over the columns with a loss, in fp32; 0 for the others."""
        columns = self._columns(logits)
        scores = torch.zeros_like(logits, dtype=torch.float32)
        scores[:, columns] = torch.softmax(logits.float()[:, columns], dim=1)
        return scores

    def elements(self, logits: Float[Tensor, "R K"], labels: Float[Tensor, "R K"]) -> Float[Tensor, "R _"]:
        """One element a person."""
        if self.background:
            labels = labels / labels.sum(dim=1, keepdim=True).clamp(min=1.0)
        return -(labels * F.log_softmax(logits, dim=1)).sum(dim=1, keepdim=True)


def labelled(labels: Float[Tensor, "R A"]) -> Bool[Tensor, " R"]:
    """Persons with at least one action, background aside."""
    return labels[:, 1:].sum(dim=1) > 0
