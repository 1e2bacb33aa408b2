"""The data inside a page: JSON, with long columns of numbers as base64 of little-endian integers.

Shares and scores are 16-bit integers (0 is 0, 65,535 is 1), which is finer than what is shown and a third of decimal text.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np

from lfb_lightning.viz.page.data import Page, PageAttention

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
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))  # all ASCII: any script, even broken names
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _rows(page: Page) -> dict[str, Any]:
    rows = page.rows
    without = [row.without or () for row in rows] if any(row.without is not None for row in rows) else None
    layers = max((len(row.attention) for row in rows if row.attention is not None), default=0)
    return {
        "count": len(rows),
        "moment": _indices((row.moment for row in rows), len(page.moments), "moments"),
        "track": _indices((row.track for row in rows), 1 << 32, "tracks"),
        "box": _shares(chain.from_iterable(row.box for row in rows)),
        "score": _shares(row.score for row in rows),
        "actions": _pairs([row.actions for row in rows], len(page.actions), "actions"),
        "without": None if without is None else _pairs(without, len(page.actions), "actions"),
        "attention": _attention([row.attention for row in rows], layers) if layers else None,
    }


def _attention(rows: Sequence[Sequence[PageAttention] | None], layers: int) -> dict[str, Any]:
    """Pack `layers` entries per row; a row without attention has zeros only, since real shares sum to 1."""
    none = PageAttention(empty=0.0, rest=0.0, rows=())
    entries = list(chain.from_iterable(row or [none] * layers for row in rows))
    if len(entries) != len(rows) * layers:
        raise ValueError(f"rows differ in their number of layers; the most is {layers}")
    for entry in chain.from_iterable(row for row in rows if row is not None):
        total = entry.empty + entry.rest + sum(weight for _, weight in entry.rows)
        if not abs(total - 1) < _ROUNDING:
            raise ValueError(f"the shares of an attention sum to {total:.3f}, expected 1")
    return {
        "layers": layers,
        "empty": _shares(entry.empty for entry in entries),
        "rest": _shares(entry.rest for entry in entries),
        **_pairs([entry.rows for entry in entries], len(rows), "rows"),
    }


def _pairs(lists: Sequence[Sequence[tuple[int, float]]], limit: int, what: str) -> dict[str, str]:
    """Pack lists of (index, share): where each list ends, all indices, all shares."""
    flat = list(chain.from_iterable(lists))
    return {
        "end": _base64(np.fromiter(accumulate(map(len, lists)), "<u4")),
        "index": _indices((index for index, _ in flat), limit, what),
        "share": _shares(share for _, share in flat),
    }


def _indices(values: Iterable[int], limit: int, what: str) -> str:
    array = np.fromiter(values, np.int64)
    if len(array) and not (array.min() >= 0 and array.max() < limit):
        raise ValueError(f"{what} are numbered from {array.min()} to {array.max()}, expected 0 to {limit - 1}")
    return _base64(array.astype("<u4"))


def _shares(values: Iterable[float]) -> str:
    array = np.fromiter(values, np.float64)
    if not np.isfinite(array).all():
        raise ValueError("a score, share or box is not finite")
    return _base64(np.round(array.clip(0, 1) * _ONE).astype("<u2"))


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()
