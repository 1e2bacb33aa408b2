"""The moments at which Charades measures where in a video its actions are: 25, equally spaced, from the beginning.

As `Charades_v1_localize.m` has it: moment j of 25 is j / 25 of the video's length, so the end is none of them; an action
is there from its start to its end, both included, and ends are not cut at the video's length.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64

from lfb_lightning.charades.annotations import CharadesVideo

EVALUATED_MOMENTS = 25


def moments_of(length: float, count: int = EVALUATED_MOMENTS) -> Float64[np.ndarray, " M"]:
    """Return the moments of a video that are evaluated, in seconds.

    Args:
        length: Of the video, in seconds.
        count: How many.
    """
    return np.arange(count) / count * length  # divided first, as there: an end of an action may be hit exactly


def labels_of_moments(
    videos: Sequence[CharadesVideo], num_classes: int, count: int = EVALUATED_MOMENTS
) -> Bool[np.ndarray, "N C"]:
    """Say which class is there at which moment.

    Args:
        videos: The videos.
        num_classes: C; every class of the videos is below it.
        count: Moments of each video.

    Returns:
        Rows video by video, and moment by moment within a video: N is the number of videos times `count`.
    """
    labels = np.zeros((len(videos), count, num_classes), dtype=bool)
    for number, video in enumerate(videos):
        moments = moments_of(video.length, count)
        for interval in video.intervals:
            labels[number, (interval.start <= moments) & (moments <= interval.end), interval.action] = True
    return labels.reshape(len(videos) * count, num_classes)
