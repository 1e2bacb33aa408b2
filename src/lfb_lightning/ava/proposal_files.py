"""The forms in which person proposals are passed around, each as rows `video_id, timestamp, x1, y1, x2, y2, score`.

* FAIR and SlowFast csv: `video_id,second,x1,y1,x2,y2,label,score` (label empty, or -1, or one row per transferred label).
* FAIR dense pickle: `{"VIDEO,0902": array [P, 5] of x1,y1,x2,y2,score}`, unsorted, low scores included.
* ACAR pickle: `(list of clips, class names)`; a clip has `video`, `time` and `labels` with a `bounding_box` each. It was
  cut at a threshold when it was made and may carry no scores: those boxes get 1.
* COCO detections, a json list of `image_id`, `bbox` (x, y, width, height in pixels), `score`; AlphAction's is one. What an
  image is stands in an `images` list, in the same file or beside it: `id`, `width`, `height`, and `movie` / `video_id` with
  `timestamp`, or a `file_name` such as VIDEO/0902.jpg.

Pickles are read by an unpickler that knows numpy's arrays and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lfb_lightning.ava.csv_rows import numbers, parse_whole_rows, read_csv_rows
from lfb_lightning.errors import InputError
from lfb_lightning.files.array_pickle import load_arrays

CSV_COLUMNS = ["video_id", "timestamp", "x1", "y1", "x2", "y2", "label", "score"]
BOX_COLUMNS = ["x1", "y1", "x2", "y2"]
_NAMED_IMAGE = re.compile(r"^(?P<video>.+?)[,/_](?P<second>\d+)(?:\.\w+)?$")


def rows_of_csv(path: Path) -> pd.DataFrame:
    """FAIR's and SlowFast's csv."""
    rows = parse_whole_rows(path, CSV_COLUMNS, integers=["timestamp"])
    if rows is None:  # empty labels, or a fault to name
        table = read_csv_rows(path, CSV_COLUMNS, what="proposals")
        rows = pd.DataFrame({"video_id": table["video_id"]})
        rows["timestamp"] = numbers(table, "timestamp", path, integer=True)
        for column in [*BOX_COLUMNS, "score"]:
            rows[column] = numbers(table, column, path)
    rows = rows[["video_id", "timestamp", *BOX_COLUMNS, "score"]]
    return rows.drop_duplicates(ignore_index=True)  # one row per transferred label: the same box again


def rows_of_pickle(path: Path) -> pd.DataFrame:
    """FAIR's dense pickle or ACAR's."""
    content = load_arrays(path, what="proposals")
    if isinstance(content, dict):
        return _rows_of_dense(path, content)
    if isinstance(content, tuple | list) and len(content) == 2 and isinstance(content[0], list):
        return _table(_acar_rows(path, content[0]))
    raise InputError(
        f"proposals {path}: holds a {type(content).__name__}, expected a dict of 'VIDEO,0902' -> boxes, or a pair of clips "
        "and class names."
    )


def rows_of_json(path: Path, images: Path | None) -> pd.DataFrame:
    """COCO detections and AlphAction's."""
    content = _json(path)
    found = content if isinstance(content, list) else _first(content, "annotations", "predictions", "detections")
    if not isinstance(found, list):
        raise InputError(f"proposals {path}: expected a list of detections, or an object with 'annotations'.")
    listed = content if isinstance(content, dict) and "images" in content else None if images is None else _json(images)
    named = _images(images or path, listed) if listed is not None else {}
    return _table(_coco_rows(path, found, named))


def _rows_of_dense(path: Path, content: dict[Any, Any]) -> pd.DataFrame:
    keys = [str(key).rpartition(",") for key in content]
    for key, (_, separator, second) in zip(content, keys, strict=True):
        if not separator or not second.isdecimal():
            raise InputError(f"proposals {path}: key {key!r}, expected 'VIDEO,0902'.")
    arrays = [np.asarray(value, dtype=np.float64) for value in content.values()]
    for key, boxes in zip(content, arrays, strict=True):
        if boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 5):
            raise InputError(f"proposals {path}: key {key!r} has shape {boxes.shape}, expected [P, 5].")
    counts = [len(boxes) if boxes.size else 0 for boxes in arrays]
    filled = [boxes for boxes in arrays if boxes.size]
    values = np.concatenate(filled) if filled else np.zeros((0, 5))
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        key = list(content)[int(np.searchsorted(np.cumsum(counts), row, side="right"))]
        raise InputError(f"proposals {path}: key {key!r} holds {values[row].tolist()}, expected finite numbers.")
    number: dict[str, int] = {}
    videos = np.array([number.setdefault(name, len(number)) for name, _, _ in keys], dtype=np.int64)
    seconds = np.array([int(second) for _, _, second in keys], dtype=np.int64)
    ids = pd.Categorical.from_codes(np.repeat(videos, counts), categories=pd.Index(list(number), dtype=object))
    columns = {name: values[:, index] for index, name in enumerate([*BOX_COLUMNS, "score"])}
    return pd.DataFrame({"video_id": ids, "timestamp": np.repeat(seconds, counts), **columns})


def _acar_rows(path: Path, clips: list[Any]) -> Iterable[tuple[Any, ...]]:
    for index, clip in enumerate(clips):
        try:
            video_id, second = Path(str(clip["video"])).name, int(clip["time"])
            for person in clip["labels"]:
                yield (video_id, second, *map(float, person["bounding_box"]), float(person.get("score", 1.0)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"proposals {path}: clip {index} cannot be read ({type(error).__name__}: {error}); expected video, time and "
                "labels with a bounding_box each."
            ) from error


def _coco_rows(
    path: Path, found: list[Any], named: dict[str, tuple[str, int, float, float]]
) -> Iterable[tuple[Any, ...]]:
    for index, entry in enumerate(found):
        try:
            image_id, (x, y, width, height) = str(entry["image_id"]), map(float, entry["bbox"])
            score = float(entry.get("score", 1.0))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
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
        yield (video_id, second, *corners, score)


def _images(path: Path, content: Any) -> dict[str, tuple[str, int, float, float]]:
    entries = content.get("images") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise InputError(f"images {path}: expected an object with a list 'images'.")
    named = {}
    for index, entry in enumerate(entries):
        try:
            match = _NAMED_IMAGE.match(str(entry.get("file_name", entry["id"])))
            video_id = _first(entry, "movie", "video_id", "video") or (match and match["video"])
            second = entry["timestamp"] if "timestamp" in entry else match and match["second"]
            named[str(entry["id"])] = (str(video_id), int(str(second)), float(entry["width"]), float(entry["height"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"images {path}: entry {index} cannot be read ({type(error).__name__}: {error}); expected id, width, height, "
                "and movie with timestamp, or a file_name such as VIDEO/0902.jpg."
            ) from error
        if not video_id or min(named[str(entry["id"])][2:]) <= 0:
            raise InputError(f"images {path}: entry {index} names no video, or has no size: {entry}.")
    return named


def _table(rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=["video_id", "timestamp", *BOX_COLUMNS, "score"])
    types = {"video_id": object, "timestamp": np.int64} | dict.fromkeys([*BOX_COLUMNS, "score"], np.float64)
    return table.astype(types)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"proposals {path}: not a readable json ({error}).") from error


def _first(entry: dict[str, Any], *names: str) -> Any:
    return next((entry[name] for name in names if name in entry), None)
