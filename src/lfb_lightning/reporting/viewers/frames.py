"""Pictures of key frames as JPEGs, read in one pass over each video, and no more of them than the user allows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lfb_lightning.errors import InputError
from lfb_lightning.reporting.viewers.scenes import Scene

SIDE, QUALITY = 640, 80  # pixels of the longer side, and the JPEGs' quality
_SAID = 3  # videos without pictures that are named


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture.

    Args:
        jpeg: Its file.
        width: In pixels of this picture.
        height: In pixels of this picture.
    """

    jpeg: bytes
    width: int
    height: int


class Pictures:
    """Gives the pictures of videos until their size reaches a limit.

    Args:
        most_bytes: The limit, of all videos together; 0 leaves all pictures out.
        notes: Gets a sentence for each video without pictures, and for the limit.
    """

    def __init__(self, most_bytes: int, notes: list[str]) -> None:
        self.left = most_bytes
        self._wanted, self._notes = most_bytes > 0, notes
        self._cut, self._missing = 0, list[str]()

    def take(self, size: int) -> bool:
        """Count a file that is exported as it is; says whether it still fits."""
        fits = size <= self.left
        self.left -= size if fits else 0
        return fits

    def of(self, scene: Scene) -> Iterator[Frame | None]:
        """Give the picture of each key frame; None where there is none.

        Args:
            scene: The video.
        """
        given = 0
        for frame in self._decoded(scene):
            if self.left > 0 and not self.take(len(frame.jpeg)):
                self.left = 0  # the pictures of a video are its first ones, without gaps
            if self.left == 0:
                break
            given += 1
            yield frame
        if self._wanted and self.left == 0:
            self._cut += len(scene.moments) - given
        for _ in range(len(scene.moments) - given):
            yield None

    def end(self) -> None:
        """Say which videos have no pictures, and how many key frames have none because of the limit."""
        self._notes += self._missing[:_SAID]
        if len(self._missing) > _SAID:
            self._notes.append(f"Further videos that lack pictures: {len(self._missing) - _SAID}.")
        if self._cut:
            self._notes.append(f"{_key_frames(self._cut, 'has', 'have')} no picture: megabytes= is reached.")

    def _decoded(self, scene: Scene) -> Iterator[Frame]:
        if self.left == 0:
            return
        if scene.video is None:
            self._missing.append(f"{scene.video_id} has no pictures: {scene.why}")
            return
        times = np.array([moment.second for moment in scene.moments])
        try:
            for clip in scene.video.stream(times[:, None]):
                yield _encoded(clip[0])
        except InputError as error:
            self._missing.append(f"{scene.video_id} lacks pictures: {error}")


def _encoded(frame: np.ndarray) -> Frame:
    image = Image.fromarray(frame)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return Frame(file.getvalue(), image.width, image.height)


def _key_frames(number: int, one: str, several: str) -> str:
    return f"1 key frame {one}" if number == 1 else f"{number} key frames {several}"
