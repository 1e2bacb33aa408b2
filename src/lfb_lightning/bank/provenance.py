"""What made a bank: everything that decides its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from lfb_lightning.clock import Clock
from lfb_lightning.errors import InputError
from lfb_lightning.version import __version__

ENTRIES = ("persons", "clips", "objects")
ADDED: dict[str, Any] = {"ticks_per_second": "1", "entries": "persons", "spacing": ()}
"""Fields that the manifest's format 3 does not have, and their defaults."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that decides a bank's content; two banks of equal provenance and videos are equal."""

    checkpoint_digest: str  # of the whole detector
    backbone_digest: str  # of the part that makes features
    backbone: str
    channels: int
    precision: str  # in which features are stored
    compute_precision: str  # in which they were computed: trainer.precision
    clip: Mapping[str, Any]  # frames, stride, rate, resizing
    keyframes: str  # how they were chosen
    score_threshold: float
    split: str
    package_version: str
    origin: str = "extracted"  # or what it was converted or imported from
    ticks_per_second: str = "1"  # a quotient such as "30000/1001": what the rows' timestamps count
    entries: str = "persons"  # what a row is: persons, clips (the box is the whole frame) or objects
    spacing: tuple[int, ...] = ()  # ticks from one entry to the next, and the first one's tick; () for every tick

    def __post_init__(self) -> None:
        _ = self.clock
        step = self.spacing[:1] or (1,)
        if self.entries not in ENTRIES or len(self.spacing) not in (0, 2) or step[0] < 1:
            raise InputError(
                f"a bank of {self.entries!r:.50} at ticks {self.spacing!r:.50}, expected one of {', '.join(ENTRIES)}, and "
                "no spacing or [ticks from one to the next, the first one's tick]."
            )

    @property
    def clock(self) -> Clock:
        """What the rows' timestamps count."""
        return Clock.parse(self.ticks_per_second, group="bank")

    @property
    def step(self) -> int:
        """Ticks from one entry to the next."""
        return self.spacing[0] if self.spacing else 1

    @property
    def digest(self) -> str:
        """Identifies the provenance; the package version is recorded, not compared."""
        content = {key: value for key, value in self.content().items() if key != "package_version"}
        return hashlib.sha256(json.dumps(_plain(content), sort_keys=True).encode()).hexdigest()

    def content(self) -> dict[str, Any]:
        """The fields, without those of format 4 that are at their default: so digests of older banks stay valid."""
        return {key: value for key, value in asdict(self).items() if key not in ADDED or value != ADDED[key]}

    @classmethod
    def unknown(
        cls, *, channels: int, precision: str, keyframes: str, split: str, origin: str, **time: Any
    ) -> Provenance:
        """The provenance of features that something else has made; `time` are `ticks_per_second` and the fields after it."""
        return cls(
            checkpoint_digest="unknown",
            backbone_digest="unknown",
            backbone="unknown",
            channels=channels,
            precision=precision,
            compute_precision="unknown",
            clip={},
            keyframes=keyframes,
            score_threshold=0.0,
            split=split,
            package_version=__version__,
            origin=origin,
            **time,
        )

    def differences(self, other: Provenance) -> list[str]:
        """`field: this, other` for all that differs, the package version aside."""
        names = [entry.name for entry in fields(self) if entry.name != "package_version"]
        return [
            f"{name}: {getattr(self, name)!r} there, {getattr(other, name)!r} here"
            for name in names
            if _plain(getattr(self, name)) != _plain(getattr(other, name))
        ]


def _plain(value: Any) -> Any:
    """As JSON gives it back, whole numbers as integers: 30 and 30.0 are one."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
