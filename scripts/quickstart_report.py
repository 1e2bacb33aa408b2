"""The end of the quickstart: the table of its models, a chart, pictures of what each says, and `summary.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
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

Rows = Mapping[str, Mapping[str, float]]  # mAP by model and group of classes


def report(
    out: Path,
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
        models: The names of the models.
        data_dir: The generated data set.
        checkpoints: The checkpoint of each model.
        page: What `lfb-predict` shows of one video.
        seconds: How long each stage took.
        more: Further content of `summary.json`.
    """
    rows = {model: _mean_precisions(out / "test" / model / "metrics.json") for model in models}
    chart = out / "mAP.png"
    bar_chart(chart, rows, title="mini-AVA, frame-mAP@0.5 on val", axis="mAP")
    overlays = _draw_overlays(out, models, data_dir)
    summary = {
        "models": {
            model: {
                "mAP": rows[model]["overall"],
                "short_term_mAP": rows[model]["short-term"],
                "long_term_mAP": rows[model]["long-term"],
                "results_csv": str(out / "test" / model / "results.csv"),
                "checkpoint": str(checkpoints[model]),
                "overlay": str(overlays[model]),
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
    _print_table(out, rows, overlays)
    print(f"chart     {chart}")
    print(f"summary   {out / 'summary.json'}")
    print(f"seconds   {sum(seconds.values()):.0f} in {len(seconds)} stages (two at a time)")
    print(f"page      {page}   (open it in a browser: what one video shows, what the models say, and why)")


def _mean_precisions(path: Path) -> dict[str, float]:
    metrics = json.loads(path.read_text())
    groups = {"short-term": metrics["groups"]["short_term"], "long-term": metrics["groups"]["long_term"]}
    return {name: value or 0.0 for name, value in {"overall": metrics["mAP"], **groups}.items()}


def _print_table(out: Path, rows: Rows, overlays: Mapping[str, Path]) -> None:
    table = Table("model", "mAP", "short-term classes", "long-term classes", title="mini-AVA val, frame-mAP@0.5")
    for model, values in rows.items():
        table.add_row(model, *(f"{values[key]:.3f}" for key in ("overall", "short-term", "long-term")))
    Console().print(table)
    for model in rows:
        print(f"{model:9} results {out / 'test' / model / 'results.csv'}")
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
