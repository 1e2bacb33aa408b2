"""How a bank is written and read: the `bank` group of the configuration as a plain value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lfb_lightning.bank.precision import Precision, stored_dtype
from lfb_lightning.bank.window import WindowSpec
from lfb_lightning.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class BankConfig:
    """Every field is a key of `conf/bank/*.yaml`, documented there."""

    dir: str
    precision: Precision = "fp16"
    keyframes: Literal["proposals", "annotations", "every_second"] = "proposals"
    outside_video: Literal["fail", "clamp"] = "fail"
    window_seconds: int = 60
    features_per_second: int = 5
    placement: Literal["centered", "causal"] = "centered"
    train_selection: Literal["random", "top_score"] = "random"
    eval_selection: Literal["random", "top_score"] = "top_score"
    strict: bool = False
    on_error: Literal["skip", "stop"] = "skip"

    def __post_init__(self) -> None:
        stored_dtype(self.precision)
        for name, value, known in (
            ("keyframes", self.keyframes, ("proposals", "annotations", "every_second")),
            ("outside_video", self.outside_video, ("fail", "clamp")),
            ("placement", self.placement, ("centered", "causal")),
            ("train_selection", self.train_selection, ("random", "top_score")),
            ("eval_selection", self.eval_selection, ("random", "top_score")),
            ("on_error", self.on_error, ("skip", "stop")),
        ):
            if value not in known:
                raise InputError(f"bank.{name} is {value!r}, expected one of {', '.join(known)}.")
        self.window_spec(training=False)  # refuses windows without a slot

    def folder(self, split: str) -> Path:
        """The folder of a split's bank."""
        return Path(self.dir) / split

    def window_spec(self, *, training: bool) -> WindowSpec:
        """The windows of training or of evaluation."""
        return WindowSpec(
            seconds=self.window_seconds,
            features_per_second=self.features_per_second,
            placement=self.placement,
            selection=self.train_selection if training else self.eval_selection,
        )
