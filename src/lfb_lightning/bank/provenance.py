"""The provenance of a bank: everything that decides its content."""

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
    """Everything that decides a bank's content; two banks of equal provenance and videos are equal.

    Args:
        checkpoint_digest: Of the whole detector.
        backbone_digest: Of the part that makes features.
        backbone: Its architecture in a line.
        channels: Of a feature.
        precision: In which features are stored.
        compute_precision: In which they were computed (`trainer.precision`).
        clip: Frames, stride, rate, resizing.
        keyframes: How the moments were chosen.
        score_threshold: Least confidence of the regions.
        split: The split's name.
        package_version: Recorded, not compared.
        origin: "extracted", or what the bank was converted or imported from.
        ticks_per_second: What the rows' timestamps count, a quotient such as "30000/1001".
        entries: What a row is: persons, clips (the box is the whole frame) or objects.
        spacing: Ticks from one entry to the next, and the first one's tick; empty for every tick.

    Raises:
        InputError: The last three describe no clock or no entries.
    """

    checkpoint_digest: str
    backbone_digest: str
    backbone: str
    channels: int
    precision: str
    compute_precision: str
    clip: Mapping[str, Any]
    keyframes: str
    score_threshold: float
    split: str
    package_version: str
    origin: str = "extracted"
    ticks_per_second: str = "1"
    entries: str = "persons"
    spacing: tuple[int, ...] = ()

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
        """The clock whose ticks the rows' timestamps count."""
        return Clock.parse(self.ticks_per_second, group="bank")

    @property
    def step(self) -> int:
        """Ticks from one entry to the next; 1 where that is not stated."""
        return self.spacing[0] if self.spacing else 1

    @property
    def digest(self) -> str:
        """Identifies the provenance; the version of the package is recorded, not compared."""
        content = {key: value for key, value in self.content().items() if key != "package_version"}
        return hashlib.sha256(json.dumps(_plain(content), sort_keys=True).encode()).hexdigest()

    def content(self) -> dict[str, Any]:
        """List the fields, without those of format 4 at their default, so that digests of older banks stay valid."""
        return {key: value for key, value in asdict(self).items() if key not in ADDED or value != ADDED[key]}

    @classmethod
    def unknown(
        cls, *, channels: int, precision: str, keyframes: str, split: str, origin: str, **time: Any
    ) -> Provenance:
        """State the provenance of features that something else has made.

        Args:
            channels: Of a feature.
            precision: In which features are stored.
            keyframes: How the moments were chosen, as far as that is known.
            split: The split's name.
            origin: What they come from.
            **time: `ticks_per_second` and the fields after it.
        """
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
        """List what differs as `field: this, other`, the version of the package aside."""
        names = [entry.name for entry in fields(self) if entry.name != "package_version"]
        return [
            f"{name}: {getattr(self, name)!r} there, {getattr(other, name)!r} here"
            for name in names
            if _plain(getattr(self, name)) != _plain(getattr(other, name))
        ]


def _plain(value: Any) -> Any:
    """Give a value back as JSON does, whole numbers as integers: 30 and 30.0 are one."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
