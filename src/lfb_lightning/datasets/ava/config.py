"""Where a data set in AVA's formats lies and how it is read: the `data` group of the configuration as a plain value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lfb_lightning.clips.sampling import ClipSampling
from lfb_lightning.clips.transforms import ClipTransform
from lfb_lightning.clips.views import View, make_views
from lfb_lightning.errors import InputError
from lfb_lightning.video import VideoLibrary

_RANGES = {  # field: lowest, highest
    "num_workers": (0, math.inf),
    "fps": (0.001, math.inf),
    "first_frame_number": (0, math.inf),
    "num_frames": (1, math.inf),
    "frame_stride": (1, math.inf),
    "match_iou": (0, 1),
    "train_crop": (1, math.inf),
    "train_flip": (0, 1),
    "train_colour_jitter": (0, 1),
    "eval_short_side": (1, math.inf),
    "test_crops": (1, 3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AvaData:
    """Every field is a key of `conf/data/*.yaml`, documented there; `{split}` in a path becomes train, val or test."""

    video_dir: str
    label_map: str
    annotations: str
    proposals: str
    excluded: str | None = None
    classes: Sequence[int] | None = None
    class_balance: float = 0.0
    proposal_images: str | None = None
    source: str = "video"
    cache_dir: str | None = None
    fps: float = 30.0
    first_frame_number: int = 1
    frame_prefix: str | None = None
    origin_second: float = 900.0
    first_second: int = 902
    last_second: int = 1798
    key_step: int = 1
    num_frames: int = 4
    frame_stride: int = 16
    frame_shift: float = 0.0
    train_threshold: float = 0.9
    eval_threshold: float = 0.85
    bank_threshold: float = 0.9
    match_iou: float = 0.9
    assign: str = "best_overlap"
    train_short_side: Sequence[int] | None = (256, 320)
    train_crop: int | None = 256
    train_flip: float = 0.5
    eval_short_side: int | None = 256
    train_colour_jitter: float = 0.0
    test_scales: Sequence[int] | None = None
    test_flip: bool = False
    test_crops: int = 1
    resize: str = "torchvision"
    mean: Sequence[float] = (0.45, 0.45, 0.45)
    std: Sequence[float] = (0.225, 0.225, 0.225)
    class_groups: Mapping[str, Sequence[int]] | None = None
    expected_counts: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)
    short_term: str = "clips"
    batch_size: int = 8
    num_workers: int = 4

    def __post_init__(self) -> None:
        for name, value, known in (
            ("source", self.source, ("video", "frames", "cache")),
            ("short_term", self.short_term, ("clips", "bank")),
            ("assign", self.assign, ("best_overlap", "mmaction2")),
            ("resize", self.resize, ("torchvision", "opencv")),
        ):
            if value not in known:
                raise InputError(f"data.{name} is {value!r}, expected one of {', '.join(known)}.")
        if self.source == "cache" and self.cache_dir is None:
            raise InputError("data.source=cache needs data.cache_dir, the folder that lfb-cache wrote.")
        if self.key_step < 1:
            raise InputError(f"data.key_step is {self.key_step}, expected at least 1 (seconds between keyframes).")
        if not 0 <= self.class_balance <= 1:
            raise InputError(f"data.class_balance is {self.class_balance}, expected 0 (as it is) to 1 (balanced).")
        if self.batch_size < 1:
            raise InputError(f"data.batch_size is {self.batch_size}, expected at least 1 (clips per rank).")
        for name, (lowest, highest) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not lowest <= value <= highest:
                expected = f"{lowest} to {highest}" if math.isfinite(highest) else f"at least {lowest}"
                raise InputError(f"data.{name} is {value}, expected {expected}.")
        for name in ("train_short_side", "test_scales"):
            sides = getattr(self, name)
            if sides is not None and not (sides and all(side >= 1 for side in sides)):
                raise InputError(f"data.{name} is {list(sides)}, expected pixels of the short side, such as [256,320].")
        for name, least in (("mean", -math.inf), ("std", 1e-6)):
            values = getattr(self, name)
            if len(values) != 3 or not all(least <= value < math.inf for value in values):
                raise InputError(f"data.{name} is {list(values)}, expected three numbers, of R, G and B in 0..1.")

    @property
    def clip_sampling(self) -> ClipSampling:
        """Which frames make a clip."""
        return ClipSampling(self.num_frames, self.frame_stride, self.fps, self.origin_second, self.frame_shift)

    @property
    def videos(self) -> VideoLibrary:
        """Where the frames come from."""
        cache_dir = None if self.cache_dir is None else Path(self.cache_dir)
        return VideoLibrary(
            Path(self.video_dir),
            self.source,
            self.fps,
            self.first_frame_number,
            cache_dir,
            frame_prefix=self.frame_prefix,
        )

    @property
    def train_transform(self) -> ClipTransform:
        """Random resizing, cropping and flipping."""
        sides = None if self.train_short_side is None else (self.train_short_side[0], self.train_short_side[-1])
        return ClipTransform(
            short_side=sides,
            crop=self.train_crop,
            flip=self.train_flip,
            colour_jitter=self.train_colour_jitter,
            resize=self.resize,
        )

    @property
    def eval_transform(self) -> ClipTransform:
        """Resizing only."""
        sides = None if self.eval_short_side is None else (self.eval_short_side, self.eval_short_side)
        return ClipTransform(short_side=sides, resize=self.resize)

    @property
    def test_views(self) -> list[View] | None:
        """The views whose scores a test averages; None for the plain one."""
        if self.test_scales is None and not self.test_flip and self.test_crops == 1:
            return None
        scales = self.test_scales if self.test_scales is not None else [self.eval_short_side]
        return make_views(scales, flip=self.test_flip, crops=self.test_crops, resize=self.resize)

    def describe_clips(self) -> dict[str, object]:
        """What decides the pixels of a clip, for the bank's manifest."""
        return {
            "source": self.source,
            "num_frames": self.num_frames,
            "frame_stride": self.frame_stride,
            "frame_shift": self.frame_shift,
            "fps": self.fps,
            "origin_second": self.origin_second,
            "short_side": self.eval_short_side,
            "resize": self.resize,
            "mean": list(self.mean),
            "std": list(self.std),
        }
