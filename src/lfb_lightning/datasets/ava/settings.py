"""Where the files of a data set in AVA's formats lie, and which of its seconds and persons are used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lfb_lightning.clock import Clock
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import place_of
from lfb_lightning.ranges import refuse_out_of_range, refuse_unknown
from lfb_lightning.video import VideoLibrary
from lfb_lightning.video.library import DECODERS, Library


@dataclass(frozen=True, slots=True, kw_only=True)
class AvaSettings:
    """Describes a data set whose annotations, proposals and label map are in AVA's formats.

    Every field is a key of the `data` section, documented in `conf/data/ava_custom.yaml`; `{split}` in a path becomes
    train, val or test. Of several `proposals` the first that is there is read.

    Raises:
        InputError: A value is out of its range; the message names the key.
    """

    video_dir: str
    label_map: str
    annotations: str
    proposals: str | Sequence[str]
    excluded: str | None = None
    classes: Sequence[int] | None = None
    proposal_images: str | None = None
    source: str = "video"
    cache_dir: str | None = None
    fps: float = 30.0
    first_frame_number: int = 1
    frame_prefix: str | None = None
    decoder: str = "pyav"
    ticks_per_second: str | int | float = 1
    origin_second: float = 900.0
    first_second: int = 902
    last_second: int = 1798
    key_step: int = 1
    train_threshold: float = 0.9
    eval_threshold: float = 0.85
    bank_threshold: float = 0.9
    match_iou: float = 0.9
    assign: str = "best_overlap"
    class_groups: Mapping[str, Sequence[int]] | None = None
    expected_counts: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choices: dict[str, tuple[str, ...]] = {"source": ("video", "frames", "cache"), "decoder": DECODERS}
        refuse_unknown("data", self, choices | {"assign": ("best_overlap", "mmaction2")})
        if self.source == "cache" and self.cache_dir is None:
            raise InputError("data.source=cache needs data.cache_dir, the folder that lfb-cache wrote.")
        if not isinstance(self.proposals, str) and not self.proposals:
            raise InputError(
                "data.proposals is an empty list, expected a file or several, of which the first there is read."
            )
        if self.key_step < 1:
            raise InputError(f"data.key_step is {self.key_step}, expected at least 1 (ticks between keyframes).")
        _ = self.clock  # raises InputError for what is no rate
        refuse_out_of_range(
            "data", self, {"fps": (0.001, math.inf), "first_frame_number": (0, math.inf), "match_iou": (0, 1)}
        )

    @property
    def clock(self) -> Clock:
        """What the timestamps of keyframes count."""
        return Clock.parse(self.ticks_per_second, self.origin_second)

    @property
    def used_ticks(self) -> range:
        """The ticks from `first_second` to `last_second`, `key_step` apart, on which keyframes may lie."""
        rate = self.clock.ticks_per_second
        return range(math.ceil(self.first_second * rate), math.floor(self.last_second * rate) + 1, self.key_step)

    @property
    def videos(self) -> Library:
        """Where the frames come from."""
        return self.library

    @property
    def library(self) -> VideoLibrary:
        """Where the frames come from: `source`, its folder and how its files are numbered."""
        cache_dir = None if self.cache_dir is None else place_of(self.cache_dir, "frame cache")
        return VideoLibrary(
            place_of(self.video_dir, "video"),
            self.source,
            self.fps,
            self.first_frame_number,
            cache_dir,
            frame_prefix=self.frame_prefix,
            decoder=self.decoder,
        )
