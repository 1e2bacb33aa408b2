"""The end of the quickstart: the table of its models, a chart, pictures of what each says, and `summary.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from quickstart_data import MiniData
from rich.console import Console
from rich.table import Table

from lfb_lightning.ava.annotations import Annotations, read_annotations
from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.boxes import iou_matrix
from lfb_lightning.mini_ava import LONG_TERM_IDS
from lfb_lightning.mini_ava.files import ORIGIN_SECOND
from lfb_lightning.structures import Keyframe
from lfb_lightning.video import VideoFile
from lfb_lightning.viz import bar_chart, draw_overlay
from lfb_lightning.viz.overlay import OverlayPerson

Rows = Mapping[str, Mapping[str, float]]  # by model and figure


def report(
    out: Path,
    data: MiniData,
    models: Sequence[str],
    *,
    data_dir: Path,
    checkpoints: Mapping[str, Path],
    page: Path,
    seconds: Mapping[str, float],
    more: Mapping[str, Any],
) -> None:
    """Write chart, pictures and `summary.json`, and print the table.

    Args:
        out: The folder of the quickstart, with a test of each model in it.
        data: The generated data set.
        models: The names of the models.
        data_dir: The generated data set.
        checkpoints: The checkpoint of each model.
        page: What `lfb-predict` shows of one video.
        seconds: How long each stage took.
        more: Further content of `summary.json`.
    """
    rows = {model: _figures(out / "test" / model / "metrics.json", data) for model in models}
    chart = out / "mAP.png"
    bar_chart(chart, _shown(rows, data), title=f"{data.title}, {data.measure}", axis=data.axis)
    overlays = _draw_overlays(out, models, data_dir) if data.name == "mini_ava" else {}
    results = {model: next((out / "test" / model).glob("results.*")) for model in models}
    summary = {
        "models": {
            model: {
                **rows[model],
                f"results_{results[model].suffix[1:]}": str(results[model]),
                "checkpoint": str(checkpoints[model]),
                **({"overlay": str(overlays[model])} if model in overlays else {}),
            }
            for model in models
        },
        "data_dir": str(data_dir),
        "chart": str(chart),
        "page": str(page),
        "seconds": dict(seconds),
        **more,
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    _print_table(data, rows, results, overlays)
    print(f"chart     {chart}")
    print(f"summary   {out / 'summary.json'}")
    print(f"seconds   {sum(seconds.values()):.0f} in {len(seconds)} stages (two at a time)")
    print(f"page      {page}   (open it in a browser: what one video shows, what the models say, and why)")


def _figures(path: Path, data: MiniData) -> dict[str, float]:
    found = {}
    for figure, keys in data.figures.items():
        value: Any = json.loads(path.read_text())
        for key in keys:
            value = value[key]
        found[figure] = (value or 0.0) / data.whole
    return found


def _shown(rows: Rows, data: MiniData) -> dict[str, dict[str, float]]:
    return {model: {data.shown[figure]: value for figure, value in found.items()} for model, found in rows.items()}


def _print_table(data: MiniData, rows: Rows, results: Mapping[str, Path], overlays: Mapping[str, Path]) -> None:
    table = Table("model", *(data.shown[figure] for figure in data.figures), title=f"{data.title}, {data.measure}")
    for model, found in rows.items():
        table.add_row(model, *(f"{found[figure]:.3f}" for figure in data.figures))
    Console().print(table)
    for model in rows:
        print(f"{model:9} results {results[model]}")
        if model in overlays:
            print(f"{model:9} overlay {overlays[model]}")


def _draw_overlays(out: Path, models: Sequence[str], data_dir: Path) -> dict[str, Path]:
    """Draw what each model says about one keyframe: the first with two actions that only the bank can tell."""
    label_map = read_label_map(data_dir / "mini_ava_action_list.pbtxt")
    annotations = read_annotations(data_dir / "mini_ava_val.csv", label_map)
    counts = [annotations[keyframe].labels[:, LONG_TERM_IDS].sum() for keyframe in annotations.keyframes]
    keyframe = annotations.keyframes[int(np.argmax(np.minimum(counts, 2)))]
    video = VideoFile(data_dir / "videos" / f"{keyframe.video_id}.mp4")
    frame = video.clip(np.array([float(keyframe.timestamp - ORIGIN_SECOND)]))[0]
    paths = {model: out / f"overlay_{model}.png" for model in models}
    for model, path in paths.items():
        persons = _read_persons(out / "test" / model / "results.csv", keyframe, annotations, label_map.names)
        draw_overlay(path, frame, persons, title=f"{model}: {keyframe}")
    return paths


def _read_persons(
    results: Path, keyframe: Keyframe, annotations: Annotations, names: Mapping[int, str]
) -> list[OverlayPerson]:
    """Read the persons of a keyframe from a result file, with actions above 0.5 and those of the matching annotation."""
    columns = ["video_id", "timestamp", "x1", "y1", "x2", "y2", "action_id", "score"]
    rows = pd.read_csv(results, header=None, names=columns)
    rows = rows[(rows["video_id"] == keyframe.video_id) & (rows["timestamp"] == keyframe.timestamp)]
    truth = annotations[keyframe]
    persons = []
    for box, group in rows.groupby(["x1", "y1", "x2", "y2"], sort=True):
        overlap = iou_matrix(np.array([box], dtype=np.float64), truth.boxes)[0]
        matched = len(overlap) > 0 and overlap.max() >= 0.5
        actual = [names[int(key)] for key in np.flatnonzero(truth.labels[overlap.argmax()])] if matched else None
        found = group[group["score"] > 0.5]
        predicted = [(names[int(key)], float(score)) for key, score in zip(found.action_id, found.score, strict=True)]
        persons.append(OverlayPerson(tuple(box), predicted, actual))
    return persons
