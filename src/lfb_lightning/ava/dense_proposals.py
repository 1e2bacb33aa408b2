"""FAIR's dense proposals, `{"VIDEO,0902": array [P, 5] of x1,y1,x2,y2,score}`, as rows."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int64

from lfb_lightning.ava.box_rules import BOX_COLUMNS, refuse_faulty
from lfb_lightning.ava.keyframe_rows import keyframe_keys
from lfb_lightning.ava.plain_rows import parse_plain_rows
from lfb_lightning.clock import Clock
from lfb_lightning.errors import InputError
from lfb_lightning.files.array_runs import Run

_MOST_BOXES = 5_000_000  # in a pickle, before any threshold; AVA's dense proposals of 203,626 keyframes are 2 million


class _Keyframes(NamedTuple):
    """The keyframe of each key: the place of its video in `video_ids`, and its tick."""

    videos: Int64[np.ndarray, " K"]
    video_ids: list[str]
    ticks: Int64[np.ndarray, " K"]


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
    keyframes = _keyframes(path, list(map(str, names)), clock)
    rows, ends = _table(counts, np.concatenate([np.zeros((0, 5)), *filled]), keyframes), np.cumsum(counts)
    refuse_faulty(
        rows, path, lambda place: f"key {reprlib.repr(names[int(np.searchsorted(ends, place, side='right'))])}"
    )
    return rows


def rows_of_runs(path: Path, content: Any, runs: list[Run], clock: Clock) -> pd.DataFrame | None:
    """Make the rows of a dict of arrays, most of which are joined; None where `rows_of_dense` has something to say."""
    values: list[Any] = list(content.values()) if isinstance(content, dict) else [None]
    if not all(isinstance(value, np.ndarray) and value.ndim == 2 for value in values):
        return None
    if not all(isinstance(key, str) and "\n" not in key for key in content):
        return None
    filled = [value for value in values if value.size] + [run.rows for run in runs]
    counts = [value.size // 5 for value in values] + [count for run in runs for count in run.counts]
    if {(rows.dtype, rows.shape[1]) for rows in filled} != {(np.dtype("f8"), 5)} or sum(counts) > _MOST_BOXES:
        return None
    try:
        lines = b"".join([*(f"{key}\n".encode() for key in content), *(run.keys for run in runs)])
        keyframes = _plain_keyframes(lines, clock)
        if keyframes is None:
            names = lines.decode().split("\n")[:-1]
            keyframes = _keyframes(path, names, clock) if len(set(names)) == len(names) else None
        if keyframes is None:
            return None
        rows = _table(counts, np.concatenate(filled), keyframes)
        refuse_faulty(rows, path, str)
        return rows
    except (InputError, UnicodeEncodeError):
        return None


def _plain_keyframes(lines: bytes, clock: Clock) -> _Keyframes | None:
    """Read keys, a line each, as a csv; None where they are not as plain as in a release, or one is there twice."""
    plain = parse_plain_rows(lines, 2)
    if plain is None:
        return None
    ticks, on = clock.ticks(plain.numbers[0])
    if not on.all():
        return None
    ordered = np.sort(keyframe_keys(plain.codes, ticks))
    return None if (ordered[1:] == ordered[:-1]).any() else _Keyframes(plain.codes, plain.names, ticks)


def _keyframes(path: Path, names: list[str], clock: Clock) -> _Keyframes:
    keys = [key.rpartition(",") for key in names]
    ticks = _dense_ticks(path, keys, clock)
    number: dict[str, int] = {}
    videos = np.array([number.setdefault(name, len(number)) for name, _, _ in keys], dtype=np.int64)
    return _Keyframes(videos, list(number), ticks)


def _table(counts: list[int], values: np.ndarray, keyframes: _Keyframes) -> pd.DataFrame:
    videos, video_ids, ticks = keyframes
    ids = pd.Categorical.from_codes(np.repeat(videos, counts), categories=pd.Index(video_ids, dtype=object))
    columns = {name: values[:, index] for index, name in enumerate([*BOX_COLUMNS, "score"])}
    return pd.DataFrame({"video_id": ids, "timestamp": np.repeat(ticks, counts), **columns}, copy=False)


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
