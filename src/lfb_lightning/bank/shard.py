"""One of several equal parts of the videos, for machines that share a folder and array jobs of a cluster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lfb_lightning.errors import InputError

_TEXT = re.compile(r"0*([1-9][0-9]{0,8})/0*([1-9][0-9]{0,8})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `count`th video in the order of their names, from the `number`th on.

    Args:
        number: Which part, from 1.
        count: Number of parts.
    """

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read a part as the key `shard` has it.

        Args:
            text: Such as `2/4`, the second of four.

        Raises:
            InputError: It is no such part.
        """
        match = _TEXT.fullmatch(text)
        if match is None or int(match[1]) > int(match[2]):
            raise InputError(
                f"shard is {text}, expected i/n, the i-th of n equal parts of the videos with i from 1 to n, such as 2/4."
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def share(self, video_ids: Sequence[str]) -> list[str]:
        """Choose this part.

        Args:
            video_ids: All videos.
        """
        return sorted(video_ids)[self.number - 1 :: self.count]
