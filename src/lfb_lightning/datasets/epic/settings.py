"""Where the files of EPIC-Kitchens lie, which classes are learned, and which clips of its segments are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lfb_lightning.clock import Clock, exact
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import place_of
from lfb_lightning.metrics.segment_accuracy import HEADS
from lfb_lightning.ranges import refuse_out_of_range, refuse_unknown
from lfb_lightning.video import VideoLibrary
from lfb_lightning.video.library import DECODERS

FRAME_RATES = ("official", "listed")  # words in the place of a number
_MOST_CLIPS = 1000
_PLACES = ("{video_id}", "{participant}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EpicSettings:
    """Describes a data set in the formats of EPIC-Kitchens 55 or 100.

    Every field is a key of the `data` section, documented in `conf/data/epic55.yaml` and `conf/data/epic100.yaml`;
    `{split}` in a path becomes what `split_files` says of the split, or its name.

    Raises:
        InputError: A value is out of its range; the message names the key.
    """

    video_dir: str
    annotations: str
    verb_classes: str
    noun_classes: str
    heads: Sequence[str] = HEADS
    split_files: Mapping[str, str] = field(default_factory=dict)
    participants: Mapping[str, Sequence[int]] | None = None
    video_info: str | None = None
    tail_verbs: str | None = None
    tail_nouns: str | None = None
    unseen: str | None = None
    prior: bool = False
    video_path: str = "{video_id}"
    source: str = "video"
    fps: float = 30.0
    frames_fps: float | str = "official"
    first_frame_number: int = 1
    frame_prefix: str | None = None
    decoder: str = "pyav"
    num_frames: int = 32
    frame_stride: int = 2
    frame_spacing: str = "stride"
    clips_inside: bool = False
    val_clips: int = 1
    test_clips: int = 1
    test_places: str = "middles"
    bank_step: int = 30

    def __post_init__(self) -> None:
        choices = {"source": ("video", "frames"), "decoder": DECODERS, "test_places": ("middles", "beginnings")}
        refuse_unknown("data", self, choices)
        clips, positive = (1, _MOST_CLIPS), (0.001, 1000.0)
        refuse_out_of_range(
            "data",
            self,
            {"fps": positive, "first_frame_number": (0, math.inf), "bank_step": (1, math.inf)}
            | {"val_clips": clips, "test_clips": clips},
        )
        if not self.heads or not set(self.heads) <= set(HEADS) or len(set(self.heads)) < len(self.heads):
            raise InputError(f"data.heads is {list(self.heads)}, expected [verb], [noun] or [verb,noun].")
        if isinstance(self.frames_fps, str):
            refuse_unknown("data", self, {"frames_fps": FRAME_RATES})
        else:
            refuse_out_of_range("data", self, {"frames_fps": positive})
        if self.frames_fps == "listed" and self.video_info is None:
            raise InputError("data.frames_fps=listed needs data.video_info, the list of videos with their frame rates.")
        if (self.tail_verbs is None) != (self.tail_nouns is None):
            raise InputError(
                "data.tail_verbs and data.tail_nouns belong together: set both, or none to leave out the rare classes."
            )
        if _PLACES[0] not in self.video_path:
            raise InputError(
                f"data.video_path is {self.video_path!r}, expected a path below data.video_dir with {{video_id}} in it."
            )
        for split, numbers in (self.participants or {}).items():
            if len(numbers) != 2 or not 0 <= numbers[0] <= numbers[1]:
                raise InputError(
                    f"data.participants.{split} is {list(numbers)}, expected the first and the last number, such as [1,25]."
                )

    @property
    def clock(self) -> Clock:
        """What the timestamps of keyframes count: frames of `fps`, from the first one of each video."""
        return Clock(exact(self.fps, "data.fps"))

    @property
    def span(self) -> int:
        """Frames that a clip spans."""
        return self.num_frames * self.frame_stride

    @property
    def ordered_heads(self) -> list[str]:
        """The heads in the order of their columns, verbs first."""
        return [head for head in HEADS if head in self.heads]

    def library(self, frames_fps: float) -> VideoLibrary:
        """Say where the frames come from: `source`, its folder and how its files are numbered.

        Args:
            frames_fps: The rate of extracted frames.
        """
        return VideoLibrary(
            place_of(self.video_dir, "video"),
            self.source,
            frames_fps,
            self.first_frame_number,
            frame_prefix=self.frame_prefix,
            decoder=self.decoder,
        )

    def place(self, video_id: str) -> str:
        """Give the path of a video below `video_dir`, without an ending."""
        participant = video_id.partition("_")[0]
        return self.video_path.replace(_PLACES[0], video_id).replace(_PLACES[1], participant)

    def path(self, template: str, split: str) -> Path:
        """Give the path of a split's file."""
        return Path(template.replace("{split}", self.split_files.get(split, split)))
