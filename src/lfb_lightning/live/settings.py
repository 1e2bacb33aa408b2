"""How a live source is read: the `live` section of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lfb_lightning.errors import InputError

_MOST_SECONDS = 7_000_000.0  # 81 days; a bank's clock counts to 92
_RANGES = {  # key: lowest, highest
    "duration": (0.0, _MOST_SECONDS),
    "late": (0.0, 60.0),  # frames are held so long
    "timeout": (0.1, 3600.0),
    "reconnects": (0, 1_000_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """Describes how a live source is read. Every field is a key of the `live` section, documented in `conf/predict.yaml`.

    Args:
        duration: Seconds of the source after which it ends; None: at its own end, or when it is asked to stop.
        speed: "real" leaves out what cannot be scored in time; "max", for a file or a pipe, reads no faster than it is scored
            and leaves out nothing.
        loop: Whether a file begins anew at its end.
        late: Seconds that a moment may wait to be scored after its last frame has come; after that it is left out.
        timeout: Seconds without data after which a connection is lost.
        reconnects: How often in a row a lost connection is tried again.

    Raises:
        InputError: A value is out of its range; the message names the key.
    """

    duration: float | int | None = None
    speed: Literal["real", "max"] = "real"
    loop: bool = False
    late: float | int = 0.5
    timeout: float | int = 10.0
    reconnects: int = 5

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise InputError(f"live.{name} is {value}, expected {least:g} to {most:g}.")
        if self.speed not in ("real", "max"):
            raise InputError(f"live.speed is {self.speed!r}, expected real or max.")

    @property
    def end(self) -> float:
        """The second of the source before which moments are scored."""
        return _MOST_SECONDS if self.duration is None else float(self.duration)
