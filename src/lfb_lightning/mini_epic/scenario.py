"""The scenario of one mini-EPIC video, drawn from a seeded generator: what is done with which box, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfb_lightning.mini_ava.figure import SIZE

COLORS = ("red", "green", "blue", "yellow")
VERBS = ("put", "shake", "turn", "lift", "wipe", "tap", "push", "squeeze")
NOUNS = ("disk", "cross", "bars", "triangle", "ring", "square", "diamond", "dots", "sponge", "cloth", "lid")
PUT, HANDLING = 0, (1, 2, 3, 4)
TAIL_VERBS = (5, 6, 7)
STOWED = tuple(range(8))
TAIL_NOUNS = (8, 9, 10)
PAIRS = tuple((verb, noun) for verb in TAIL_VERBS for noun in TAIL_NOUNS)
STOW_SECONDS = 60.0  # for which the shelf is in view
FIRST_HANDLING = 94.0  # seconds; a window of 40 s around a later moment holds nothing of the shelf
SHELF = ((16.0, 56.0), (48.0, 56.0), (80.0, 56.0))  # middles of the three boxes, in pixels
SHELF_HALF, CLOSED_HALF = (14.0, 14.0), (18.0, 14.0)  # half width and height of a box in pixels
_STOWS = ((4.0, 18.0), (22.0, 36.0), (40.0, 54.0))  # when something may begin to be put into each box
_STOW_LENGTH, _RHYTHM, _LENGTH = 5.0, 6.0, (3.0, 5.0)
_TAIL_SHARE, _TAIL_BEGIN, _TAIL_LENGTH = 0.5, (64.0, 84.0), 4.0
_FAVORED, _OTHER = 0.4, 0.2  # of a noun's verbs: number `noun % 4`, and each of the other three


@dataclass(frozen=True, slots=True)
class Action:
    """A segment of a video.

    Args:
        start: When it begins, in seconds.
        stop: When it ends.
        verb: Its number in `VERBS`.
        noun: Its number in `NOUNS`.
        color: Of the box, its number in `COLORS`; None where there is no box.
        place: The middle of what is handled, in pixels.
    """

    start: float
    stop: float
    verb: int
    noun: int
    color: int | None
    place: tuple[float, float]

    def is_on(self, seconds: float) -> bool:
        """Say whether it happens at a time in seconds since the video's start."""
        return self.start <= seconds < self.stop


@dataclass(frozen=True, slots=True)
class Scene:
    """One video: the colors of the boxes on its shelf, from the left, and what is done, in order of time."""

    shelf: tuple[int, ...]
    actions: tuple[Action, ...]

    def at(self, seconds: float) -> Action | None:
        """Return what is done at a time, or None."""
        return next((action for action in self.actions if action.is_on(seconds)), None)


def draw_scene(rng: np.random.Generator, *, seconds: int) -> Scene:
    """Draw a video.

    Args:
        rng: Source of every choice.
        seconds: Length of the video; `FIRST_HANDLING` and six seconds at least.
    """
    shelf = rng.permutation(len(COLORS))[: len(SHELF)].tolist()
    nouns = rng.permutation(len(STOWED))[: len(SHELF)].tolist()
    order = rng.permutation(len(SHELF)).tolist()
    actions = []
    for box, (earliest, latest) in zip(order, _STOWS, strict=True):
        start = _moment(rng, earliest, latest - _STOW_LENGTH)
        actions.append(Action(start, round(start + _STOW_LENGTH, 2), PUT, nouns[box], shelf[box], SHELF[box]))
    if rng.random() < _TAIL_SHARE:
        verb, noun = PAIRS[int(rng.integers(len(PAIRS)))]
        start = _moment(rng, *_TAIL_BEGIN)
        actions.append(Action(start, round(start + _TAIL_LENGTH, 2), verb, noun, None, _place(rng)))
    for number in range(int((seconds - FIRST_HANDLING) // _RHYTHM)):
        box = int(rng.integers(len(SHELF)))
        shares = np.full(len(HANDLING), _OTHER)
        shares[nouns[box] % len(HANDLING)] = _FAVORED
        verb = HANDLING[int(rng.choice(len(HANDLING), p=shares))]
        start = round(FIRST_HANDLING + number * _RHYTHM + _moment(rng, 0.0, 0.8), 2)
        actions.append(
            Action(start, round(start + _moment(rng, *_LENGTH), 2), verb, nouns[box], shelf[box], _place(rng))
        )
    return Scene(tuple(shelf), tuple(actions))


def _moment(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 2)


def _place(rng: np.random.Generator) -> tuple[float, float]:
    x, y = rng.uniform(36.0, SIZE - 36.0, 2).tolist()
    return x, y
