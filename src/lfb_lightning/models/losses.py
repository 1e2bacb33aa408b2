"""Multi-label binary cross entropy over AVA's actions, as the peers compute it.

Column 0 is background: it carries no loss, and a person without any action (a proposal that matched nobody) carries
none either. The mean runs over labelled persons x actions. Logits in, so it is safe under autocast, and no labelled
person gives a loss of zero (the peers': NaN) that still reaches every parameter.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class MultiLabelLoss(nn.Module):
    """Sum of the loss over persons and actions, divided by `count x actions`.

    `action_ids` restricts the loss to the label map's columns (None: every column but 0, as the peers do).
    """

    def __init__(self, *, action_ids: list[int] | None = None) -> None:
        super().__init__()
        self.action_ids = action_ids

    def forward(
        self,
        logits: Float[Tensor, "R A"],
        labels: Float[Tensor, "R A"],
        *,
        normaliser: Callable[[Tensor], Tensor] | None = None,
    ) -> Float[Tensor, ""]:
        """Mean loss; `normaliser` maps the number of labelled persons here to the number to divide by."""
        columns = self.action_ids if self.action_ids is not None else list(range(1, logits.shape[1]))
        rows = labelled(labels)
        # Multiplying instead of selecting keeps the graph whole when no person is labelled.
        elementwise = F.binary_cross_entropy_with_logits(
            logits.float()[:, columns], labels[:, columns], reduction="none"
        )
        total = (elementwise * rows[:, None]).sum() + 0.0 * logits.float().sum()
        count = rows.sum().float()
        divisor = count if normaliser is None else normaliser(count)
        return total / (divisor.clamp(min=1.0) * len(columns))


def labelled(labels: Float[Tensor, "R A"]) -> Bool[Tensor, " R"]:
    """Persons with at least one action, background aside."""
    return labels[:, 1:].sum(dim=1) > 0


def binary_accuracy(logits: Float[Tensor, "R A"], labels: Float[Tensor, "R A"]) -> Float[Tensor, ""]:
    """Recall at 0.5 over labelled persons' actions, for the progress bar; 0 without any."""
    predicted = torch.sigmoid(logits[:, 1:]) > 0.5
    actual = labels[:, 1:] > 0.5
    return (predicted & actual).sum() / actual.sum().clamp(min=1)
