"""How much disk the bank and the frame cache of a split will need."""

from __future__ import annotations

import numpy as np

from lfb_lightning.clips import ClipSampling
from lfb_lightning.datasets.ava.split import AvaSplit
from lfb_lightning.datasets.checks.findings import SplitReport
from lfb_lightning.datasets.checks.fingerprint import probe_frame, probe_keyframes
from lfb_lightning.datasets.frame_cache import touched_moments
from lfb_lightning.errors import InputError
from lfb_lightning.video.cache import encode_frame

_ROW_BYTES_BESIDE_FEATURES = 24  # timestamp, score, box


def report_disk(
    split: AvaSplit,
    sampling: ClipSampling,
    report: SplitReport,
    *,
    channels: int,
    short_side: int = 320,
    quality: int = 90,
) -> None:
    """Add the gigabytes that the bank and the frame cache of a split will need to its report.

    Args:
        split: The split.
        sampling: Which frames make a clip, hence which ones the cache holds.
        report: What is added to.
        channels: Channels of a feature. The bank's size follows exactly, for each precision.
        short_side: Most pixels of a cached frame's short side.
        quality: JPEG quality of cached frames, 1 to 95. The cache's size is estimated from a few frames.
    """
    rows = report.figures.get("proposals_for_bank", 0)
    report.figures["bank_gigabytes"] = {
        name: rows * (channels * size + _ROW_BYTES_BESIDE_FEATURES) / 1e9
        for name, size in (("fp32", 4), ("fp16", 2), ("int8", 1))
    }
    sizes = []
    for keyframe in probe_keyframes(split, 4):
        try:
            sizes.append(len(encode_frame(probe_frame(split, keyframe, sampling), short_side, quality)))
        except (InputError, OSError):
            continue  # reported with its video
    videos = len(split.tables.video_ids())
    per_frame = float(np.mean(sizes)) if sizes else 0.0
    report.figures["cache_gigabytes"] = videos * len(touched_moments(split.data, sampling)) * per_frame / 1e9
