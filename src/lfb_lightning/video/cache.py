"""The frame cache: one file per video with only the frames that clips can touch, as JPEGs.

Clips of 4 frames, 16 apart, one per second, touch 4 of 30 frames: a seventh of a folder of all JPEGs, and they are read
without decoding from a key picture. A cache file knows the moments that it was made for, and has the frames that the video
shows at them.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image
from safetensors.numpy import save

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.files.file_part import FilePart
from lfb_lightning.files.json_file import parse_json
from lfb_lightning.files.objects.url import Place, place_of
from lfb_lightning.files.safetensors_header import TensorSpan, parse_safetensors_header
from lfb_lightning.video.jpeg import decode_jpeg
from lfb_lightning.video.protocol import Video, VideoProperties

SUFFIX = ".frames"
_KEY = "lfb"
_MAKE_AGAIN = "delete it and run lfb-cache again"
_MOMENT = 2e-4  # seconds; a larger difference is another moment, a smaller one is rounding


class CachedVideo:
    """A cache file of one video; it keeps the `Video` protocol.

    Args:
        path: The file, or the URL of an object, of which a clip is one range. InputErrors of its methods name it.
        part: The part of a packed file that is the video's (`packed_cache`); None: the whole file `path`.
    """

    def __init__(self, path: str | Place, part: FilePart | None = None) -> None:
        self.path = place_of(path, "frame cache")
        self.part = part or FilePart(self.path)

    def clip(self, times: Float64[np.ndarray, " T"]) -> UInt8[np.ndarray, "T H W 3"]:
        """Read one clip.

        Args:
            times: Seconds since the first frame for which the cache was made, float64 `[T]`.

        Returns:
            RGB frames, uint8 `[T, H, W, 3]`.

        Raises:
            InputError: The cache was not made for one of the times, or the file is damaged.
        """
        moments, frames, offsets, _, jpeg = self._index
        places = np.searchsorted(moments, times - _MOMENT)
        found = moments[np.minimum(places, len(moments) - 1)]
        if (bad := np.abs(found - times) > _MOMENT).any():
            raise InputError(
                f"frame cache {self.path}: was not made for the frame at {times[bad][0]:.3f} s; make it again with "
                "`lfb-cache` and this data.num_frames, frame_stride, fps, first_second, last_second and key_step."
            )
        numbers = frames[places].tolist()
        first, last = min(numbers), max(numbers)
        low, high = int(offsets[first]), int(offsets[last + 1])
        with self._naming_the_file(), self.part.open(f"frame cache {self.path}") as file:
            content = file.read(jpeg.begin + low, high - low)
        images: dict[int, np.ndarray] = {}
        for number in numbers:
            if number not in images:
                low, high = (int(offsets[number + extra] - offsets[first]) for extra in (0, 1))
                name = f"frame cache {self.path}: picture {number}"
                images[number] = decode_jpeg(content[low:high], name, remedy=_MAKE_AGAIN)
        if len({image.shape for image in images.values()}) > 1:
            raise InputError(f"frame cache {self.path}: its pictures differ in size; {_MAKE_AGAIN}.")
        return np.stack([images[number] for number in numbers])

    def stream(
        self, clip_times: Float64[np.ndarray, "K T"], *, reach: float = 0.0
    ) -> Iterator[UInt8[np.ndarray, "T H W 3"]]:
        """Read clips in order; `reach` is not used, since the video's length was checked when the cache was made."""
        for times in clip_times:
            yield self.clip(times)

    def properties(self) -> VideoProperties:
        """Return the last cached moment as length, and how many frames are stored."""
        moments, frames, _, described, _ = self._index
        height, width = self.clip(moments[:1]).shape[1:3]
        fps = described.get("fps", 0.0)
        if not (type(fps) in (int, float) and 0 <= fps < np.inf):
            raise InputError(f"frame cache {self.path}: its fps is {fps!r:.80}, expected a number; {_MAKE_AGAIN}.")
        return VideoProperties(float(moments[-1]), int(frames[-1]) + 1, float(fps), width, height)

    def describe(self) -> dict[str, Any]:
        """Return what the file was made from, as it was given to `write_cache`."""
        return dict(self._index[3])

    def verify(self) -> None:
        """Read the whole file and raise InputError if a byte has changed since it was written."""
        checksum = self.describe().get("checksum")
        with self._naming_the_file(), self.part.open(f"frame cache {self.path}") as file:
            _, spans = parse_safetensors_header(file.next, file.size)
            tensors = {name: file.tensor(span) for name, span in spans.items()}
        if _checksum(tensors) != checksum:
            raise InputError(f"frame cache {self.path}: its checksum differs; {_MAKE_AGAIN}.")

    @cached_property
    def _index(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any], TensorSpan]:
        """The moments, the frame of each, where each frame's JPEG begins, the file's description, the place of all JPEGs."""
        if isinstance(self.part.path, Path) and not self.part.path.is_file():
            raise InputError(f"frame cache {self.path}: no such file; run `lfb-cache` to make it.")
        with self._naming_the_file(), self.part.open(f"frame cache {self.path}") as file:
            metadata, spans = parse_safetensors_header(file.next, file.size)
            described = parse_json(metadata[_KEY].encode())
            moments, frames, offsets = (file.tensor(spans[name]) for name in ("moments", "frames", "offsets"))
            _check_index(moments, frames, offsets, spans["jpeg"])
            if not isinstance(described, dict):
                raise ValueError("it does not say what it was made from")
        return moments, frames, offsets, described, spans["jpeg"]

    @contextmanager
    def _naming_the_file(self) -> Iterator[None]:
        """Turn what reading a damaged file raises into one line."""
        try:
            yield
        except (OSError, KeyError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"frame cache {self.path}: cannot be read ({error}); delete it and run `lfb-cache` again."
            ) from error


