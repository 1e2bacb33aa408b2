"""The clips of one video in batches, decoded once, front to back: what extraction and evaluation see of it.

Whoever reads the videos of a split, a loader's worker or a task of a cluster, reads each of them by this function, so that
batches, and the features that come of them, do not depend on who does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch

from lfb_lightning.clips import collate
from lfb_lightning.clips.reading import Clip, clips
from lfb_lightning.clips.sampling import ClipPart, ClipSampling
from lfb_lightning.clips.views import View
from lfb_lightning.clock import Clock
from lfb_lightning.datasets.bank_split import BankSplit
from lfb_lightning.errors import InputError
from lfb_lightning.structures import ClipBatch, Item, Proposals, Sample, ViewBatch

_REMEDY = (
    "cut the video again, exclude them, set data.origin_second, or take nearest frames with bank.outside_video=clamp."
)


def video_batches(
    split: BankSplit,
    items: Sequence[Item],
    regions: Callable[[Item], Proposals],
    *,
    sampling: ClipSampling,
    views: Sequence[View],
    batch_size: int,
    reduce: str = "mean",
    outside_video: str = "clamp",
    parts: Callable[[Item], ClipPart | None] | None = None,
) -> Iterator[ClipBatch | ViewBatch]:
    """Read one video's batches.

    Args:
        split: Where the video is.
        items: What is read of it, in order of time.
        regions: Gives the regions of an item.
        sampling: Which frames make a clip.
        views: The ways in which each clip is shown; with more than one, batches are `ViewBatch`es.
        batch_size: Clips per batch.
        reduce: How the scores of several views become one: see `ViewBatch`.
        outside_video: `clamp` shows the nearest frame for a moment outside of the video; `fail` refuses the video.
        parts: Tells what the clip of an item does not leave; None: any frame of its video may be shown.

    Raises:
        InputError: The video cannot be read, or breaks off; the message names it.
    """
    items, moments, whole = _in_order(items, split.clock, sampling, parts)
    video = split.video(items[0].keyframe.video_id)
    reach = 0.0
    if outside_video == "fail":
        refuse_outside(items, split.clock, video.properties().seconds, getattr(split, "outside_remedy", _REMEDY))
        reach = max(moments)
    found = [regions(item) for item in items]
    boxes = [one.boxes for one in found]
    read = clips(video, moments, boxes, sampling=sampling, views=views, reach=reach, parts=whole)
    shown = zip(items, found, read, strict=True)
    while batch := list(islice(shown, batch_size)):
        samples = [[_sample(item, persons, clip) for clip in ways] for item, persons, ways in batch]
        collated = tuple(collate([ways[view] for ways in samples]) for view in range(len(views)))
        if len(collated) == 1:
            yield collated[0]
            continue
        inside = [torch.cat([ways[view].inside for _, _, ways in batch]) for view in range(len(collated))]
        groups = [number // views[0].crops for number in range(len(collated))]
        yield ViewBatch(views=collated, inside=torch.stack(inside), groups=groups, reduce=reduce)


def _in_order(
    items: Sequence[Item], clock: Clock, sampling: ClipSampling, parts: Callable[[Item], ClipPart | None] | None
) -> tuple[list[Item], list[float], list[ClipPart | None]]:
    """Give a video's items with their moments and parts in the order in which a video is read: by their last frame."""
    moments = [clock.seconds_in_video(item.keyframe.timestamp) for item in items]
    whole = [None if parts is None else parts(item) for item in items]
    last = [sampling.times(moment, part)[-1] for moment, part in zip(moments, whole, strict=True)]
    order = np.argsort(np.array(last), kind="stable").tolist()
    return [items[at] for at in order], [moments[at] for at in order], [whole[at] for at in order]


def _sample(item: Item, regions: Proposals, clip: Clip) -> Sample:
    return Sample(
        keyframe=item.keyframe,
        clip=clip.pixels,
        rois=clip.rois,
        boxes=torch.from_numpy(regions.boxes),
        scores=torch.from_numpy(regions.scores),
        item=item.number,
    )


def refuse_outside(items: Sequence[Item], clock: Clock, length: float, remedy: str = _REMEDY) -> None:
    """Refuse keyframes outside of their video.

    Args:
        items: Of one video.
        clock: What their timestamps count, and the second at which the video begins.
        length: Seconds that the video lasts; 0: not known.
        remedy: What to do, the end of the message.

    Raises:
        InputError: Some lie outside; the message names the first and the keys to set.
    """
    ticks = [item.keyframe.timestamp for item in items]
    outside = [tick for tick in ticks if not 0 <= clock.seconds_in_video(tick) <= length]
    if length > 0 and outside:
        origin = float(clock.origin)
        raise InputError(
            f"video {items[0].keyframe.video_id}: {len(outside)} of {len(items)} keyframes lie outside of it (the first at "
            f"{float(clock.seconds(outside[0])):g} s; it covers {origin:g} to {origin + length:.1f} s); {remedy}"
        )
