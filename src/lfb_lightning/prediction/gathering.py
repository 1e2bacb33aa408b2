"""Scores a video's stretches as soon as what follows them is known, and gathers the results of all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from lfb_lightning.prediction.observed import Observed, joined_glimpses
from lfb_lightning.prediction.prediction import Prediction
from lfb_lightning.prediction.scoring import Scored, Scorer, joined_attention
from lfb_lightning.prediction.thumbnails import Thumbnails
from lfb_lightning.video.protocol import VideoProperties


def counted(
    stretches: Iterable[Observed], total: int, progress: Callable[[int, int], None] | None
) -> Iterator[Observed]:
    """Pass stretches on, and tell how many of so many moments they have.

    Args:
        stretches: In order.
        total: Moments of all.
        progress: Is told the moments that are done, and of all; None: nobody is.
    """
    done = 0
    for observed in stretches:
        done += len(observed.ticks)
        if progress is not None:
            progress(done, total)
        yield observed


def gather(
    stretches: Iterable[Observed],
    scorers: Sequence[Scorer],
    *,
    video: Path,
    video_id: str,
    properties: VideoProperties,
    model: str,
    window: tuple[float, float] | None,
    compared: str | None,
) -> Prediction:
    """Make a prediction of the stretches of a video.

    Of the features, only those of three stretches are held at a time.

    Args:
        stretches: In order; each as long as the windows reach at least, but for the last one.
        scorers: What scores, and behind it what it is compared with, if anything.
        video: The file.
        video_id: Its name in tables.
        properties: Its length, rate and size.
        model: What scores, in a line.
        window: Seconds that the memory reaches before and after a moment; None without memory.
        compared: What it is compared with, in a line; None without that.
    """
    recipe = scorers[0].recipe
    thumbnails = Thumbnails()
    ticks, moment, boxes, confidences, tracks, glimpses = [], [], [], [], [], []
    scores: list[list[Scored]] = [[] for _ in scorers]
    begin = 0
    for here, scored in _scored(stretches, scorers, video_id):
        thumbnails.add([recipe.clock.seconds_in_video(int(tick)) for tick in here.ticks], here.thumbnails)
        ticks.append(here.ticks)
        moment.append(here.moment + begin)
        boxes.append(here.boxes)
        confidences.append(here.scores)
        tracks.append(here.tracks)
        glimpses.append(here.glimpses)
        for all_of_it, part in zip(scores, scored, strict=True):
            all_of_it.append(part)
        begin += len(here.ticks)
    main, *other = scores
    return Prediction(
        video=video,
        video_id=video_id,
        properties=properties,
        clock=recipe.clock,
        actions=recipe.actions,
        model=model,
        window=window,
        compared=compared,
        ticks=np.concatenate(ticks),
        moment=np.concatenate(moment),
        boxes=np.concatenate(boxes),
        confidences=np.concatenate(confidences),
        tracks=np.concatenate(tracks),
        scores=np.concatenate([part.scores for part in main]),
        without=np.concatenate([part.scores for part in other[0]]) if other else None,
        attention=joined_attention([part.attention for part in main if part.attention is not None]),
        thumbnails=thumbnails.taken,
        glimpses=joined_glimpses(glimpses),
    )


def _scored(
    stretches: Iterable[Observed], scorers: Sequence[Scorer], video_id: str
) -> Iterator[tuple[Observed, list[Scored]]]:
    """Score each stretch between the one before and the one after."""
    before: list[Observed] = []
    here: Observed | None = None
    first_row = 0  # of `here`
    for coming in chain(stretches, [None]):
        if here is not None:
            after = [] if coming is None else [coming]
            row = first_row - sum(map(len, before))
            yield here, [scorer.score(here, before, after, first_row=row, video_id=video_id) for scorer in scorers]
            first_row += len(here)
            before = [here]
        here = coming
