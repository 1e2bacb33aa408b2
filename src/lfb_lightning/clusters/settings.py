"""How a command uses a Ray cluster: the `engine` section of the configuration as a plain value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lfb_lightning.errors import InputError
from lfb_lightning.ranges import refuse_out_of_range

_RANGES = {
    "gpus_per_actor": (0, math.inf),
    "cpus_per_actor": (0, math.inf),
    "cpus_per_decode": (0.01, math.inf),
    "tries": (1, math.inf),
    "log_seconds": (0, math.inf),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RayEngine:
    """Describes how a command uses a Ray cluster. Every field is a key of `conf/engine/ray.yaml`, documented there.

    Raises:
        InputError: A value is out of its range; the message names the key.
    """

    address: str | None = None
    actors: int | Sequence[int] | None = None
    gpus_per_actor: float | int | None = None
    cpus_per_actor: float | int = 1
    cpus_per_decode: float | int = 1
    tries: int = 3
    log_seconds: float | int = 30.0

    def __post_init__(self) -> None:
        refuse_out_of_range("engine", self, _RANGES)
        pair = self.actors
        if pair is None:
            return
        bounds = [pair, pair] if isinstance(pair, int) else list(pair)
        if len(bounds) != 2 or not 1 <= bounds[0] <= bounds[1]:
            raise InputError(
                f"engine.actors is {pair}, expected a number from 1 on, or two: [2,8]; null: as many as fit."
            )

    def gave_up(self, video_id: str) -> str:
        """Say that a video has failed since whatever works on it ends.

        Args:
            video_id: The video.
        """
        return (
            f"video {video_id}: the process that worked on it was killed, crashed or ran out of memory, "
            f"engine.tries={self.tries} times; look at the video and at Ray's logs, or lower the batch size."
        )
