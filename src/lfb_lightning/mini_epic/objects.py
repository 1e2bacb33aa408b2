"""The boxes of mini-EPIC's objects as a detector would find them: not quite there, now and then missing, or of nothing."""

from __future__ import annotations

import numpy as np

from lfb_lightning.mini_ava.figure import SIZE
from lfb_lightning.mini_epic.drawing import Box, object_boxes
from lfb_lightning.mini_epic.scenario import Scene

_JITTER = 0.8  # standard deviation of each side's place, in pixels
_MISSED, _OF_NOTHING = 0.03, 0.15  # share of missing objects; of seconds with a box where nothing is
_SURE, _UNSURE = (0.8, 0.99), (0.5, 0.75)  # scores


def object_rows(video_id: str, scene: Scene, rng: np.random.Generator, *, seconds: int) -> list[str]:
    """List the found objects of a video, one moment per second, as rows of AVA's form of proposals, best first.

    Args:
        video_id: The video.
        scene: What it shows.
        rng: Source of every mistake.
        seconds: The video's length; its first moment is at second 1.
    """
    rows = []
    for second in range(1, seconds):
        found = [
            (_scored(rng, _SURE), _moved(rng, box))
            for box in object_boxes(scene, float(second))
            if rng.random() > _MISSED
        ]
        if rng.random() < _OF_NOTHING:
            found.append((_scored(rng, _UNSURE), _anywhere(rng)))
        for score, box in sorted(found, reverse=True):
            corners = ",".join(f"{corner / SIZE:.4f}" for corner in box)
            rows.append(f"{video_id},{second:04d},{corners},,{score:.4f}")
    return rows


def _scored(rng: np.random.Generator, between: tuple[float, float]) -> float:
    return float(rng.uniform(*between))


def _moved(rng: np.random.Generator, box: Box) -> Box:
    x1, y1, x2, y2 = np.clip(np.add(box, rng.normal(0.0, _JITTER, 4)), 0, SIZE).tolist()
    return x1, y1, x2, y2


def _anywhere(rng: np.random.Generator) -> Box:
    width, height = rng.uniform(18, 36, 2).tolist()
    x, y = float(rng.uniform(0, SIZE - width)), float(rng.uniform(0, SIZE - height))
    return x, y, x + width, y + height
