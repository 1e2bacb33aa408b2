"""Where the files of Charades lie, and which clips of its videos are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lfb_lightning.clock import Clock, exact
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import place_of
from lfb_lightning.metrics.video_map import TIES, UNLABELED
from lfb_lightning.ranges import refuse_out_of_range, refuse_unknown
from lfb_lightning.video import VideoLibrary
from lfb_lightning.video.library import DECODERS, Library

_MOST_SEGMENTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CharadesSettings:
    """Describes a data set in the formats of Charades.

    Every field is a key of the `data` section, documented in `conf/data/charades.yaml`; `{split}` in a path becomes what
    `split_files` says of the split, or its name.

    Raises:
        InputError: A value is out of its range; the message names the key.
    """

    video_dir: str
    annotations: str
    label_map: str
    split_files: Mapping[str, str] = field(default_factory=dict)
    frame_list: str | None = None
    source: str = "video"
    fps: float = 24.0
    first_frame_number: int = 1
    frame_prefix: str | None = None
    decoder: str = "pyav"
    num_frames: int = 32
    frame_stride: int = 4
    bank_step: int = 12
    val_segments: int = 3
    test_segments: int = 10
    ties: str = "threshold"
    unlabeled: str = "drop"
    evaluated: str = "logits"
    class_groups: Mapping[str, Sequence[int]] | None = None

    def __post_init__(self) -> None:
        if self.source == "cache":
            raise InputError(
                "data.source is 'cache', which this data set has not: its training clips lie anywhere in a video, so that a "
                "cache would hold every frame; extract the frames and read them with data.source=frames."
            )
        choices: dict[str, tuple[str, ...]] = {
            "source": ("video", "frames"),
            "decoder": DECODERS,
            "ties": TIES,
            "unlabeled": UNLABELED,
            "evaluated": ("logits", "scores"),
        }
        refuse_unknown("data", self, choices)
        segments = (1, _MOST_SEGMENTS)
        refuse_out_of_range(
            "data",
            self,
            {"fps": (0.001, 1000.0), "first_frame_number": (0, math.inf), "bank_step": (1, math.inf)}
            | {"val_segments": segments, "test_segments": segments},
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
    def videos(self) -> Library:
        """Where the frames come from."""
        return self.library

    @property
    def library(self) -> VideoLibrary:
        """Where the frames come from: `source`, its folder and how its files are numbered."""
        return VideoLibrary(
            place_of(self.video_dir, "video"),
            self.source,
            self.fps,
            self.first_frame_number,
            frame_prefix=self.frame_prefix,
            decoder=self.decoder,
        )

    def path(self, template: str, split: str) -> Path:
        """Give the path of a split's file."""
        return Path(template.replace("{split}", self.split_files.get(split, split)))
