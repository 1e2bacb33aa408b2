"""Verifies a bank: every byte is read and compared with the checksums of file and manifest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from lfb_lightning.bank.layout import MANIFEST, VideoMetadata
from lfb_lightning.bank.manifest import Manifest, statistics
from lfb_lightning.bank.precision import stored_dtype
from lfb_lightning.bank.reader import FeatureBank
from lfb_lightning.bank.stored_video import StoredVideo
from lfb_lightning.errors import InputError


class VideoVerdict(NamedTuple):
    """The result for one video; `problem` is None for a good one."""

    video_id: str
    rows: int
    problem: str | None


def verify(bank: FeatureBank) -> Iterator[VideoVerdict]:
    """Read every video of the manifest, then name the files that it does not know.

    Yields:
        A verdict per video or unknown file; all problems are found, none is raised.
    """
    channels = bank.channels
    total, squares, rows, all_good = np.zeros(channels), np.zeros(channels), 0, True
    for video_id, entry in bank.videos.items():
        try:
            metadata, video, checksum = bank.source.stored(video_id)
        except InputError as error:
            yield VideoVerdict(video_id, entry.rows, str(error))
            all_good = False
            continue
        problems = list(_problems(bank, video_id, metadata, video, checksum))
        yield VideoVerdict(video_id, entry.rows, "; ".join(problems) if problems else None)
        if problems:
            all_good = False
            continue
        sums = video.to_tensors()
        total += sums["channel_sum"].numpy()
        squares += sums["channel_square_sum"].numpy()
        rows += entry.rows
    if all_good and not _figures_agree(bank.manifest, len(bank.videos), rows, *statistics(total, squares, rows)):
        yield VideoVerdict(MANIFEST, 0, "its rows, mean or deviation are not those of the files")
    for name, problem in bank.source.strays():
        yield VideoVerdict(name, 0, problem)


def _figures_agree(manifest: Manifest, videos: int, rows: int, mean: np.ndarray, std: np.ndarray) -> bool:
    return (
        (manifest.num_videos, manifest.num_rows) == (videos, rows)
        and np.allclose(manifest.mean, mean, rtol=1e-6, atol=1e-9)
        and np.allclose(manifest.std, std, rtol=1e-6, atol=1e-9)
    )


def _problems(
    bank: FeatureBank, video_id: str, metadata: VideoMetadata, video: StoredVideo, checksum: str
) -> Iterator[str]:
    entry = bank.videos[video_id]
    provenance = bank.manifest.provenance
    if metadata.video_id != video_id:
        yield f"the file is of video {metadata.video_id!r}"
    if metadata.provenance != provenance.digest:
        yield "another checkpoint or configuration than the manifest's made it"
    if checksum != metadata.checksum:
        yield "its content has changed since it was written (checksum)"
    elif checksum != entry.checksum:
        yield "it is another file than the manifest's (checksum)"
    if not metadata.rows == entry.rows == len(video.timestamps):
        yield f"{len(video.timestamps)} rows, its header says {metadata.rows}, the manifest {entry.rows}"
    expected = (len(video.timestamps), provenance.channels)
    if video.features.shape != expected or video.features.dtype != stored_dtype(provenance.precision):
        yield f"features {tuple(video.features.shape)} {video.features.dtype}, expected {expected} {provenance.precision}"
    if (video.timestamps[1:] < video.timestamps[:-1]).any():
        yield "rows are not in order of time"
    finite = torch.isfinite(video.decoded).all(dim=1)
    if not finite.all():
        yield f"NaN or Inf in {int((~finite).sum())} rows, the first at second {int(video.timestamps[~finite][0])}"
