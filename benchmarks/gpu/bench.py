"""What a part is given to work with: sizes, a device, a folder, a deadline, and somebody to tell what it finds."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.gpu.report import LeftOut, Row
from benchmarks.gpu.sizes import Sizes
from benchmarks.timing import Spread, in_turn

Tell = Callable[[Row | LeftOut], None]
_LONGEST_REASON = 300


class LeaveOut(Exception):
    """Raised within a case that cannot be measured here; its text is the reason."""


@dataclass(frozen=True)
class Bench:
    """The surroundings of a part.

    Args:
        part: Its name.
        sizes: How large everything is.
        device: "cpu" or "cuda".
        folder: An empty folder of its own.
        deadline: The moment of `time.monotonic` from which no further case begins.
        tell: Takes rows and what is left out.
    """

    part: str
    sizes: Sizes
    device: str
    folder: Path
    deadline: float
    tell: Tell

    def case(self, name: str, work: Callable[..., object], *arguments: object) -> None:
        """Measure a case: whatever goes wrong in it is told in one line, and the next case can go on.

        Args:
            name: Its name; "" for what comes before the cases.
            work: Measures it, and tells what it found.
            arguments: Of `work`.
        """
        if time.monotonic() > self.deadline:
            self.tell(LeftOut(self.part, name, "no time was left"))
            return
        try:
            work(*arguments)
        except LeaveOut as reason:
            self.tell(LeftOut(self.part, name, str(reason)))
        except torch.OutOfMemoryError:
            self.tell(LeftOut(self.part, name, "the GPU's memory did not suffice"))
        except Exception as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            self.tell(LeftOut(self.part, name, text[:_LONGEST_REASON]))
        gc.collect()
        if self.device != "cpu":
            torch.cuda.empty_cache()

    def add(self, case: str, values: Mapping[str, Spread], note: str = "") -> None:
        """Tell what a case gave."""
        self.tell(Row(self.part, case, dict(values), note))

    def measure(self, works: Mapping[str, Callable[[], object]]) -> dict[str, list[float]]:
        """Measure works in turn as often as `sizes.rounds` says and the deadline allows."""
        return in_turn(works, rounds=self.sizes.rounds, warm_up=2, device=self.device, until=self.deadline)

    def half_precision(self) -> torch.autocast:
        """Give the block in which forward passes are computed in bf16."""
        return torch.autocast(self.device, dtype=torch.bfloat16)
