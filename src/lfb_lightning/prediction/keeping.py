"""Keeps the bank of predicted videos as a folder that training and `lfb-bank` read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from lfb_lightning.bank import BankWriter, Provenance
from lfb_lightning.models import state_digest
from lfb_lightning.prediction.observed import Observed, joined
from lfb_lightning.prediction.trained import Trained
from lfb_lightning.version import __version__

SPLIT = "videos"


def bank_writer(folder: Path, memory: Trained, *, precision: str, bank_threshold: float) -> BankWriter:
    """Make what writes the bank of predicted videos.

    Args:
        folder: `bank.dir`; the bank is its sub-folder `videos`.
        memory: The detector whose backbone makes the features.
        precision: In which they are kept.
        bank_threshold: Least confidence of the persons in it.
    """
    detector, recipe = memory.detector, memory.recipe
    made = Provenance(
        checkpoint_digest=state_digest(detector),
        backbone_digest=state_digest(detector.backbone),
        backbone=detector.describe_backbone(),
        channels=detector.channels,
        precision=precision,
        compute_precision="32",
        clip=recipe.clips.describe(),
        keyframes="every_second",
        score_threshold=bank_threshold,
        split=SPLIT,
        ticks_per_second=str(recipe.clock.ticks_per_second),
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
    whole = joined(list(stretches))
    kept = torch.from_numpy(whole.scores >= bank_threshold)
    writer.write(
        video_id,
        timestamps=torch.from_numpy(whole.row_ticks)[kept],
        boxes=torch.from_numpy(whole.boxes)[kept],
        scores=torch.from_numpy(whole.scores)[kept],
        features=whole.features[look][kept],
    )
