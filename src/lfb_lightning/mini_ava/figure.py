"""What an actor must be able to say to be drawn and annotated, whichever scenario it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

SIZE = 96  # pixels of a picture's side


@dataclass(frozen=True, slots=True)
class Event:
    """A cue or a pulse of an actor.

    Args:
        second: The second on which it is centered.
        kind: Which of the three cues the episode has, 0 to 2.
        is_cue: Whether it is the cue, rather than a pulse.
    """

    second: int
    kind: int
    is_cue: bool


@runtime_checkable
class Figure(Protocol):
    """A person of a generated video: a disc that moves, and now and then shows a cue or a pulse."""

    @property
    def color(self) -> int:
        """Place of its color among the drawing's, 0 to 4."""

    @property
    def radius(self) -> float:
        """Radius of its disc in pixels."""

    def center(self, seconds: float) -> tuple[float, float]:
        """Return the center in pixels, at a time in seconds since the video's start."""

    def event_at(self, seconds: float) -> Event | None:
        """Return the cue or pulse that is visible at a time in seconds, or None."""

    def action_ids(self, second: int) -> list[int]:
        """Return the ids of the actor's actions at a whole second."""


def visible_event(events: Sequence[Event], seconds: float, *, cue: float, pulse: float) -> Event | None:
    """Find the event that is visible at a time, or None.

    Args:
        events: Of one actor.
        seconds: The time, in seconds since the video's start.
        cue: Seconds that a cue is visible for, centered on its own.
        pulse: Seconds that a pulse is.
    """
    for event in events:
        if abs(event.second - seconds) <= (cue if event.is_cue else pulse) / 2:
            return event
    return None
