"""The common outcome of reading any form: persons' boxes on whole seconds, and notes for the user."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

Action = str | int  # an action's name, or its id where the file holds numbers


@dataclass(frozen=True, slots=True)
class AnnotatedBox:
    """A person's box in the picture of a whole second.

    Args:
        video_id: The video, as the csv files name it.
        second: The key frame's timestamp.
        corners: x1, y1, x2, y2 as fractions of the picture; a box may reach outside of it.
        actions: What the person does; none is a person without an action.
        track: The person's name within `part`, None where the file holds no identities.
        part: The file, task or annotator that the box is from. Equal tracks of different parts are different persons.
    """

    video_id: str
    second: int
    corners: tuple[float, float, float, float]
    actions: tuple[Action, ...]
    track: Action | None
    part: str


@dataclass
class Notes:
    """What the user is told after a conversion.

    Args:
        counts: How often each countable thing was met.
        statements: Statements that are told once, in the order in which they were noted.
    """

    counts: Counter[str] = field(default_factory=Counter)
    statements: dict[str, None] = field(default_factory=dict)

    def count(self, what: str, number: int = 1) -> None:
        """Count something that is told as a number, such as "boxes without a track"."""
        self.counts[what] += number

    def say(self, statement: str) -> None:
        """Note a statement, which is told once, however often it is noted."""
        self.statements[statement] = None

    def lines(self) -> list[str]:
        """Return every note as a line."""
        return [*self.statements, *(f"{what}: {number}" for what, number in self.counts.items())]
