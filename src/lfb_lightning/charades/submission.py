"""The text that `Charades_v1_classify.m` takes: a line per video, its id and the score of each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lfb_lightning.files.durable import durable_file


def write_scores(path: str | Path, video_ids: Sequence[str], scores: Float[np.ndarray, "V C"]) -> None:
    """Write scores of videos so that the file is whole or not there.

    Args:
        path: The file.
        video_ids: The id of each video.
        scores: A row for each, written with nine digits: those that a number of 32 bits has.

    Raises:
        InputError: The file cannot be written.
    """
    assert len(video_ids) == len(scores)
    with durable_file(Path(path)) as file:
        for video_id, row in zip(video_ids, scores, strict=True):
            file.write(f"{video_id} {' '.join(f'{value:.9g}' for value in row.tolist())}\n".encode())
