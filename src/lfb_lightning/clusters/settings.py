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
        if self.actors is not None:
            least, most = self.bounds(self.actors)
            if not 1 <= least <= most:
                raise InputError(self._bad_actors)

    @property
    def _bad_actors(self) -> str:
        return f"engine.actors is {self.actors}, expected a number from 1 on, or two: [2,8]; null: as many as fit."

    def bounds(self, actors: int | Sequence[int]) -> tuple[int, int]:
        """Give the least and the most number of actors.

        Args:
            actors: One number, or both.

        Raises:
            InputError: They are not two.
        """
        if isinstance(actors, int):
            return actors, actors
        if len(actors) != 2:
            raise InputError(self._bad_actors)
        return actors[0], actors[1]

    @property
    def least_cpus(self) -> int:
        """Cores without which nothing would ever begin: those of the least number of actors, and of a task."""
        least = 1 if self.actors is None else self.bounds(self.actors)[0]
        return math.ceil(least * self.cpus_per_actor + self.cpus_per_decode)

    def rounds(self) -> list[int]:
        """Divide the tries of a video into rounds: how often Ray begins it again by itself in each.

        The last try is a round of its own, since Ray Data was seen to lose a task, on a machine with ten times the load that
        it can bear, which it had not begun.
        """
        return [self.tries - 2, 0] if self.tries > 1 else [0]

    def gave_up(self, video_id: str) -> str:
        """Say that a video has failed since whatever works on it ends.

        Args:
            video_id: The video.
        """
        return (
            f"video {video_id}: the process that worked on it was killed, crashed or ran out of memory, "
            f"engine.tries={self.tries} times; look at the video and at Ray's logs, or lower the batch size."
        )
