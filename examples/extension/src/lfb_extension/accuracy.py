"""An evaluator: top-1 accuracy of items, on any number of processes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from lfb_lightning.files.durable import write_durably
from lfb_lightning.metrics import ItemScores
from lfb_lightning.structures import Detections


class Accuracy(nn.Module):
    """The share of items whose best scored class is the right one.

    Args:
        truth: The class of each item, by the item's number.
        columns: Number of classes.
    """

    figures = ("accuracy",)

    def __init__(self, truth: Sequence[int], *, columns: int) -> None:
        super().__init__()
        self.truth = np.array(truth, dtype=np.int64)
        self.collected = ItemScores(columns=columns)

    def update(self, detections: Detections) -> None:
        """Add a batch."""
        self.collected.update(detections)

    def compute(self) -> Mapping[str, float]:
        """Evaluate what all processes have collected, then forget it."""
        self.items, self.scores = self.collected.compute()
        self.collected.reset()
        self.accuracy = float((self.scores.argmax(axis=1) == self.truth[self.items]).mean())
        return {"accuracy": self.accuracy}

    def summary(self) -> dict[str, Any]:
        """The accuracy, and of how many items it is."""
        return {"accuracy": self.accuracy, "items": len(self.items)}

    def write(self, folder: Path) -> list[Path]:
        """Write a row per item into `scores.csv`: its number, then the score of each class."""
        rows = [",".join(map(str, [item, *row])) for item, row in zip(self.items, self.scores.tolist(), strict=True)]
        write_durably(folder / "scores.csv", "\n".join([*rows, ""]).encode())
        return [folder / "scores.csv"]
