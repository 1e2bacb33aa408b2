"""Is a bank still what was written? Every byte is read and compared with the checksums of file and manifest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch

from lfb_lightning.bank.layout import SUFFIX, VideoMetadata, file_name, video_id_of
from lfb_lightning.bank.precision import stored_dtype
from lfb_lightning.bank.reader import FeatureBank
from lfb_lightning.bank.stored_video import StoredVideo, read_video
from lfb_lightning.errors import InputError


class VideoVerdict(NamedTuple):
    """One video's result; `problem` is None for a good one."""

    video_id: str
    rows: int
    problem: str | None


def verify(bank: FeatureBank) -> Iterator[VideoVerdict]:
    """Read every video of the manifest, then name the files that it does not know. Finds all problems, raises none."""
    for video_id, entry in bank.videos.items():
        try:
            metadata, video, checksum = read_video(bank.folder / file_name(video_id))
        except InputError as error:
            yield VideoVerdict(video_id, entry.rows, str(error))
            continue
        problems = list(_problems(bank, video_id, metadata, video, checksum))
        yield VideoVerdict(video_id, entry.rows, "; ".join(problems) if problems else None)
    known = {file_name(video_id) for video_id in bank.videos}
    for path in sorted(bank.folder.glob(f"*{SUFFIX}")):
        if path.name not in known:
            yield VideoVerdict(video_id_of(path), 0, f"{path.name} is not in the manifest; run lfb-extract again")


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
