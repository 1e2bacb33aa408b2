"""FAIR's dense proposals, `{"VIDEO,0902": array [P, 5] of x1,y1,x2,y2,score}`, as rows."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int64

from lfb_lightning.ava.box_rules import BOX_COLUMNS, refuse_faulty
from lfb_lightning.clock import Clock
from lfb_lightning.errors import InputError
from lfb_lightning.files.array_runs import Run

_MOST_BOXES = 5_000_000  # in a pickle, before any threshold; AVA's dense proposals of 203,626 keyframes are 2 million


def rows_of_dense(path: Path, content: dict[Any, Any], clock: Clock) -> pd.DataFrame:
    """Make the rows of `{"VIDEO,0902": array [P, 5]}`.

    Raises:
        InputError: Naming the key that is wrong, or whose boxes are.
    """
    names = list(content)
    _dense_ticks(path, [key.rpartition(",") for key in map(str, names)], clock)  # refuses a key first
    values = list(content.values())
    count = sum(value.size for value in values if isinstance(value, np.ndarray)) // 5
    if count > _MOST_BOXES:  # before more memory is taken
        raise InputError(f"proposals {path}: {count} boxes, expected at most {_MOST_BOXES}; split the file.")
    arrays = _float64_arrays(path, values)
    filled = [boxes for boxes in arrays if boxes.size]
    if not {boxes.shape[1:] for boxes in filled} <= {(5,)}:
        key, boxes = next(
            (key, one) for key, one in zip(names, arrays, strict=True) if one.size and one.shape[1:] != (5,)
        )
        raise InputError(f"proposals {path}: key {reprlib.repr(key)} has shape {boxes.shape}, expected [P, 5].")
    counts = [boxes.size // 5 for boxes in arrays]
    return _table(path, names, counts, np.concatenate([np.zeros((0, 5)), *filled]), clock)


def rows_of_runs(path: Path, content: Any, runs: list[Run], clock: Clock) -> pd.DataFrame | None:
    """Make the rows of a dict of arrays, most of which are joined; None where `rows_of_dense` has something to say."""
    values: list[Any] = list(content.values()) if isinstance(content, dict) else [None]
    if not all(isinstance(value, np.ndarray) and value.ndim == 2 for value in values):
        return None
    filled = [value for value in values if value.size] + [run.rows for run in runs]
    names = [*content, *(key for run in runs for key in run.keys)]
    counts = [value.size // 5 for value in values] + [count for run in runs for count in run.counts]
    if {(rows.dtype, rows.shape[1]) for rows in filled} != {(np.dtype("f8"), 5)} or len(set(names)) < len(names):
        return None
    try:
        return _table(path, names, counts, np.concatenate(filled), clock) if sum(counts) <= _MOST_BOXES else None
    except InputError:
        return None


def _table(path: Path, names: list[Any], counts: list[int], values: np.ndarray, clock: Clock) -> pd.DataFrame:
    keys = [key.rpartition(",") for key in map(str, names)]
    ticks = _dense_ticks(path, keys, clock)
    number: dict[str, int] = {}
    videos = np.array([number.setdefault(name, len(number)) for name, _, _ in keys], dtype=np.int64)
    ids = pd.Categorical.from_codes(np.repeat(videos, counts), categories=pd.Index(list(number), dtype=object))
    columns = {name: values[:, index] for index, name in enumerate([*BOX_COLUMNS, "score"])}
    rows = pd.DataFrame({"video_id": ids, "timestamp": np.repeat(ticks, counts), **columns})
    ends = np.cumsum(counts)
    refuse_faulty(
        rows, path, lambda place: f"key {reprlib.repr(names[int(np.searchsorted(ends, place, side='right'))])}"
    )
    return rows


def _float64_arrays(path: Path, values: list[Any]) -> list[np.ndarray]:
    if all(isinstance(value, np.ndarray) for value in values) and {value.dtype for value in values} <= {np.dtype("f8")}:
        return values
    try:
        return [np.asarray(value).astype(np.float64, casting="same_kind", copy=False) for value in values]
    except (TypeError, ValueError) as error:
        raise InputError(f"proposals {path}: a key holds no array of numbers ({error}), expected [P, 5].") from error


def _dense_ticks(path: Path, keys: list[tuple[str, str, str]], clock: Clock) -> Int64[np.ndarray, " K"]:
    try:
        place: dict[str, int] = {}
        places = [place.setdefault(second, len(place)) for _, _, second in keys]
        ticks, on = clock.ticks(np.array([float(second) for second in place], dtype=np.float64))
        if all(separator for _, separator, _ in keys) and not any("_" in second for second in place) and on.all():
            return ticks[np.array(places, dtype=np.int64)]
    except ValueError:
        pass  # named below
    for key in keys:
        try:
            clock.tick(key[2] if key[1] else "nothing")
        except ValueError as error:
            raise InputError(
                f"proposals {path}: key {''.join(key)[:80]!r}, expected 'VIDEO,0902' ({error})."
            ) from error
    raise AssertionError("a faulty key was not found again")
