"""The forms in which person proposals are passed around, each as rows `video_id, timestamp, x1, y1, x2, y2, score`.

* FAIR and SlowFast csv: `video_id,second,x1,y1,x2,y2,label,score` (label empty, or -1, or one row per transferred label).
* FAIR dense pickle: `{"VIDEO,0902": array [P, 5] of x1,y1,x2,y2,score}`, unsorted, low scores included.
* ACAR pickle: `(list of clips, class names)`; a clip has `video`, `time` and `labels` with a `bounding_box` each. It was
  cut at a threshold when it was made and may carry no scores: those boxes get 1.
* COCO detections, a json list of `image_id`, `bbox` (x, y, width, height in pixels), `score`; AlphAction's is one. What an
  image is stands in an `images` list, in the same file or beside it: `id`, `width`, `height`, and `movie` / `video_id` with
  `timestamp`, or a `file_name` such as VIDEO/0902.jpg.

Pickles are read by an unpickler that knows numpy's arrays and nothing else. In every form a box that is not within 0..1 or
whose corners are the wrong way round, a score that is no number and a second out of bounds are refused by row or key.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lfb_lightning.ava.box_rules import BOX_COLUMNS, OVERSHOOT, refuse_faulty
from lfb_lightning.ava.csv_rows import join_blocks, name_row, number_columns, parse_whole_rows, read_csv_blocks
from lfb_lightning.ava.dense_proposals import rows_of_dense, rows_of_runs
from lfb_lightning.clock import Clock
from lfb_lightning.errors import InputError
from lfb_lightning.files.array_pickle import load_arrays, load_joined_arrays
from lfb_lightning.files.json_file import read_json

CSV_COLUMNS = ["video_id", "timestamp", "x1", "y1", "x2", "y2", "label", "score"]
_KEPT_COLUMNS = [name for name in CSV_COLUMNS if name != "label"]
# The exceptions of what stands in a file that is not a form.
_ODD_ENTRY = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
_NAMED_IMAGE = re.compile(r"^(?P<video>.+?)[,/_](?P<second>\d+)(?:\.\w+)?$")


def rows_of_csv(path: Path, clock: Clock) -> pd.DataFrame:
    """Read FAIR's and SlowFast's csv."""
    rows = parse_whole_rows(path, CSV_COLUMNS, integers=["timestamp"], clock=clock)
    if rows is None:  # empty labels, or a fault to name
        tables = read_csv_blocks(path, CSV_COLUMNS, what="proposals")
        rows = join_blocks(number_columns(table[_KEPT_COLUMNS], path, ["timestamp"], clock) for table in tables)
    rows = rows[_KEPT_COLUMNS]
    refuse_faulty(rows, path, lambda place: name_row(path, int(rows.index[place])))
    return rows.drop_duplicates(ignore_index=True)  # one row per transferred label: the same box again


def rows_of_pickle(path: Path, clock: Clock) -> pd.DataFrame:
    """Read FAIR's dense pickle or ACAR's."""
    content, runs = load_joined_arrays(path, what="proposals")
    if runs:
        rows = rows_of_runs(path, content, runs, clock)
        if rows is not None:
            return rows
        content = load_arrays(path, what="proposals")
    if isinstance(content, dict):
        return rows_of_dense(path, content, clock)
    if isinstance(content, tuple | list) and len(content) == 2 and isinstance(content[0], list):
        rows = _table(_acar_rows(path, content[0], clock))
        refuse_faulty(rows, path, lambda place: f"clip '{_keyframe(rows, place, clock)}'")
        return rows
    raise InputError(
        f"proposals {path}: holds a {type(content).__name__}, expected a dict of 'VIDEO,0902' -> boxes, or a pair of clips "
        "and class names."
    )


def rows_of_json(path: Path, images: Path | None, clock: Clock) -> pd.DataFrame:
    """Read COCO detections and AlphAction's."""
    content = read_json(path, what="proposals")
    named_lists = content if isinstance(content, dict) else {}
    found = content if isinstance(content, list) else _first(named_lists, "annotations", "predictions", "detections")
    if not isinstance(found, list):
        raise InputError(f"proposals {path}: expected a list of detections, or an object with 'annotations'.")
    if isinstance(content, dict) and "images" in content:
        named = _images(path, content, clock)
    else:
        named = {} if images is None else _images(images, read_json(images, what="images"), clock)
    rows = _table(_coco_rows(path, found, named))
    remedy = (
        "is bbox x, y, width and height in pixels, of a picture as large as 'images' says? Clip what reaches outside"
    )
    refuse_faulty(rows, path, lambda place: f"detection {place} ('{_keyframe(rows, place, clock)}')", remedy)
    return rows


