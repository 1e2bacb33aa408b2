"""Looks at a video once, from its beginning to its end: who is there at each moment, and what the backbones see of them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image

from lfb_lightning.persons import PersonSource
from lfb_lightning.prediction.looks import ClipRows, Look
from lfb_lightning.prediction.moments import Moments
from lfb_lightning.prediction.observed import Glimpses, Observed, joined
from lfb_lightning.prediction.tracks import Linker
from lfb_lightning.structures import Proposals
from lfb_lightning.video import Video

_THUMBNAIL_WIDTH = 160
_THUMBNAIL_QUALITY = 70


@dataclass(frozen=True, slots=True)
class _Moment:
    """When something is looked at; `tick` is None where only persons are looked for."""

    second: float
    tick: int | None


def observe(
    video: Video,
    ticks: Sequence[int],
    *,
    video_id: str,
    moments: Moments,
    end: float,
    looks: Sequence[Look],
    persons: PersonSource,
    linker: Linker,
    stretch: int,
    batch_size: int,
    device: torch.device,
) -> Iterator[Observed]:
    """Observe a video in one pass, of which a fixed number of moments is held in memory.

    Args:
        video: Where the frames come from.
        ticks: The scored moments, ascending.
        video_id: How the source of persons calls the video.
        moments: The grid that they are on, and when persons are looked for in between.
        end: Second at which the video ends.
        looks: What looks at the clips.
        persons: What finds the persons.
        linker: What links them to tracks; it has seen the moments before `ticks`.
        stretch: Scored moments of a yielded part, the last one aside.
        batch_size: Scored moments that are computed together.
        device: Where to compute.

    Yields:
        The moments, stretch by stretch.

    Raises:
        InputError: The video cannot be read, or its frames end before the last moment; the message names its file.
    """
    if len(ticks) == 0:
        return
    groups = [
        [_Moment(second, None if place else tick) for place, second in enumerate(seconds)]
        for tick in ticks
        for seconds in [moments.seconds_from(tick, end)]
    ]
    every = [moment for group in groups for moment in group]
    rows = ClipRows([one.second for one in every], looks, [one.tick is not None for one in every])
    frames = enumerate(video.stream(rows.times, reach=every[-1].second))
    for begin in range(0, len(groups), stretch):
        parts = []
        here = groups[begin : begin + stretch]
        for first in range(0, len(here), batch_size):
            batch = [moment for group in here[first : first + batch_size] for moment in group]
            read = list(islice(frames, len(batch)))
            shown = [rows.key_frame(number, picture) for number, picture in read]
            found = persons.find(shown, [one.second for one in batch], video_id)
            tracks = [linker.link(one.second, who.boxes, who.scores) for one, who in zip(batch, found, strict=True)]
            scored = [place for place, one in enumerate(batch) if one.tick is not None]
            features = [
                look.features(
                    [rows.clip(read[place][0], index, read[place][1]) for place in scored], _at(found, scored), device
                )
                for index, look in enumerate(looks)
            ]
            parts.append(_part(batch, found, tracks, features, shown))
        yield joined(parts)


def _at(values: Sequence[Any], places: Sequence[int]) -> list[Any]:
    return [values[place] for place in places]


def _part(
    moments: Sequence[_Moment],
    found: Sequence[Proposals],
    tracks: Sequence[Int64[np.ndarray, " _"]],
    features: Sequence[torch.Tensor],
    shown: Sequence[UInt8[np.ndarray, "H W 3"]],
) -> Observed:
    scored = [place for place, one in enumerate(moments) if one.tick is not None]
    others = [place for place, one in enumerate(moments) if one.tick is None]
    here, ids = _at(found, scored), _at(tracks, scored)
    glimpsed, their_ids = _at(found, others), _at(tracks, others)
    return Observed(
        ticks=np.array([moments[place].tick for place in scored], dtype=np.int64),
        moment=np.repeat(np.arange(len(scored)), [len(one) for one in here]),
        boxes=np.concatenate([one.boxes for one in here]).reshape(-1, 4),
        scores=np.concatenate([one.scores for one in here]),
        tracks=np.concatenate(ids).astype(np.int64),
        features=list(features),
        thumbnails=[_thumbnail(shown[place]) for place in scored],
        glimpses=Glimpses(
            seconds=np.repeat([moments[place].second for place in others], [len(one) for one in glimpsed]),
            boxes=np.concatenate([np.zeros((0, 4)), *(one.boxes for one in glimpsed)]),
            scores=np.concatenate([np.zeros(0), *(one.scores for one in glimpsed)]),
            tracks=np.concatenate([np.zeros(0, np.int64), *their_ids]),
        ),
    )


def _thumbnail(frame: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """Encode a frame as a small JPEG."""
    image = Image.fromarray(frame)
    image.thumbnail((_THUMBNAIL_WIDTH, _THUMBNAIL_WIDTH), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_THUMBNAIL_QUALITY)
    return file.getvalue()
