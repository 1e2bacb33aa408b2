"""Looks at a video once, from its beginning to its end: who is there at each moment, and what the backbones see of them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from lfb_lightning.clock import Clock
from lfb_lightning.persons import PersonSource
from lfb_lightning.persons.linking import PersonLinker
from lfb_lightning.prediction.looks import ClipRows, Look
from lfb_lightning.prediction.observed import Observed, joined
from lfb_lightning.structures import Proposals
from lfb_lightning.video import Video

_THUMBNAIL_WIDTH = 160
_THUMBNAIL_QUALITY = 70


def observe(
    video: Video,
    ticks: Sequence[int],
    *,
    video_id: str,
    clock: Clock,
    looks: Sequence[Look],
    persons: PersonSource,
    linker: PersonLinker,
    stretch: int,
    batch_size: int,
    device: torch.device,
    reach: float = 0.0,
) -> Iterator[Observed]:
    """Observe a video in one pass, of which a fixed number of moments is held in memory.

    Args:
        video: Where the frames come from.
        ticks: The moments, ascending.
        video_id: How the source of persons calls the video.
        clock: What ticks count; the video begins at its origin.
        looks: What looks at the clips.
        persons: What finds the persons.
        linker: What links them to tracks; it has seen the moments before `ticks`.
        stretch: Moments of a yielded part, the last one aside.
        batch_size: Moments that are computed together.
        device: Where to compute.
        reach: Second that the video has to reach, or it was cut off; 0 for none.

    Yields:
        The moments, stretch by stretch.

    Raises:
        InputError: The video cannot be read; the message names its file.
    """
    if len(ticks) == 0:
        return
    seconds = [clock.seconds_in_video(tick) for tick in ticks]
    rows = ClipRows(seconds, looks)
    frames = enumerate(video.stream(rows.times, reach=reach))
    parts: list[Observed] = []
    for begin in range(0, len(ticks), stretch):
        left = min(stretch, len(ticks) - begin)
        while left:
            batch = list(islice(frames, min(batch_size, left)))
            numbers = [number for number, _ in batch]
            shown = [rows.key_frame(number, picture) for number, picture in batch]
            found = persons.find(shown, [seconds[number] for number in numbers], video_id)
            features = [
                look.features([rows.clip(number, index, picture) for number, picture in batch], found, device)
                for index, look in enumerate(looks)
            ]
            tracks = [
                linker.link(seconds[number], one.boxes, one.scores) for number, one in zip(numbers, found, strict=True)
            ]
            parts.append(_part([ticks[number] for number in numbers], found, tracks, features, shown))
            left -= len(batch)
        yield joined(parts)
        parts = []


def _part(
    ticks: Sequence[int],
    found: Sequence[Proposals],
    tracks: Sequence[np.ndarray],
    features: Sequence[torch.Tensor],
    shown: Sequence[np.ndarray],
) -> Observed:
    return Observed(
        ticks=np.array(ticks, dtype=np.int64),
        moment=np.repeat(np.arange(len(ticks)), [len(one) for one in found]),
        boxes=np.concatenate([one.boxes for one in found]).reshape(-1, 4),
        scores=np.concatenate([one.scores for one in found]),
        tracks=np.concatenate(tracks).astype(np.int64),
        features=list(features),
        thumbnails=[_thumbnail(frame) for frame in shown],
    )


def _thumbnail(frame: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """Encode a frame as a small JPEG."""
    image = Image.fromarray(frame)
    image.thumbnail((_THUMBNAIL_WIDTH, _THUMBNAIL_WIDTH), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_THUMBNAIL_QUALITY)
    return file.getvalue()