def _acar_rows(path: Path, clips: list[Any], clock: Clock) -> Iterable[tuple[Any, ...]]:
    for index, clip in enumerate(clips):
        try:
            video_id, second = Path(str(clip["video"])).name, clock.tick(clip["time"])
            for person in clip["labels"]:
                x1, y1, x2, y2 = map(float, person["bounding_box"])
                yield (video_id, second, x1, y1, x2, y2, float(person.get("score", 1.0)))
        except _ODD_ENTRY as error:
            raise InputError(
                f"proposals {path}: clip {index} cannot be read ({type(error).__name__}: {error}); expected video, time and "
                "labels with a bounding_box each."
            ) from error


def _coco_rows(
    path: Path, found: list[Any], named: dict[str, tuple[str, int, float, float]]
) -> Iterable[tuple[Any, ...]]:
    largest = 0.0
    for index, entry in enumerate(found):
        try:
            image_id, (x, y, width, height) = str(entry["image_id"]), map(float, entry["bbox"])
            score = float(entry.get("score", 1.0))
        except _ODD_ENTRY as error:
            raise InputError(
                f"proposals {path}: detection {index} cannot be read ({type(error).__name__}: {error}); expected image_id, "
                "bbox of 4 and score."
            ) from error
        if image_id not in named:
            example = f"; one there is '{next(iter(named))}'" if named else ""
            raise InputError(
                f"proposals {path}: image_id {image_id!r} of detection {index} is in no list of images{example}; set "
                "data.proposal_images to the json whose 'images' give its size, video and timestamp."
            )
        video_id, second, image_width, image_height = named[image_id]
        corners = (x / image_width, y / image_height, (x + width) / image_width, (y + height) / image_height)
        largest = max(largest, x + width, y + height)
        yield (video_id, second, *corners, score)
    if 0 < largest <= 1 + OVERSHOOT:  # all of them within one pixel
        raise InputError(
            f"proposals {path}: every bbox lies within 0..1; expected x, y, width and height in pixels: multiply x and width "
            "by the picture's width, y and height by its height."
        )


def _images(path: Path, content: Any, clock: Clock) -> dict[str, tuple[str, int, float, float]]:
    entries = content.get("images") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise InputError(f"images {path}: expected an object with a list 'images'.")
    named = {}
    for index, entry in enumerate(entries):
        try:
            match = _NAMED_IMAGE.match(str(entry.get("file_name", entry["id"])))
            video_id = _first(entry, "movie", "video_id", "video") or (match and match["video"])
            second = entry["timestamp"] if "timestamp" in entry else match and match["second"]
            named[str(entry["id"])] = (
                str(video_id),
                clock.tick(second),
                float(entry["width"]),
                float(entry["height"]),
            )
        except _ODD_ENTRY as error:
            raise InputError(
                f"images {path}: entry {index} cannot be read ({type(error).__name__}: {error}); expected id, width, height, "
                "and movie with timestamp, or a file_name such as VIDEO/0902.jpg."
            ) from error
        if not video_id or not all(0 < size < np.inf for size in named[str(entry["id"])][2:]):
            raise InputError(f"images {path}: entry {index} names no video, or has no size: {entry}.")
    return named


def _table(rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    """Put rows into columns of 8-byte numbers; as tuples, millions of them would take gigabytes."""
    videos: list[str] = []
    seconds, numbers = array("q"), array("d")
    for video_id, second, *box_and_score in rows:
        videos.append(video_id)
        seconds.append(second)
        numbers.extend(box_and_score)
    values = np.array(numbers, dtype=np.float64).reshape(-1, 5)
    columns = {name: values[:, index] for index, name in enumerate([*BOX_COLUMNS, "score"])}
    timestamps = np.array(seconds, dtype=np.int64)
    return pd.DataFrame({"video_id": pd.Series(videos, dtype=object), "timestamp": timestamps, **columns})


def _keyframe(rows: pd.DataFrame, place: int, clock: Clock) -> str:
    return f"{rows['video_id'].iloc[place]},{clock.text(int(rows['timestamp'].iloc[place]))}"


def _first(entry: dict[str, Any], *names: str) -> Any:
    return next((entry[name] for name in names if name in entry), None)
