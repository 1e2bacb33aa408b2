"""How clips are cut, resized and normalized: the keys of the `data` section that every data set has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lfb_lightning.clips.sampling import SPACINGS, ClipSampling
from lfb_lightning.clips.transforms import ClipTransform
from lfb_lightning.clips.views import View, make_views
from lfb_lightning.errors import InputError
from lfb_lightning.ranges import refuse_out_of_range, refuse_unknown

_RANGES = {  # key: lowest, highest
    "fps": (0.001, math.inf),
    "num_frames": (1, 10_000),
    "frame_stride": (1, math.inf),
    "train_crop": (1, math.inf),
    "train_flip": (0, 1),
    "train_color_jitter": (0, 1),
    "eval_short_side": (1, math.inf),
    "test_crops": (1, 3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSettings:
    """Describes the clips of training, evaluation and bank extraction.

    Every field is a key of the `data` section, documented in `conf/data/ava_custom.yaml`.

    Raises:
        InputError: A value is out of its range; the message names the key.
    """

    fps: float = 30.0
    num_frames: int = 4
    frame_stride: int = 16
    frame_shift: float = 0.0
    frame_spacing: str = "stride"
    train_short_side: Sequence[int] | None = (256, 320)
    train_crop: int | None = 256
    train_flip: float = 0.5
    train_color_jitter: float = 0.0
    eval_short_side: int | None = 256
    test_scales: Sequence[int] | None = None
    test_flip: bool = False
    test_crops: int = 1
    test_reduce: str = "mean"
    eval_crop: str = "whole"
    crop_rounding: str = "down"
    resize: str = "torchvision"
    mean: Sequence[float] = (0.45, 0.45, 0.45)
    std: Sequence[float] = (0.225, 0.225, 0.225)

    def __post_init__(self) -> None:
        refuse_out_of_range("data", self, _RANGES)
        choices: dict[str, tuple[str, ...]] = {
            "frame_spacing": SPACINGS,
            "resize": ("torchvision", "opencv"),
            "test_reduce": ("mean", "max"),
            "eval_crop": ("whole", "center"),
            "crop_rounding": ("down", "up"),
        }
        refuse_unknown("data", self, choices)
        for name in ("train_short_side", "test_scales"):
            sides = getattr(self, name)
            if sides is not None and not (sides and all(side >= 1 for side in sides)):
                raise InputError(f"data.{name} is {list(sides)}, expected pixels of the short side, such as [256,320].")
        for name, least in (("mean", 0.0), ("std", 1e-6)):
            values = getattr(self, name)
            if len(values) != 3 or not all(least <= value <= 1 for value in values):
                remedy = (
                    "; divide those of pixels in 0..255 by 255" if any(1 < value <= 255 for value in values) else ""
                )
                raise InputError(
                    f"data.{name} is {list(values)}, expected three numbers, of R, G and B in 0..1{remedy}."
                )

    @property
    def sampling(self) -> ClipSampling:
        """Which frames make the clip around a moment."""
        return ClipSampling(self.num_frames, self.frame_stride, self.fps, self.frame_shift, self.frame_spacing)

    @property
    def train_transform(self) -> ClipTransform:
        """Random resizing, cropping, flipping and color jitter."""
        sides = None if self.train_short_side is None else (self.train_short_side[0], self.train_short_side[-1])
        return ClipTransform(
            short_side=sides,
            crop=self.train_crop,
            flip=self.train_flip,
            color_jitter=self.train_color_jitter,
            resize=self.resize,
        )

    @property
    def eval_view(self) -> View:
        """The one view of validation and extraction: the whole frame, resized, or the square in its middle."""
        crop, crops = (1, 3) if self.eval_crop == "center" else (0, 1)
        up = self.crop_rounding == "up"
        return View(self.eval_short_side, flip=False, crop=crop, crops=crops, resize=self.resize, rounds_up=up)

    @property
    def test_views(self) -> list[View]:
        """The views whose scores a test averages: the evaluation's alone unless the test keys ask for more."""
        if self.test_scales is None and not self.test_flip and self.test_crops == 1:
            return [self.eval_view]
        scales = self.test_scales if self.test_scales is not None else [self.eval_short_side]
        up = self.crop_rounding == "up"
        return make_views(scales, flip=self.test_flip, crops=self.test_crops, resize=self.resize, rounds_up=up)

    def describe(self) -> dict[str, object]:
        """Describe what decides the pixels of an extracted clip, for the bank's manifest."""
        return {
            "num_frames": self.num_frames,
            "frame_stride": self.frame_stride,
            "frame_shift": self.frame_shift,
            "fps": self.fps,
            "short_side": self.eval_short_side,
            "resize": self.resize,
            "mean": list(self.mean),
            "std": list(self.std),
            **({} if self.frame_spacing == "stride" else {"frame_spacing": self.frame_spacing}),
            **({} if self.eval_crop == "whole" else {"crop": f"{self.eval_crop} {self.crop_rounding}"}),
        }
