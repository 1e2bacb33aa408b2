"""Frames of a folder of JPEGs extracted at a constant rate, numbered in order (`*_000001.jpg`, `img_00001.jpg`)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.video.container import refuse_large_clip
from lfb_lightning.video.jpeg import jpeg_size, read_jpeg, size_of_whole_jpeg
from lfb_lightning.video.numbered import FrameSeries, frame_series
from lfb_lightning.video.protocol import VideoProperties, refuse_early_end


class FrameFolder:
    """A folder of JPEGs extracted at a constant rate; it keeps the `Video` protocol.

    Times beyond the ends are clamped to the lowest and highest number that is there. The folder may hold only the frames
    that clips touch; reading one that is missing in between raises InputError.

    Args:
        path: The folder. InputErrors of the methods name it, or the file in it.
        fps: Frames per second at which the JPEGs were extracted.
        first_number: The number in the name of the video's first frame, which may itself be missing.
        frame_prefix: How the frames' names begin, for a folder that holds several series of JPEGs.
    """

    def __init__(self, path: str | Path, *, fps: float, first_number: int = 1, frame_prefix: str | None = None) -> None:
        self.path = Path(path)
        self.fps = fps
        self.first_number = first_number
        self.frame_prefix = frame_prefix

    def clip(self, times: Float64[np.ndarray, " T"]) -> UInt8[np.ndarray, "T H W 3"]:
        """Read one clip; see `Video.clip`.

        Args:
            times: Seconds since the first frame, float64 `[T]`.

        Returns:
            The nearest frames, RGB uint8 `[T, H, W, 3]`.
        """
        return self._stack(self.numbers(times))

    def stream(
        self, clip_times: Float64[np.ndarray, "K T"], *, reach: float = 0.0
    ) -> Iterator[UInt8[np.ndarray, "T H W 3"]]:
        """Read clips in order; see `Video.stream`."""
        refuse_early_end(str(self.path), self._seconds, reach)
        first: tuple[int, tuple[int, ...]] | None = None
        for times in clip_times:
            numbers = self.numbers(times)
            clip = self._stack(numbers)
            first = first or (int(numbers[0]), clip.shape[1:3])
            self._refuse_other_size(*first, int(numbers[0]), clip.shape[1:3])
            yield clip

    def properties(self) -> VideoProperties:
        """Return length and size, from the numbers of the files and the size of the first."""
        width, height = jpeg_size(self._series.path(self._series.first))
        return VideoProperties(self._seconds, len(self._series.numbers), self.fps, width, height)

    def numbers(self, times: Float64[np.ndarray, " T"]) -> Int64[np.ndarray, " T"]:
        """Return the number of the file that is shown at each time, int64 `[T]`."""
        indices = np.ceil(times * self.fps - 0.5 - 1e-6).astype(np.int64)  # nearest; halfway goes to the earlier one
        return np.clip(indices + self.first_number, self._series.first, self._series.last)

    def file(self, number: int) -> Path:
        """Return the file of a number; raises InputError if it is missing."""
        if number not in self._series:
            raise InputError(f"frames {self.path}: frame number {number} is missing; extract the video's frames again.")
        return self._series.path(number)

    @property
    def begin(self) -> float:
        """The seconds from the frame of `first_number` to the first one that is there."""
        return (self._series.first - self.first_number) / self.fps

    def look_through(self, times: Float64[np.ndarray, " T"]) -> None:
        """Check the files that are shown at the given times, mostly without decoding them.

        Raises:
            InputError: One of them is missing, not a whole JPEG, or of another size than the first one.
        """
        numbers = np.unique(self.numbers(times)).tolist()
        sizes = [size_of_whole_jpeg(self.file(number)) for number in numbers]
        for number, (width, height) in zip(numbers, sizes, strict=True):
            self._refuse_other_size(numbers[0], sizes[0][::-1], number, (height, width))

    @property
    def _seconds(self) -> float:
        return (self._series.last - self.first_number + 1) / self.fps

    @cached_property
    def _series(self) -> FrameSeries:
        series = frame_series(self.path, self.frame_prefix)
        from_0 = (series.first, self.first_number) == (0, 1)
        from_1 = (series.first, self.first_number) == (1, 0) and not series.has_gaps
        if from_0 or from_1:
            raise InputError(
                f"frames {self.path}: they begin with {series.path(series.first).name}, but data.first_frame_number is "
                f"{self.first_number}: every frame would be its neighbor; set data.first_frame_number={series.first}."
            )
        return series

    def _stack(self, numbers: Int64[np.ndarray, " T"]) -> UInt8[np.ndarray, "T H W 3"]:
        frames: dict[int, np.ndarray] = {}
        first = int(numbers[0])
        for number in dict.fromkeys(numbers.tolist()):
            frames[number] = read_jpeg(self.file(number))
            height, width = frames[first].shape[:2]
            refuse_large_clip(self.path, len(numbers), width, height)
            self._refuse_other_size(first, (height, width), number, frames[number].shape[:2])
        return np.stack([frames[number] for number in numbers.tolist()])

    def _refuse_other_size(self, first: int, size: tuple[int, ...], number: int, other: tuple[int, ...]) -> None:
        if size != other:
            raise InputError(
                f"frames {self.path}: {self.file(first).name} is {size[1]}x{size[0]}, but {self.file(number).name} is "
                f"{other[1]}x{other[0]}; extract them again in one size."
            )
