"""No detector: one region, the whole frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from lfb_lightning.structures import Proposals


class WholeFrame:
    """Takes the whole frame for the one person, with score 1: for close-ups, and models of whole clips."""

    def find(
        self, frames: Sequence[UInt8[np.ndarray, "H W 3"]], seconds: Sequence[float], video_id: str
    ) -> list[Proposals]:
        """Give each frame one box that is all of it; see `PersonSource.find`."""
        return [Proposals(boxes=np.array([[0.0, 0.0, 1.0, 1.0]]), scores=np.ones(1)) for _ in frames]

    def describe(self) -> dict[str, Any]:
        """State that the boxes are whole frames."""
        return {"source": "whole frame"}
