"""What a page shows: who was where, doing what, at which moments of a video, and what the model looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAttention:
    """The attention of one person at one moment in one layer of the FBO; `empty`, `rest` and the weights sum to 1.

    Args:
        empty: The share of the window's empty slots, from 0 to 1.
        rest: The share of filled slots that are not listed in `rows`.
        rows: Pairs of an index into `Page.rows` and the weight of that row, largest weight first.
    """

    empty: float
    rest: float
    rows: Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """One person at one moment.

    Args:
        moment: Index into `Page.moments`.
        track: The number that this person keeps over moments, 0 or more.
        box: Corners `x1, y1, x2, y2` as fractions of the picture.
        score: The person detector's score, from 0 to 1.
        actions: Pairs of an index into `Page.actions` and a score from 0 to 1, best first. Actions that are left out are
            not shown at any threshold.
        without: The scores without memory in the same form, for example a baseline's; None where nothing is compared.
        attention: The attention in each layer of the FBO; None for a model without attention.
    """

    moment: int
    track: int
    box: tuple[float, float, float, float]
    score: float
    actions: Sequence[tuple[int, float]]
    without: Sequence[tuple[int, float]] | None = None
    attention: Sequence[PageAttention] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A video with everything that its page shows.

    Args:
        title: The title, usually the video's name.
        video: The video's file name relative to the page, with `/` between folders. `write_page_video` writes one that
            browsers play.
        seconds: The video's length.
        width: Width in pixels as shown.
        height: Height in pixels as shown.
        moments: All moments at which persons were looked for, also those without any: seconds since the first frame,
            ascending.
        actions: Names of actions.
        rows: Every person at every moment, in any order.
        thumbnails: Pairs of a second and a small JPEG picture of that second (160 pixels wide is plenty), ascending.
        window: How many seconds before and after a moment the model's memory reaches; None for a model without memory.
        threshold: The score from which on an action is shown at first.
        model: The model in a few words, for the page's header.
        compare: The model of the scores without memory in a few words, or None.
    """

    title: str
    video: str
    seconds: float
    width: int
    height: int
    moments: Sequence[float]
    actions: Sequence[str]
    rows: Sequence[PageRow]
    thumbnails: Sequence[tuple[float, bytes]] = ()
    window: tuple[float, float] | None = None
    threshold: float = 0.5
    model: str = ""
    compare: str | None = None
