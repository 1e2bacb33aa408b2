"""Files of scores for `lfb-eval`: those that the official programs take, `.npz` and JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from lfb_lightning.errors import InputError
from lfb_lightning.files.json_file import read_json_object
from lfb_lightning.files.npz import read_npz
from lfb_lightning.metrics.video_map import max_over_views

_WHAT = "scores"
_MOST_TEXT_BYTES = 1 << 30
_LARGEST_FRAME = 1_000_000
_MOST_CLASSES = 10_000  # a table of as many columns is made for all that is annotated; EPIC-Kitchens has 300 nouns
_SEPARATORS = re.compile(r"[,\s]+")
_SEGMENT_IDS = ("narration_id", "uid")


class VideoScores(NamedTuple):
    """Scores of videos, or of moments of videos.

    Attributes:
        video_ids: The video of each row.
        moments: The number of each row's moment, from 0; all 0 for scores of whole videos.
        scores: The rows, `[N, C]`, one for each video and moment.
    """

    video_ids: list[str]
    moments: Int64[np.ndarray, " N"]
    scores: Float64[np.ndarray, "N C"]


def read_video_scores(path: str | Path, *, of_moments: bool = False) -> VideoScores:
    """Read scores of videos; several views of a video (rows of its id) become their maximum.

    Args:
        path: By its ending: `.npz` with `video_id` `[N]`, `scores` `[N, C]` and, if they are there, `view` `[N]`, so that a
            repeated view counts once, and `frame` `[N]`; `.json` with `{video: [scores]}` or `{video: [[scores of a view]]}`;
            anything else is text as the official programs take it: lines of an id, the number of the frame for
            localization, and the scores, separated by blanks or commas.
        of_moments: Whether rows are moments of videos (localization). Their frames count from 1; if a 0 is among them, from
            0, as in the official program.

    Raises:
        InputError: Naming file and row, for what cannot be read.
    """
    path = Path(path)
    if path.suffix == ".npz":
        table = read_npz(
            path, what=_WHAT, names=["video_id", "scores", *(["frame"] if of_moments else [])], optional=["view"]
        )
        ids, scores = _texts(table["video_id"]), _numbers(table["scores"], path, "scores")
        frames = _whole(table["frame"], path, "frame") if of_moments else np.zeros(len(ids), dtype=np.int64)
        views = _whole(table["view"], path, "view") if "view" in table else None
        if not len(ids) == len(scores) == len(frames) or (views is not None and len(views) != len(ids)):
            raise InputError(f"{_WHAT} {path}: its arrays have different numbers of rows.")
    elif path.suffix == ".json":
        if of_moments:
            raise InputError(f"{_WHAT} {path}: expected text or .npz for scores of moments.")
        ids, scores = _from_json(path)
        frames, views = np.zeros(len(ids), dtype=np.int64), None
    else:
        ids, frames, scores = _from_text(path, of_moments)
        views = None
    _check_size(len(ids), scores, path)
    return _one_row_each(ids, _from_zero(frames, path) if of_moments else frames, views, scores)


def read_segment_scores(path: str | Path) -> tuple[list[str], dict[str, Float64[np.ndarray, "N _"]]]:
    """Read scores of verbs and nouns of segments.

    Args:
        path: `.npz` with `verb_output` `[N, V]`, `noun_output` `[N, M]` or one of them, and `narration_id` or `uid` `[N]`, as
            the official program's results have them; or `.json`, a submission to the challenge.

    Returns:
        The ids of the segments, and the scores by head: `verb`, `noun` or both, in this order.

    Raises:
        InputError: Naming the file and the segment, for what cannot be read.
    """
    path = Path(path)
    if path.suffix not in (".json", ".npz"):
        raise InputError(
            f"{_WHAT} {path}: expected .npz (verb_output, noun_output, narration_id) or a submission's .json."
        )
    ids, scores = _from_submission(path) if path.suffix == ".json" else _from_results(path)
    for table in scores.values():
        _check_size(len(ids), table, path)
    return ids, scores


def _check_size(rows: int, scores: np.ndarray, path: Path) -> None:
    if rows == 0:
        raise InputError(f"{_WHAT} {path}: no row of scores.")
    if not 1 <= scores.shape[1] <= _MOST_CLASSES:
        raise InputError(f"{_WHAT} {path}: {scores.shape[1]} classes, expected 1 to {_MOST_CLASSES}.")


def _from_results(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    outputs = {head: f"{head}_output" for head in ("verb", "noun")}
    table = read_npz(path, what=_WHAT, names=[], optional=[*outputs.values(), *_SEGMENT_IDS])
    key = next((name for name in _SEGMENT_IDS if name in table), None)
    if key is None:
        raise InputError(f"{_WHAT} {path}: no array 'narration_id' or 'uid'.")
    ids = _texts(table[key])
    scores = {head: _numbers(table[name], path, name) for head, name in outputs.items() if name in table}
    if not scores:
        raise InputError(f"{_WHAT} {path}: no array 'verb_output' or 'noun_output'.")
    if any(len(values) != len(ids) for values in scores.values()):
        raise InputError(f"{_WHAT} {path}: its arrays have different numbers of rows.")
    return ids, scores


def _from_text(path: Path, of_moments: bool) -> tuple[list[str], np.ndarray, np.ndarray]:
    ids: list[str] = []
    frames: list[int] = []
    rows: list[np.ndarray] = []
    seen: set[tuple[str, int]] = set()
    for number, fields in _lines(path):
        where = f"{_WHAT} {path}, row {number}"
        values = fields[2:] if of_moments else fields[1:]
        try:
            frame = int(fields[1]) if of_moments else 0
            row = np.array([float(value) for value in values])
        except (ValueError, IndexError) as error:
            raise InputError(
                f"{where}: {error}, expected an id{', a frame' if of_moments else ''} and numbers."
            ) from error
        if not 0 <= frame <= _LARGEST_FRAME:
            raise InputError(f"{where}: frame {fields[1][:20]!r}, expected 1 to {_LARGEST_FRAME}.")
        if len(row) == 0 or (rows and len(row) != len(rows[0])):
            raise InputError(f"{where}: {len(row)} scores, expected {len(rows[0]) if rows else 'one for each class'}.")
        if (fields[0], frame) in seen:
            raise InputError(f"{where}: {fields[0]!r} comes twice; views of a video belong into .npz or .json.")
        seen.add((fields[0], frame))
        ids.append(fields[0])
        frames.append(frame)
        rows.append(row)
    return ids, np.array(frames, dtype=np.int64), np.array(rows)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    if not path.is_file():
        raise InputError(f"{_WHAT} {path}: no such file.")
    if (size := path.stat().st_size) > _MOST_TEXT_BYTES:
        raise InputError(f"{_WHAT} {path}: {size} bytes, expected at most {_MOST_TEXT_BYTES}.")
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if text := line.strip(", \t\r\n"):
                    yield number, _SEPARATORS.split(text)
    except UnicodeDecodeError as error:
        raise InputError(f"{_WHAT} {path}: not a text file ({error}); expected text, .npz or .json.") from error


def _from_json(path: Path) -> tuple[list[str], np.ndarray]:
    ids: list[str] = []
    rows: list[np.ndarray] = []
    for video, given in read_json_object(path, what=_WHAT).items():
        table = _as_numbers(given, f"{_WHAT} {path}, video {video[:50]!r}")
        table = table[None] if table.ndim == 1 else table
        if table.ndim != 2 or table.size == 0 or (rows and table.shape[1] != rows[0].shape[1]):
            raise InputError(f"{_WHAT} {path}, video {video[:50]!r}: expected a list of scores, or one for each view.")
        ids += [video] * len(table)
        rows.append(table)
    return ids, np.concatenate(rows) if rows else np.zeros((0, 1))


def _from_submission(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    results = read_json_object(path, what=_WHAT).get("results")
    if not isinstance(results, dict) or not results:
        raise InputError(f"{_WHAT} {path}: no 'results' by segment, expected a submission to the challenge.")
    tables: dict[str, list[np.ndarray]] = {"verb": [], "noun": []}
    for segment, heads in results.items():
        where = f"{_WHAT} {path}, segment {segment[:50]!r}"
        for head, rows in tables.items():
            given = heads.get(head) if isinstance(heads, dict) else None
            if not isinstance(given, dict) or list(given) != [str(number) for number in range(len(given))]:
                raise InputError(f'{where}: expected a score for each {head} by its number, from "0" without a gap.')
            rows.append(_as_numbers(list(given.values()), where))
            if rows[-1].shape != rows[0].shape or rows[-1].ndim != 1:
                raise InputError(f"{where}: {rows[-1].size} scores of {head}s, expected {rows[0].size}.")
    return list(results), {head: np.array(rows) for head, rows in tables.items()}


def _as_numbers(given: Any, where: str) -> np.ndarray:
    try:
        return np.array(given, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: not a list of numbers ({str(error)[:100]}).") from error


def _one_row_each(ids: list[str], moments: np.ndarray, views: np.ndarray | None, scores: np.ndarray) -> VideoScores:
    names = list(dict.fromkeys(ids))
    place = {name: number for number, name in enumerate(names)}
    width = int(moments.max()) + 1
    items = np.array([place[name] for name in ids], dtype=np.int64) * width + moments
    found, reduced = max_over_views(scores, items, views)
    return VideoScores([names[number] for number in (found // width).tolist()], found % width, reduced)


def _from_zero(frames: np.ndarray, path: Path) -> np.ndarray:
    if frames.min() < 0 or frames.max() > _LARGEST_FRAME:
        raise InputError(f"{_WHAT} {path}: frames {frames.min()} to {frames.max()}, expected 1 to {_LARGEST_FRAME}.")
    return frames if frames.min() == 0 else frames - 1


def _texts(values: np.ndarray) -> list[str]:
    return [
        value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in values.ravel().tolist()
    ]


def _numbers(values: np.ndarray, path: Path, name: str) -> np.ndarray:
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise InputError(
            f"{_WHAT} {path}: {name} is {values.dtype} of shape {values.shape}, expected numbers [N, classes]."
        )
    return values.astype(np.float64)


def _whole(values: np.ndarray, path: Path, name: str) -> np.ndarray:
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise InputError(
            f"{_WHAT} {path}: {name} is {values.dtype} of shape {values.shape}, expected whole numbers [N]."
        )
    return values.astype(np.int64)
