"""The files of one split of Charades: which actions happen in which frames of which videos."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from jaxtyping import Bool

from lfb_lightning.charades import (
    CharadesVideo,
    ListedVideo,
    labels_of_videos,
    read_annotations,
    read_classes,
    read_frame_list,
)
from lfb_lightning.clock import exact
from lfb_lightning.datasets.charades.settings import CharadesSettings
from lfb_lightning.datasets.present import present
from lfb_lightning.errors import InputError

_SAME_RATE = 1e-3  # frames per second


class CharadesTables:
    """A split's videos in the order of its csv, with their labels; each file is read when it is first needed.

    Args:
        data: Where the files lie.
        split: Name of the split.

    Raises:
        InputError: A file is missing or cannot be read (by the properties that need it).
    """

    def __init__(self, data: CharadesSettings, split: str) -> None:
        self.data = data
        self.split = split
        self._lengths: dict[int, int] = {}

    @cached_property
    def names(self) -> dict[int, str]:
        """The name of each class by its number; class 0 is one like the others."""
        return read_classes(present(self.data.path(self.data.label_map, self.split), "class list", "label_map"))

    @cached_property
    def videos(self) -> list[CharadesVideo]:
        """The videos of the csv, those without an action too."""
        path = present(self.data.path(self.data.annotations, self.split), "annotations", "annotations")
        found = read_annotations(path, num_classes=len(self.names))
        if not found:
            raise InputError(f"annotations {path}: no video.")
        return found

    @cached_property
    def labels(self) -> Bool[np.ndarray, "V C"]:
        """Whether each class happens in each video, by the csv, as the official program has it."""
        return labels_of_videos(self.videos, len(self.names))

    @cached_property
    def is_labeled(self) -> Bool[np.ndarray, " V"]:
        """Which videos have an action."""
        return np.asarray(self.labels.any(axis=1))

    @cached_property
    def _listed(self) -> dict[str, ListedVideo] | None:
        if self.data.frame_list is None:
            return None
        path = self.data.path(self.data.frame_list, self.split)
        found = {one.video_id: one for one in read_frame_list(path)}
        for one in found.values():
            if (most := max(one.actions, default=0)) >= len(self.names):
                raise InputError(
                    f"frame list {path}: a frame of video {one.video_id} has class {most}, expected 0 to "
                    f"{len(self.names) - 1}; is data.label_map the list of these classes?"
                )
        return found

    def num_frames(self, number: int) -> int:
        """Count the frames of a video at the data set's rate.

        They are those of the frame list if there is one, else those of the video; of a video that cannot be opened, those
        that its length in the csv makes: whoever reads it will say what is wrong.

        Args:
            number: The video's place in `videos`.
        """
        if number not in self._lengths:
            self._lengths[number] = max(1, self._count(self.videos[number]))
        return self._lengths[number]

    def clip_labels(self, number: int, first: int, last: int) -> Bool[np.ndarray, " C"]:
        """Say which classes happen in a clip.

        A frame has a class that starts before it and ends after it; with a frame list, those that this says.

        Args:
            number: The video's place in `videos`.
            first: The first frame of the clip, from 0.
            last: Its last frame; all between count too, those that the clip steps over among them.
        """
        labels = np.zeros(len(self.names), dtype=bool)
        video = self.videos[number]
        if self._listed is not None:
            labels[self._of_list(video.video_id).actions_between(first, last)] = True
            return labels
        rate = self.data.clock.ticks_per_second
        for action, start, end in video.intervals:
            begin = max(first, math.floor(exact(start) * rate) + 1)
            labels[action] |= begin <= last and begin < exact(end) * rate
        return labels

    def unlisted(self) -> list[str]:
        """List the videos with an action that the frame list lacks; none without one."""
        if self._listed is None:
            return []
        labeled = [video.video_id for video, shown in zip(self.videos, self.is_labeled, strict=True) if shown]
        return [video_id for video_id in labeled if video_id not in self._listed]

    def _count(self, video: CharadesVideo) -> int:
        if self._listed is not None and video.video_id in self._listed:
            return len(self._listed[video.video_id].frame_labels)
        try:
            found = self.data.library.open(video.video_id).properties()
        except InputError:
            return round(video.length * self.data.fps)
        counted = self.data.source == "video" and abs(found.fps - self.data.fps) < _SAME_RATE
        return found.frames if counted and found.frames is not None else round(found.seconds * self.data.fps)

    def _of_list(self, video_id: str) -> ListedVideo:
        assert self._listed is not None
        if video_id not in self._listed:
            path = self.data.path(self.data.frame_list or "", self.split)
            raise InputError(f"frame list {path}: no video {video_id}, which the annotations say has actions.")
        return self._listed[video_id]
