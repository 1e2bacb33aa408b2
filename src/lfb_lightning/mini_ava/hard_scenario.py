"""The scenario of one video of mini-AVA hard: who is who decides, and what they did long before or after.

Four actors that look alike stand on a turning ring, and neighbors change places on it now and then, so that neither looks
nor places tell who is who: only following them from second to second does. Once in a round of about a minute, each shows a
cue, all four within a few seconds, and each of the three kinds is among them. Seconds before and after, each pulses, and
the own cue of that round decides the pulse's action.

No own cue lies within the 16 s window of the paper's presets (in its proportion) around a pulse, and exactly one within
64 s. The cues of all actors in that window, without who showed them, say next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfb_lightning.mini_ava.actions import HARD_AFTER_IDS, HARD_CUE_IDS, HARD_WALK_ID
from lfb_lightning.mini_ava.figure import SIZE, Event, visible_event

NUMBER = 4  # actors
CUE_SECONDS, PULSE_SECONDS = 6.2, 2.2  # visible for so long, centered: at seven keyframes, and at three
NEAREST, FARTHEST = 12, 26  # seconds between a pulse and the cue that decides it
WINDOW_HALF = 32  # half of the long window, in which exactly one own cue lies
_SPREAD = 2  # seconds between a round and each actor's cue in it
_ROUND_SECONDS = (66, 70)  # from one round to the next, the last one excluded
_PULSES_APART = 4  # seconds between two pulses of an actor
_RADIUS, _RING, _BULGE = 9.0, 25.0, 11.0  # pixels: of an actor, of the ring, and off the ring where two change places
_SWAP_SECONDS = 8.0
_SWAPS_EVERY = (12.0, 22.0)
_TURNS_EVERY = (10.0, 25.0)
_TURN_SPEEDS = (0.04, 0.12)  # radians per second
_COLOR = 2


@dataclass(frozen=True, slots=True)
class Move:
    """A change of places.

    Args:
        start: When it begins, in seconds since the video's start.
        origin: The place on the ring that is left; places are a quarter of the ring apart.
        target: The place that is reached.
        side: 1 for outside of the ring, -1 for inside.
    """

    start: float
    origin: int
    target: int
    side: int


@dataclass(frozen=True, slots=True)
class Walker:
    """One of the four actors of a video.

    Args:
        place: Its first place on the ring.
        moves: Its changes of places, in order.
        turns: Times at which the ring has turned by given angles in radians, between which it turns evenly.
        events: Its cues and pulses, by second.
    """

    place: int
    moves: tuple[Move, ...]
    turns: tuple[tuple[float, float], ...]
    events: tuple[Event, ...]

    @property
    def color(self) -> int:
        """The color of all actors, which are blue: nobody can be told by looks."""
        return _COLOR

    @property
    def radius(self) -> float:
        """The radius of all actors in pixels, for the same reason."""
        return _RADIUS

    def center(self, seconds: float) -> tuple[float, float]:
        """Return the center in pixels, at a time in seconds since the video's start."""
        place, distance = float(self.place), _RING
        for move in self.moves:
            if seconds < move.start:
                break
            share = min((seconds - move.start) / _SWAP_SECONDS, 1.0)
            place = move.origin + (move.target - move.origin) * share * share * (3 - 2 * share)
            distance = _RING + move.side * _BULGE * float(np.sin(np.pi * share))
        times, angles = zip(*self.turns, strict=True)
        angle = float(np.interp(seconds, times, angles)) + place * 2 * np.pi / NUMBER
        return SIZE / 2 + distance * float(np.cos(angle)), SIZE / 2 + distance * float(np.sin(angle))

    def event_at(self, seconds: float) -> Event | None:
        """Return the cue or pulse that is visible at a time in seconds, or None."""
        return visible_event(self.events, seconds, cue=CUE_SECONDS, pulse=PULSE_SECONDS)

    def action_ids(self, second: int) -> list[int]:
        """Return the ids of the actor's actions at a whole second."""
        event = self.event_at(float(second))
        if event is None:
            return [HARD_WALK_ID]
        return [HARD_WALK_ID, (HARD_CUE_IDS if event.is_cue else HARD_AFTER_IDS)[event.kind]]


def draw_hard_scenario(rng: np.random.Generator, *, seconds: int) -> list[Walker]:
    """Draw the four actors of a video of so many seconds."""
    turns = _draw_turns(rng, seconds)
    moves = _draw_moves(rng, seconds)
    events: list[list[Event]] = [[] for _ in range(NUMBER)]
    middle = int(rng.integers(20, 36))
    while middle + _SPREAD + CUE_SECONDS / 2 < seconds:
        kinds = rng.permutation([0, 1, 2, int(rng.integers(3))])
        for actor, kind in enumerate(kinds.tolist()):
            cue = middle + int(rng.integers(-_SPREAD, _SPREAD + 1))
            pulses = [*_draw_pulses(rng, cue, -1, seconds), *_draw_pulses(rng, cue, 1, seconds)]
            events[actor] += [Event(cue, kind, True), *(Event(second, kind, False) for second in pulses)]
        middle += int(rng.integers(*_ROUND_SECONDS))
    return [
        Walker(place, tuple(own), turns, tuple(sorted(theirs, key=lambda event: event.second)))
        for place, own, theirs in zip(range(NUMBER), moves, events, strict=True)
    ]


def _draw_turns(rng: np.random.Generator, seconds: int) -> tuple[tuple[float, float], ...]:
    turns = [(0.0, float(rng.uniform(0, 2 * np.pi)))]
    while turns[-1][0] < seconds:
        second, angle = turns[-1]
        length, speed = float(rng.uniform(*_TURNS_EVERY)), float(rng.uniform(*_TURN_SPEEDS))
        turns.append((second + length, angle + float(rng.choice([-1, 1])) * speed * length))
    return tuple(turns)


def _draw_moves(rng: np.random.Generator, seconds: int) -> list[list[Move]]:
    """Let two neighbors change places now and then: one goes outside around the other."""
    places = list(range(NUMBER))  # of each actor; counted on, so that a place is one modulo 4
    moves: list[list[Move]] = [[] for _ in range(NUMBER)]
    start = float(rng.uniform(0, _SWAPS_EVERY[1]))
    while start < seconds:
        first = int(rng.integers(NUMBER))
        second = next(actor for actor in range(NUMBER) if (places[actor] - places[first] - 1) % NUMBER == 0)
        side = int(rng.choice([-1, 1]))
        moves[first].append(Move(start, places[first], places[first] + 1, side))
        moves[second].append(Move(start, places[second], places[second] - 1, -side))
        places[first] += 1
        places[second] -= 1
        start += _SWAP_SECONDS + float(rng.uniform(*_SWAPS_EVERY))
    return moves


def _draw_pulses(rng: np.random.Generator, cue: int, side: int, seconds: int) -> list[int]:
    """Draw two pulses before (`side` -1) or after (1) a cue, as far as they fit into the video."""
    near = int(rng.integers(NEAREST, FARTHEST - _PULSES_APART + 1))
    far = int(rng.integers(near + _PULSES_APART, FARTHEST + 1))
    found = [cue + side * distance for distance in (near, far)]
    return [second for second in found if 1 <= second < seconds - 1]
