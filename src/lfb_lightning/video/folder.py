"""Frames of a folder of JPEGs extracted at a constant rate, numbered in order (`*_000001.jpg`, `img_00001.jpg`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image, UnidentifiedImageError

from lfb_lightning.errors import InputError
from lfb_lightning.video.protocol import VideoProperties, refuse_early_end

_NUMBER = re.compile(r"(\d+)\.jpe?g$", re.IGNORECASE)


class FrameFolder:
    """A folder of JPEGs of `fps` frames a second, the first of which carries `first_number` in its name.

    Times beyond the ends are clamped to the lowest and highest number that is there. A folder may hold only the frames
    that clips touch; one that is missing in between is an error that names it.
    """

    def __init__(self, path: str | Path, *, fps: float, first_number: int = 1) -> None:
        self.path = Path(path)
        self.fps = fps
        self.first_number = first_number

    def clip(self, times: Float64[np.ndarray, " T"]) -> UInt8[np.ndarray, "T H W 3"]:
        """RGB frames nearest to the times, in seconds since the first frame."""
        indices = np.ceil(times * self.fps - 0.5 - 1e-6).astype(int)  # nearest; halfway goes to the earlier one
        return np.stack([self._read(number) for number in (indices + self.first_number).tolist()])

    def stream(
        self, clip_times: Float64[np.ndarray, "K T"], *, reach: float = 0.0
    ) -> Iterator[UInt8[np.ndarray, "T H W 3"]]:
        """The clips in order; see `Video` for `reach`."""
        refuse_early_end(str(self.path), (max(self._files) - self.first_number + 1) / self.fps, reach)
        for times in clip_times:
            yield self.clip(times)

    def properties(self) -> VideoProperties:
        """From the numbers of the files and the first one's size."""
        height, width = self._read(min(self._files)).shape[:2]
        last = max(self._files) - self.first_number + 1
        return VideoProperties(last / self.fps, len(self._files), self.fps, width, height)

    @cached_property
    def _files(self) -> dict[int, Path]:
        if not self.path.is_dir():
            raise InputError(f"frames {self.path}: no such folder.")
        numbered = {int(match[1]): path for path in self.path.iterdir() if (match := _NUMBER.search(path.name))}
        if not numbered:
            raise InputError(f"frames {self.path}: no numbered .jpg in it.")
        return numbered

    def _read(self, number: int) -> UInt8[np.ndarray, "H W 3"]:
        number = min(max(number, min(self._files)), max(self._files))
        if number not in self._files:
            raise InputError(f"frames {self.path}: frame number {number} is missing; extract the video's frames again.")
        try:
            with Image.open(self._files[number]) as image:
                return np.asarray(image.convert("RGB"))
        except (OSError, UnidentifiedImageError) as error:
            raise InputError(f"frame {self._files[number]}: cannot be read ({error}).") from error
