"""The scenario of one mini-Charades video, drawn from a seeded generator: what is shown when, and which actions that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfb_lightning.mini_ava.figure import SIZE

KINDS = ("square", "fence", "ladder", "chessboard")
COLORS = ("red", "green", "blue", "yellow", "violet")
CLASS_NAMES = (
    *(f"Showing a {kind}" for kind in KINDS),
    *(f"Showing something {color}" for color in COLORS),
    *(f"Ringing after a {kind}" for kind in KINDS),
)
SHORT_TERM = tuple(range(len(KINDS) + len(COLORS)))
LONG_TERM = tuple(range(len(SHORT_TERM), len(CLASS_NAMES)))
EVENT_SECONDS = 1.0  # for which a cue or a pulse is shown, centered on its own second
NEAREST, FARTHEST = 3.2, 4.6  # seconds between the pulse and a cue
_EMPTY_SHARE, _AT_END_SHARE = 0.1, 0.3
_MARGIN = 20.0  # pixels from the picture's sides to an event's middle


@dataclass(frozen=True, slots=True)
class Shown:
    """A cue or a pulse.

    Args:
        second: The second on which it is centered.
        kind: Of a cue, that of its pattern; of a pulse, that of the cue of its color. 0 to 3.
        color: 0 to 4.
        is_cue: Whether it is a cue.
        place: Its middle in pixels.
    """

    second: float
    kind: int
    color: int
    is_cue: bool
    place: tuple[float, float]

    def is_on(self, seconds: float) -> bool:
        """Say whether it is visible at a time in seconds since the video's start."""
        return abs(seconds - self.second) < EVENT_SECONDS / 2

    @property
    def classes(self) -> list[int]:
        """The actions that it is: kind and color of a cue, what a pulse follows."""
        return [self.kind, len(KINDS) + self.color] if self.is_cue else [LONG_TERM[self.kind]]


@dataclass(frozen=True, slots=True)
class Drifter:
    """A gray square that drifts through the picture and means nothing.

    Args:
        begin: Its middle at the video's start, in pixels.
        velocity: Pixels per second.
        gray: Its shade.
    """

    begin: tuple[float, float]
    velocity: tuple[float, float]
    gray: int

    def center(self, seconds: float) -> tuple[float, float]:
        """Return its middle at a time; what leaves the picture comes back on the other side."""
        x, y = ((at + speed * seconds) % SIZE for at, speed in zip(self.begin, self.velocity, strict=True))
        return x, y


@dataclass(frozen=True, slots=True)
class Scene:
    """One video: its events in order of time, none in a video without an action, and its drifting squares."""

    events: tuple[Shown, ...]
    drifters: tuple[Drifter, ...]


def draw_scene(rng: np.random.Generator, *, seconds: int) -> Scene:
    """Draw a video.

    A cue lies before the pulse and one after it. In some videos the last one ends with the video.

    Args:
        rng: Source of every choice.
        seconds: Length of the video, 11 at least.
    """
    drifters = tuple(
        Drifter(_place(rng, 0.0), (float(rng.uniform(-6, 6)), float(rng.uniform(-6, 6))), int(rng.integers(84, 112)))
        for _ in range(2)
    )
    if rng.random() < _EMPTY_SHARE:
        return Scene((), drifters)
    before, after = rng.uniform(NEAREST, FARTHEST, 2).round(2).tolist()
    half = EVENT_SECONDS / 2
    at_end = rng.random() < _AT_END_SHARE
    pulse = seconds - half - after if at_end else float(rng.uniform(before + half, seconds - half - after))
    pulse = round(pulse, 2)
    kinds = rng.permutation(len(KINDS))[:2].tolist()
    colors = rng.permutation(len(COLORS))[:2].tolist()
    own = int(rng.integers(2))  # the cue that decides
    moments = (round(pulse - before, 2), round(pulse + after, 2))
    first, last = (
        Shown(moment, kind, color, True, _place(rng, _MARGIN))
        for moment, kind, color in zip(moments, kinds, colors, strict=True)
    )
    return Scene((first, Shown(pulse, kinds[own], colors[own], False, _place(rng, _MARGIN)), last), drifters)


def _place(rng: np.random.Generator, margin: float) -> tuple[float, float]:
    x, y = rng.uniform(margin, SIZE - margin, 2).tolist()
    return x, y
