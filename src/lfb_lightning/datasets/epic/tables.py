"""The files of one split of EPIC-Kitchens: which segments of which videos show which verb and noun."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64

from lfb_lightning.datasets.epic.settings import EpicSettings
from lfb_lightning.datasets.present import present
from lfb_lightning.epic import (
    Segment,
    VideoInfo,
    frame_at,
    official_frame_rate,
    participant_number,
    read_classes,
    read_ids,
    read_names,
    read_segments,
    read_video_info,
)
from lfb_lightning.errors import InputError
from lfb_lightning.metrics.segment_accuracy import action_prior
from lfb_lightning.video.protocol import Video


class EpicTables:
    """A split's segments in the order of its csv, with their labels; each file is read when it is first needed.

    Args:
        data: Where the files lie.
        split: Name of the split.

    Raises:
        InputError: A file is missing or cannot be read (by the properties that need it).
    """

    def __init__(self, data: EpicSettings, split: str) -> None:
        self.data = data
        self.split = split
        self._lengths: dict[str, int] = {}

    @cached_property
    def names(self) -> dict[str, dict[int, str]]:
        """The names of the classes of each head by their numbers; class 0 is one like the others."""
        files = {"verb": self.data.verb_classes, "noun": self.data.noun_classes}
        return {
            head: read_classes(present(self.data.path(files[head], self.split), "class list", f"{head}_classes"))
            for head in self.data.ordered_heads
        }

    @cached_property
    def segments(self) -> list[Segment]:
        """The segments of the csv, if `participants` names the split those of its participants alone."""
        path = present(self.data.path(self.data.annotations, self.split), "annotations", "annotations")
        found = read_segments(path, labeled=False)
        if (numbers := (self.data.participants or {}).get(self.split)) is not None:
            found = [one for one in found if numbers[0] <= participant_number(one.participant) <= numbers[1]]
        if not found:
            raise InputError(f"annotations {path}: no segment of split {self.split}; see data.participants.")
        for one in found:
            if one.stop < one.start:
                raise InputError(
                    f"annotations {path}: segment {one.segment_id!r} stops at {one.stop:g} s, before its start at "
                    f"{one.start:g} s; expected a later stop_timestamp."
                )
        return found

    @cached_property
    def labels(self) -> dict[str, Int64[np.ndarray, " N"]] | None:
        """The class of each segment by head, the first noun in the place of its nouns; None for a split without labels."""
        if any(one.verb is None or one.noun is None for one in self.segments):
            return None
        found = {head: np.array([getattr(one, head) for one in self.segments], dtype=np.int64) for head in self.names}
        for head, classes in found.items():
            if (most := int(classes.max())) >= len(self.names[head]):
                one = self.segments[int(classes.argmax())]
                raise InputError(
                    f"annotations {self.data.path(self.data.annotations, self.split)}: {head} class {most} of segment "
                    f"{one.segment_id!r}, expected 0 to {len(self.names[head]) - 1}; is data.{head}_classes the list of "
                    "these classes?"
                )
        return found

    @cached_property
    def shown(self) -> Bool[np.ndarray, "N A"]:
        """Which score columns each segment shows, verbs before nouns.

        Raises:
            InputError: The split has no labels.
        """
        if self.labels is None:
            raise InputError(
                f"annotations {self.data.path(self.data.annotations, self.split)}: no columns verb_class and noun_class, "
                f"without which split {self.split} cannot be trained on; see data.split_files."
            )
        one_hot = [np.eye(len(self.names[head]), dtype=bool)[classes] for head, classes in self.labels.items()]
        return np.concatenate(one_hot, axis=1)

    @cached_property
    def frames(self) -> Int64[np.ndarray, "N 2"]:
        """The first and the last frame of each segment at the data set's rate, as the paper's code rounds seconds."""
        fps = self.data.fps
        pairs = [(frame_at(one.start, fps), frame_at(one.stop, fps)) for one in self.segments]
        return np.array(pairs, dtype=np.int64)

    @cached_property
    def video_ids(self) -> list[str]:
        """The videos of the segments, each once."""
        return [*dict.fromkeys(one.video_id for one in self.segments)]

    @cached_property
    def listed(self) -> dict[str, VideoInfo]:
        """What the list of videos says of each; nothing where there is no list."""
        if self.data.video_info is None:
            return {}
        path = self.data.path(self.data.video_info, self.split)
        return read_video_info(present(path, "video list", "video_info", optional=True))

    @cached_property
    def tail(self) -> dict[str, list[int]] | None:
        """The rare classes of each head; None where the data set has no lists of them."""
        if self.data.tail_verbs is None or self.data.tail_nouns is None:
            return None
        files = {"verb": self.data.tail_verbs, "noun": self.data.tail_nouns}
        paths = {head: self.data.path(file, self.split) for head, file in files.items()}
        return {
            head: read_ids(present(path, "rare classes", f"tail_{head}s", optional=True), head)
            for head, path in paths.items()
        }

    @cached_property
    def unseen(self) -> list[str] | None:
        """The participants who are in no training video; None where there is no list, and of the training split."""
        if self.data.unseen is None or self.split == "train":
            return None
        path = self.data.path(self.data.unseen, self.split)
        return read_names(present(path, "unseen participants", "unseen", optional=True))

    def prior(self) -> Float64[np.ndarray, "V M"] | None:
        """Estimate how often each noun goes with each verb in the training split.

        Returns:
            The prior of actions; None where the data set has none, or a head alone.
        """
        if not self.data.prior or len(self.names) < 2:
            return None
        labels = (self if self.split == "train" else EpicTables(self.data, "train")).labels
        if labels is None:
            raise InputError("data.prior=true needs the labels of split train; set data.prior=false.")
        counts = {f"num_{head}s": len(names) for head, names in self.names.items()}
        return action_prior(labels["verb"], labels["noun"], **counts)

    def video(self, video_id: str) -> Video:
        """Open a video; raises InputError where there is none."""
        return self.data.library(self.frames_fps(video_id)).open(self.data.place(video_id))

    def num_frames(self, video_id: str) -> int:
        """Count the frames of a video at the data set's rate, by its length.

        Of a video that cannot be opened, they are those of its length in the list of videos, or those up to the end of its
        last segment: whoever reads it will say what is wrong.

        Args:
            video_id: One of `video_ids`.
        """
        if video_id not in self._lengths:
            try:
                seconds = self.video(video_id).properties().seconds
            except InputError:
                seconds = self.listed[video_id].duration if video_id in self.listed else self._last_stops[video_id]
            self._lengths[video_id] = _frames_within(seconds, self.data.fps)
        return self._lengths[video_id]

    @cached_property
    def _last_stops(self) -> dict[str, float]:
        """The second at which the last segment of each video stops."""
        stops: dict[str, float] = {}
        for one in self.segments:
            stops[one.video_id] = max(one.stop, stops.get(one.video_id, 0.0))
        return stops

    def frames_fps(self, video_id: str) -> float:
        """Return the frames per second of a video's extracted frames; of a file, those of the official ones."""
        rate = self.data.frames_fps
        if self.data.source != "frames" or rate == "official":
            return official_frame_rate(video_id)
        if not isinstance(rate, str):
            return rate
        if video_id not in self.listed:
            path = self.data.path(self.data.video_info or "", self.split)
            raise InputError(f"video list {path}: no video {video_id}, whose frame rate data.frames_fps=listed needs.")
        return self.listed[video_id].frames_per_second


def _frames_within(seconds: float, fps: float) -> int:
    """How many frames of a rate a length has; the moment of the last one's end is not behind it."""
    count = max(1, round(seconds * fps))
    return count if count == 1 or count / fps <= seconds else max(1, math.floor(seconds * fps))
