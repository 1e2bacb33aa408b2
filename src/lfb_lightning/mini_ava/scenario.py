"""Who does what and when in one mini-AVA video: plain data, drawn from a seeded generator.

An actor's minute is a chain of episodes: a cue, and pulses 3 to 7 seconds before and after it. Episodes of one actor are
so far apart that exactly one of its own cues lies within the 16 s window of each of its pulses; cues of the others lie
there as well, which is what a pooled window (avg, max) cannot sort out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfb_lightning.mini_ava.actions import AFTER_IDS, COLOUR_IDS, CUE_IDS, MOTION_IDS

CUE_SECONDS, PULSE_SECONDS = 2.2, 1.3  # on for this long, centred on their second: three keyframes, and one
NEAREST, FARTHEST = 3, 7  # seconds between a pulse and the cue that decides it
WINDOW_HALF = 8  # half of the 16 s window that the presets use


@dataclass(frozen=True, slots=True)
class Event:
    """A cue or a pulse at a second; `kind` 0, 1, 2 of the episode."""

    second: int
    kind: int
    is_cue: bool


@dataclass(frozen=True, slots=True)
class Actor:
    """One actor: its cell of the grid, colour, motion (each 0-based), phase and events."""

    cell: int
    colour: int
    motion: int
    phase: float
    radius: float
    events: tuple[Event, ...]

    def event_at(self, seconds: float) -> Event | None:
        """The cue or pulse that is visible at a time."""
        for event in self.events:
            if abs(event.second - seconds) <= (CUE_SECONDS if event.is_cue else PULSE_SECONDS) / 2:
                return event
        return None

    def action_ids(self, second: int) -> list[int]:
        """AVA action ids of the actor at a whole second."""
        ids = [COLOUR_IDS[self.colour], MOTION_IDS[self.motion]]
        event = self.event_at(float(second))
        if event is not None:
            ids.append(CUE_IDS[event.kind] if event.is_cue else AFTER_IDS[event.kind])
        return ids


def draw_scenario(rng: np.random.Generator, *, seconds: int) -> list[Actor]:
    """Two to four actors of distinct colours, each in a cell of its own."""
    number = int(rng.integers(2, 5))
    cells = rng.permutation(4)[:number]
    colours = rng.permutation(len(COLOUR_IDS))[:number]
    return [
        Actor(
            cell=int(cell),
            colour=int(colour),
            motion=int(rng.integers(len(MOTION_IDS))),
            phase=float(rng.uniform(0, 2 * np.pi)),
            radius=11.0,
            events=_draw_events(rng, seconds),
        )
        for cell, colour in zip(cells, colours, strict=True)
    ]


def _draw_events(rng: np.random.Generator, seconds: int) -> tuple[Event, ...]:
    events: list[Event] = []
    cue = int(rng.integers(2, 10))
    earliest_pulse = 1  # no pulse may see the cue of the episode before
    while cue < seconds - 1:
        kind = int(rng.integers(len(CUE_IDS)))
        before = _draw_pulse(rng, cue - FARTHEST, cue - NEAREST, earliest_pulse, seconds)
        after = _draw_pulse(rng, cue + NEAREST, cue + FARTHEST, earliest_pulse, seconds)
        pulses = [second for second in (before, after) if second is not None]
        events += [Event(cue, kind, True), *(Event(second, kind, False) for second in pulses)]
        # The next cue must lie outside the window of the last pulse, and the next pulse's window outside this cue.
        cue_gap = max([cue + FARTHEST, *(second + WINDOW_HALF for second in pulses)]) + 1
        earliest_pulse = cue + WINDOW_HALF + 2
        cue = cue_gap + int(rng.integers(0, 4))
    return tuple(sorted(events, key=lambda event: event.second))


def _draw_pulse(rng: np.random.Generator, first: int, last: int, earliest: int, seconds: int) -> int | None:
    choices = [second for second in range(first, last + 1) if earliest <= second < seconds]
    return int(rng.choice(choices)) if choices else None
