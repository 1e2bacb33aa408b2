"""How much disk the bank and the frame cache of a split will need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lfb_lightning.clips import ClipSampling
from lfb_lightning.datasets.action_dataset import ActionSplit, Cacheable
from lfb_lightning.datasets.checks.findings import SplitReport
from lfb_lightning.datasets.checks.fingerprint import probe_frame, probe_items
from lfb_lightning.datasets.frame_cache import touched_moments
from lfb_lightning.errors import InputError
from lfb_lightning.video.cache import encode_frame

_ROW_BYTES_BESIDE_FEATURES = 24  # timestamp, score, box
_PROBES = 4  # frames whose size is measured, and videos whose frames are counted


def report_disk(
    split: ActionSplit,
    video_ids: Sequence[str],
    sampling: ClipSampling,
    report: SplitReport,
    *,
    channels: int,
    cache: Cacheable | None = None,
    short_side: int = 320,
    quality: int = 90,
) -> None:
    """Add the gigabytes that the bank and the frame cache of a split will need to its report.

    Args:
        split: The split.
        video_ids: Its videos.
        sampling: Which frames make a clip, hence which ones the cache holds.
        report: What is added to. Its figure `proposals_for_bank`, or the sum of those of its parts, is the number of features
            in the bank; without it, and for a data set without a frame cache, nothing is said.
        channels: Channels of a feature. The bank's size follows exactly, for each precision.
        cache: The data set, if it has a frame cache.
        short_side: Most pixels of a cached frame's short side.
        quality: JPEG quality of cached frames, 1 to 95. The cache's size is estimated from a few frames.
    """
    counts = [value for name, value in report.figures.items() if name.endswith("proposals_for_bank")]
    if counts:
        rows = sum(counts)
        report.figures["bank_gigabytes"] = {
            name: rows * (channels * size + _ROW_BYTES_BESIDE_FEATURES) / 1e9
            for name, size in (("fp32", 4), ("fp16", 2), ("int8", 1))
        }
    if cache is None:
        return
    sizes = []
    for item in probe_items(split, _PROBES):
        try:
            sizes.append(len(encode_frame(probe_frame(split, item.keyframe, sampling), short_side, quality)))
        except (InputError, OSError):
            continue  # reported with its video
    frames = [len(touched_moments(cache, video_id, sampling)) for video_id in video_ids[:_PROBES]]
    per_video = float(np.mean(frames)) * float(np.mean(sizes)) if frames and sizes else 0.0
    report.figures["cache_gigabytes"] = len(video_ids) * per_video / 1e9
