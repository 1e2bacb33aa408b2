"""The scenario of one mini-AVA video, drawn from a seeded generator: which actor does what, and when.

An actor's minute is a chain of episodes, each a cue with pulses 3 to 7 seconds before and after it. Episodes of one actor
are far enough apart that exactly one of its own cues lies within the 16 s window of each of its pulses. Cues of other
actors lie there too, and a pooled window (`fbo=avg`, `fbo=max`) cannot tell them from the actor's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfb_lightning.mini_ava.actions import AFTER_IDS, COLOR_IDS, CUE_IDS, MOTION_IDS
from lfb_lightning.mini_ava.figure import SIZE, Event, visible_event

CUE_SECONDS, PULSE_SECONDS = 2.2, 1.3  # visible for this long, centered on their second: at three keyframes, and at one
NEAREST, FARTHEST = 3, 7  # seconds between a pulse and the cue that decides it
WINDOW_HALF = 8  # half of the 16 s window that the presets use
_CELL = SIZE // 2
_SWING = 7.0  # pixels
_SWINGS_PER_SECOND = 0.6


@dataclass(frozen=True, slots=True)
class Actor:
    """One actor of a video.

    Args:
        cell: Its place in the grid, 0 to 3.
        color: Its color, 0 to 4.
        motion: How it moves: 0 not at all, 1 sideways, 2 up and down.
        phase: Phase of the motion in radians.
        radius: Radius in pixels.
        events: Its cues and pulses, by second.
    """

    cell: int
    color: int
    motion: int
    phase: float
    radius: float
    events: tuple[Event, ...]

    def center(self, seconds: float) -> tuple[float, float]:
        """Return the center in pixels, at a time in seconds since the video's start."""
        x = (self.cell % 2 + 0.5) * _CELL
        y = (self.cell // 2 + 0.5) * _CELL
        swing = _SWING * float(np.sin(2 * np.pi * _SWINGS_PER_SECOND * seconds + self.phase))
        return (x + swing, y) if self.motion == 1 else (x, y + swing) if self.motion == 2 else (x, y)

    def event_at(self, seconds: float) -> Event | None:
        """Return the cue or pulse that is visible at a time in seconds, or None."""
        return visible_event(self.events, seconds, cue=CUE_SECONDS, pulse=PULSE_SECONDS)

    def action_ids(self, second: int) -> list[int]:
        """Return the ids of the actor's actions at a whole second."""
        ids = [COLOR_IDS[self.color], MOTION_IDS[self.motion]]
        event = self.event_at(float(second))
        if event is not None:
            ids.append(CUE_IDS[event.kind] if event.is_cue else AFTER_IDS[event.kind])
        return ids


def draw_scenario(rng: np.random.Generator, *, seconds: int) -> list[Actor]:
    """Draw two to four actors of distinct colors, each in a cell of its own, for a video of so many seconds."""
    number = int(rng.integers(2, 5))
    cells = rng.permutation(4)[:number]
    colors = rng.permutation(len(COLOR_IDS))[:number]
    return [
        Actor(
            cell=int(cell),
            color=int(color),
            motion=int(rng.integers(len(MOTION_IDS))),
            phase=float(rng.uniform(0, 2 * np.pi)),
            radius=11.0,
            events=_draw_events(rng, seconds),
        )
        for cell, color in zip(cells, colors, strict=True)
    ]


def _draw_events(rng: np.random.Generator, seconds: int) -> tuple[Event, ...]:
    events: list[Event] = []
    cue = int(rng.integers(2, 10))
    earliest_pulse = 1  # the cue of the episode before must lie outside a pulse's window
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