def _check_index(moments: np.ndarray, frames: np.ndarray, offsets: np.ndarray, jpeg: TensorSpan) -> None:
    """Raise ValueError unless every moment has a frame, and every frame its bytes."""
    for name, found, dtype in (
        ("moments", moments, "float64"),
        ("frames", frames, "int32"),
        ("offsets", offsets, "int64"),
    ):
        if found.dtype != dtype or found.ndim != 1 or len(found) == 0:
            raise ValueError(f"{name} are {found.dtype} {found.shape}, expected {dtype}, one or more")
    if len(frames) != len(moments) or not np.isfinite(moments).all() or (moments[1:] < moments[:-1]).any():
        raise ValueError("its moments do not ascend, or have no frame each")
    if frames.min() < 0 or frames.max() >= len(offsets) - 1:
        raise ValueError(f"its moments have frames {frames.min()} to {frames.max()}, of {len(offsets) - 1}")
    ends = (int(offsets[0]), int(offsets[-1]))
    if jpeg.dtype != "U8" or ends != (0, jpeg.end - jpeg.begin) or (offsets[1:] < offsets[:-1]).any():
        raise ValueError(f"its frames lie at bytes {ends[0]} to {ends[1]} of {jpeg.end - jpeg.begin}")


def write_cache(
    path: Path,
    video: Video,
    moments: Float64[np.ndarray, " K"],
    *,
    short_side: int,
    quality: int,
    made_from: dict[str, Any],
) -> int:
    """Stream a video once and write the frames of the given moments.

    Args:
        path: The file to write.
        video: The video to read.
        moments: Ascending seconds since the first frame, float64 `[K]`.
        short_side: Frames whose short side is longer are reduced to it, in pixels; none is enlarged.
        quality: JPEG quality, 1 to 95.
        made_from: What is stored beside the frames and returned by `CachedVideo.describe`, as plain values.

    Returns:
        The size of the written file in bytes.

    Raises:
        InputError: The video cannot be read, or the file cannot be written.
    """
    images: list[bytes] = []
    frames: list[int] = []
    previous: np.ndarray | None = None
    reach = min(float(moments[-1]), video.properties().seconds)
    for (frame,) in video.stream(moments[:, None], reach=reach):
        if previous is None or not np.array_equal(frame, previous):
            images.append(encode_frame(frame, short_side, quality))
            previous = frame
        frames.append(len(images) - 1)
    tensors = {
        "moments": moments,
        "frames": np.array(frames, dtype=np.int32),
        "offsets": np.cumsum([0, *map(len, images)], dtype=np.int64),
        "jpeg": np.frombuffer(b"".join(images), dtype=np.uint8),
    }
    metadata = {_KEY: json.dumps(made_from | {"checksum": _checksum(tensors)}, sort_keys=True)}
    content = save(tensors, metadata)
    write_durably(path, content)
    return len(content)


def encode_frame(frame: UInt8[np.ndarray, "H W 3"], short_side: int, quality: int) -> bytes:
    """Encode a frame as JPEG.

    Args:
        frame: RGB, uint8 `[H, W, 3]`.
        short_side: The short side is reduced to so many pixels if it is longer (Lanczos).
        quality: JPEG quality, 1 to 95.
    """
    image = Image.fromarray(frame)
    if (scale := short_side / min(image.size)) < 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _checksum(tensors: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + np.ascontiguousarray(tensors[name]).view(np.uint8).data)
    return digest.hexdigest()
