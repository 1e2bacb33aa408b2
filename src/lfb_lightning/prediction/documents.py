"""Predictions as files: AVA's result csv, and JSON with a schema of its own. Both are written moment by moment."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lfb_lightning.ava.results import repr_float
from lfb_lightning.files.durable import durable_file
from lfb_lightning.version import __version__

if TYPE_CHECKING:
    from lfb_lightning.prediction.prediction import Prediction

FORMAT = "lfb-lightning detections"
VERSION = 1


def write_csv(path: Path, prediction: Prediction, *, least_score: float) -> None:
    """Write AVA's result csv; see `Prediction.to_csv`."""
    with durable_file(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        for row in range(len(prediction.moment)):
            second = prediction.clock.text(int(prediction.ticks[prediction.moment[row]]))
            begin = [prediction.video_id, second, *map(repr_float, prediction.boxes[row])]
            scores = prediction.scores[row]
            for column in sorted(prediction.actions):
                if scores[column] >= least_score:
                    writer.writerow([*begin, column, f"{scores[column]:.9g}"])
        text.detach()  # leaves the file open, whose end is `durable_file`'s


def write_detections_json(path: Path, prediction: Prediction, *, least_score: float) -> None:
    """Write the JSON; see `Prediction.to_json`."""
    with durable_file(path) as file:
        head = json.dumps(_head(prediction), ensure_ascii=False, indent=1)
        file.write(head.removesuffix("\n}").encode() + b',\n "moments": [')
        for number, moment in enumerate(_moments(prediction, least_score)):
            file.write(b"," * (number > 0) + b"\n  " + json.dumps(moment, allow_nan=False).encode())
        file.write(b"\n ]\n}\n")


def _head(prediction: Prediction) -> dict[str, Any]:
    video, window = prediction.properties, prediction.window
    return {
        "format": FORMAT,
        "version": VERSION,
        "package_version": __version__,
        "video": {
            "file": prediction.shown_name,
            "id": prediction.video_id,
            "seconds": round(video.seconds, 6),
            "fps": round(video.fps, 6),
            "width": video.width,
            "height": video.height,
        },
        "model": prediction.model,
        "compared": prediction.compared,
        "window": None if window is None else {"before": window[0], "after": window[1]},
        "actions": [{"id": column, "name": prediction.actions[column]} for column in sorted(prediction.actions)],
    }


def _moments(prediction: Prediction, least_score: float) -> Iterator[dict[str, Any]]:
    bounds = np.searchsorted(prediction.moment, np.arange(len(prediction.ticks) + 1))
    for second, low, high in zip(prediction.seconds, bounds, bounds[1:], strict=False):
        yield {
            "second": round(second, 6),
            "persons": [_person(prediction, row, least_score) for row in range(low, high)],
        }


def _person(prediction: Prediction, row: int, least_score: float) -> dict[str, Any]:
    content = {
        "row": row,
        "track": int(prediction.tracks[row]),
        "box": [round(float(value), 6) for value in prediction.boxes[row]],
        "score": round(float(prediction.confidences[row]), 6),
        "actions": _scores(prediction, prediction.scores[row], least_score),
    }
    if prediction.without is not None:
        content["without"] = _scores(prediction, prediction.without[row], least_score)
    attention = prediction.attention
    if attention is not None:
        content["attention"] = [
            {
                "empty": round(float(attention.empty[row, layer]), 6),
                "rest": round(float(attention.rest[row, layer]), 6),
                "rows": [
                    [int(seen), round(float(weight), 6)]
                    for seen, weight in zip(attention.rows[row, layer], attention.weights[row, layer], strict=True)
                    if seen >= 0
                ],
            }
            for layer in range(attention.empty.shape[1])
        ]
    return content


def _scores(prediction: Prediction, scores: np.ndarray, least_score: float) -> dict[str, float]:
    """The scores by action id, best first."""
    columns = [column for column in prediction.actions if scores[column] >= least_score]
    columns.sort(key=lambda column: (-float(scores[column]), column))
    return {str(column): round(float(scores[column]), 6) for column in columns}
