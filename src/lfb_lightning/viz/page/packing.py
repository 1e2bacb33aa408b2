"""The data inside a page: JSON, with long columns of numbers as base64 of little-endian integers.

Shares and scores are 16-bit integers (0 is 0, 65,535 is 1), which is finer than what is shown and a third of decimal text.
"""

from __future__ import annotations

import base64
from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from lfb_lightning.viz.page.data import Page, PageAttention
from lfb_lightning.viz.page.document import embedded_json

_ONE = 65_535
_ROUNDING = 0.01  # of half-precision weights


def pack_page(page: Page) -> str:
    """Return a page's data as JSON that can stand inside a script element.

    Args:
        page: The page.

    Raises:
        ValueError: An index is outside of what it refers to, a number is not finite, or times do not ascend.
    """
    for what, seconds in (("moments", page.moments), ("thumbnails", [second for second, _ in page.thumbnails])):
        if any(late <= early for early, late in pairwise(seconds)):
            raise ValueError(f"the seconds of the {what} do not ascend")
    content = {
        "title": page.title,
        "video": page.video,
        "seconds": page.seconds,
        "width": page.width,
        "height": page.height,
        "moments": [round(second, 4) for second in page.moments],
        "actions": list(page.actions),
        "window": page.window,
        "threshold": page.threshold,
        "model": page.model,
        "compare": page.compare,
        "rows": _rows(page),
        "thumbnails": {
            "seconds": [round(second, 3) for second, _ in page.thumbnails],
            "jpeg": [base64.b64encode(jpeg).decode() for _, jpeg in page.thumbnails],
        },
    }
    return embedded_json(content)


def _rows(page: Page) -> dict[str, Any]:
    """Pack the rows; each is looked at twice and not kept, so that they can be made as they are read."""
    layers, compared = 0, False
    for row in page.rows:
        layers, compared = max(layers, len(row.attention or ())), compared or row.without is not None
    moments, tracks, boxes, scores = array("q"), array("q"), array("d"), array("d")
    actions, without, attention = _Pairs(), _Pairs(), _Attention(layers)
    for row in page.rows:
        moments.append(row.moment)
        tracks.append(row.track)
        boxes.extend(row.box)
        scores.append(row.score)
        actions.add(row.actions)
        without.add(row.without or ())
        attention.add(row.attention)
    return {
        "count": len(page.rows),
        "moment": _indices(moments, len(page.moments), "moments"),
        "track": _indices(tracks, 1 << 32, "tracks"),
        "box": _shares(boxes),
        "score": _shares(scores),
        "actions": actions.packed(len(page.actions), "actions"),
        "without": without.packed(len(page.actions), "actions") if compared else None,
        "attention": attention.packed(len(page.rows)) if layers else None,
    }


class _Pairs:
    """Lists of (index, share): where each list ends, all indices, all shares."""

    def __init__(self) -> None:
        self._ends, self._indices, self._shares = array("q"), array("q"), array("d")

    def add(self, pairs: Iterable[tuple[int, float]]) -> None:
        for index, share in pairs:
            self._indices.append(index)
            self._shares.append(share)
        self._ends.append(len(self._indices))

    def packed(self, limit: int, what: str) -> dict[str, str]:
        ends = _base64(np.array(self._ends).astype("<u4"))
        return {"end": ends, "index": _indices(self._indices, limit, what), "share": _shares(self._shares)}


class _Attention:
    """`layers` entries per row; a row without attention has zeros only, since real shares sum to 1."""

    def __init__(self, layers: int) -> None:
        self._layers = layers
        self._empty, self._rest, self._rows = array("d"), array("d"), _Pairs()

    def add(self, entries: Sequence[PageAttention] | None) -> None:
        if entries and len(entries) != self._layers:
            raise ValueError(f"rows differ in their number of layers; the most is {self._layers}")
        for entry in entries or ():
            total = entry.empty + entry.rest + sum(weight for _, weight in entry.rows)
            if not abs(total - 1) < _ROUNDING:
                raise ValueError(f"the shares of an attention sum to {total:.3f}, expected 1")
        for entry in entries or [PageAttention(empty=0.0, rest=0.0, rows=())] * self._layers:
            self._empty.append(entry.empty)
            self._rest.append(entry.rest)
            self._rows.add(entry.rows)

    def packed(self, num_rows: int) -> dict[str, Any]:
        shares = {"empty": _shares(self._empty), "rest": _shares(self._rest)}
        return {"layers": self._layers, **shares, **self._rows.packed(num_rows, "rows")}


def _indices(values: array[int], limit: int, what: str) -> str:
    numbers = np.array(values)
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() < limit):
        raise ValueError(f"{what} are numbered from {numbers.min()} to {numbers.max()}, expected 0 to {limit - 1}")
    return _base64(numbers.astype("<u4"))


def _shares(values: array[float]) -> str:
    shares = np.array(values)
    if not np.isfinite(shares).all():
        raise ValueError("a score, share or box is not finite")
    return _base64(np.round(shares.clip(0, 1) * _ONE).astype("<u2"))


def _base64(numbers: np.ndarray) -> str:
    return base64.b64encode(numbers.tobytes()).decode()
