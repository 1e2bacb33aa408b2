"""A loss: anything that sums over regions, counts them, and turns logits into scores."""

import torch
import torch.nn.functional as F
from torch import nn


class SmoothedLoss(nn.Module):
    """Cross entropy of one action per region, with smoothed labels.

    Args:
        smoothing: Share of the target that goes to all actions alike.
    """

    def __init__(self, *, smoothing: float = 0.1) -> None:
        super().__init__()
        self.smoothing = smoothing

    def sum(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum over the regions, and their number; without regions a zero that still has a gradient."""
        losses = F.cross_entropy(logits.float(), labels.float(), label_smoothing=self.smoothing, reduction="none")
        return losses.sum() + 0.0 * logits.sum(), torch.tensor(float(len(logits)), device=logits.device)

    def scores(self, logits: torch.Tensor) -> torch.Tensor:
        """Probabilities of the actions."""
        return logits.float().softmax(dim=1)
