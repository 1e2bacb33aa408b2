"""A whole video of a bank, as one file holds it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Float32, Int, Int32, Shaped
from safetensors import SafetensorError
from safetensors.torch import load, load_file
from torch import Tensor

from lfb_lightning.bank.layout import VideoMetadata, parse_header, read_header
from lfb_lightning.bank.precision import decode, encode
from lfb_lightning.clock import Clock
from lfb_lightning.errors import InputError


@dataclass(frozen=True, slots=True)
class StoredVideo:
    """The N rows of a video, ascending in time; `features` as stored, with `scales` where the precision is int8."""

    timestamps: Int32[Tensor, " N"]
    boxes: Float32[Tensor, "N 4"]
    scores: Float32[Tensor, " N"]
    features: Shaped[Tensor, "N C"]
    scales: Float32[Tensor, " N"] | None

    @property
    def decoded(self) -> Float32[Tensor, "N C"]:
        """Compute the features that the stored ones stand for, in fp32."""
        return decode(self.features, self.scales)

    def to_tensors(self) -> dict[str, Tensor]:
        """Make the tensors of a bank file: the rows, and the sums that the manifest's statistics are made of."""
        exact = self.decoded.double()
        channel_sum, channel_square_sum = exact.sum(dim=0), exact.square_().sum(dim=0)  # in place: 8 bytes per number
        tensors = {
            "features": self.features,
            "timestamps": self.timestamps,
            "boxes": self.boxes,
            "scores": self.scores,
            "channel_sum": channel_sum,
            "channel_square_sum": channel_square_sum,
        }
        return tensors if self.scales is None else {**tensors, "scales": self.scales}


def store_video(
    video_id: str,
    *,
    timestamps: Int[Tensor, " N"],
    boxes: Float[Tensor, "N 4"],
    scores: Float[Tensor, " N"],
    features: Float[Tensor, "N C"],
    precision: str,
    clock: Clock,
) -> StoredVideo:
    """A video's rows as a bank stores them: sorted by time (rows of one tick keep their order), features in a precision.

    Args:
        video_id: The video, to name in error messages.
        timestamps: The tick of each row, by the bank's clock.
        boxes: Normalized xyxy.
        scores: Of the detector.
        features: As computed.
        precision: How they are stored; see `precision`.
        clock: The bank's clock.

    Raises:
        InputError: For features that are not finite, or ticks out of bounds.
    """
    timestamps = timestamps.long()  # the limit, 2^31, is none of 32 bits, in which a comparison with it goes wrong
    late = timestamps.abs() >= clock.tick_limit
    if late.any():
        tick = int(timestamps[late][0])
        raise InputError(f"video {video_id}: second {tick / clock.ticks_per_second}, {clock.expected(float('nan'))}.")
    finite = torch.isfinite(features).all(dim=1)
    if not finite.all():
        raise InputError(
            f"video {video_id}: the features of second {clock.seconds(int(timestamps[~finite][0]))} are not finite; check "
            "the checkpoint, or extract with trainer.precision=32."
        )
    order = torch.argsort(timestamps, stable=True)
    stored = encode(features[order], precision)
    return StoredVideo(
        timestamps=timestamps[order].to(torch.int32),
        boxes=boxes[order].to(torch.float32),
        scores=scores[order].to(torch.float32),
        features=stored.rows,
        scales=stored.scales,
    )


def read_video(path: Path) -> tuple[VideoMetadata, StoredVideo, str]:
    """Read a bank file.

    Returns:
        Its metadata, its rows, and the checksum of what is really in it.

    Raises:
        InputError: The file is none of a bank, or is damaged; the message names it.
    """
    metadata, _ = read_header(path)
    try:
        tensors = load_file(path)
        video = _of_tensors(tensors)
    except (SafetensorError, KeyError) as error:
        raise InputError(
            f"bank file {path}: not a whole bank file ({error}); delete it and run lfb-extract again."
        ) from error
    return metadata, video, checksum(tensors)


def parse_video(content: bytes, *, where: str) -> tuple[VideoMetadata, StoredVideo, str]:
    """Read the bytes of a bank file as `read_video` reads a file.

    Args:
        content: The bytes.
        where: What they are of, for messages.

    Raises:
        InputError: They are none of a bank file, or are damaged.
    """
    try:
        metadata, _ = parse_header(content)
        tensors = load(content)
        return metadata, _of_tensors(tensors), checksum(tensors)
    except (ValueError, SafetensorError, KeyError) as error:
        raise InputError(f"{where}: no whole bank file ({error}); run lfb-bank verify.") from error


def _of_tensors(tensors: dict[str, Tensor]) -> StoredVideo:
    return StoredVideo(
        timestamps=tensors["timestamps"],
        boxes=tensors["boxes"],
        scores=tensors["scores"],
        features=tensors["features"],
        scales=tensors["scales"] if tensors["features"].dtype == torch.int8 else None,
    )


def checksum(tensors: dict[str, Tensor]) -> str:
    """Compute the SHA-256 over the names, dtypes, shapes and bytes of tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
