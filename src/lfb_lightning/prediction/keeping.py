"""Keeps the bank of predicted videos as a folder that training and `lfb-bank` read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from lfb_lightning.bank import BankWriter, Provenance
from lfb_lightning.clock import Clock
from lfb_lightning.prediction.observed import Observed
from lfb_lightning.prediction.trained import Trained
from lfb_lightning.version import __version__

SPLIT = "videos"


def bank_writer(folder: Path, memory: Trained, *, clock: Clock, precision: str, bank_threshold: float) -> BankWriter:
    """Make what writes the bank of predicted videos.

    Args:
        folder: `bank.dir`; the bank is its sub-folder `videos`.
        memory: The detector whose backbone makes the features.
        clock: What the rows' timestamps count.
        precision: In which they are kept.
        bank_threshold: Least confidence of the persons in it.
    """
    detector, recipe = memory.detector, memory.recipe
    made = Provenance(
        checkpoint_digest=detector.digest(),
        backbone_digest=detector.backbone_digest(),
        backbone=detector.describe_backbone(),
        channels=detector.channels,
        precision=precision,
        compute_precision="32",
        clip=recipe.clips.describe(),
        keyframes="every_second",
        score_threshold=bank_threshold,
        split=SPLIT,
        ticks_per_second=str(clock.ticks_per_second),
        package_version=__version__,
    )
    return BankWriter(folder / SPLIT, made)


def keep_video(
    writer: BankWriter, video_id: str, stretches: Iterable[Observed], *, look: int, bank_threshold: float
) -> None:
    """Write the rows of one video.

    Args:
        writer: Where to.
        video_id: The video.
        stretches: All of it.
        look: Which of the features are the bank's.
        bank_threshold: Least confidence of the persons in it.
    """
    ticks, boxes, scores, features = [], [], [], []
    for observed in stretches:
        kept = np.flatnonzero(observed.scores >= bank_threshold)
        ticks.append(observed.row_ticks[kept])
        boxes.append(observed.boxes[kept])
        scores.append(observed.scores[kept])
        features.append(observed.features[look][torch.from_numpy(kept)])
    writer.write(
        video_id,
        timestamps=torch.from_numpy(np.concatenate(ticks)),
        boxes=torch.from_numpy(np.concatenate(boxes)),
        scores=torch.from_numpy(np.concatenate(scores)),
        features=torch.cat(features),
    )
