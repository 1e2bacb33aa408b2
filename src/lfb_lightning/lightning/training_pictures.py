"""Pictures of what a detector trains on, and of what it finds in a key frame that it is validated on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, UInt8

from lfb_lightning.datasets import ScoreColumns
from lfb_lightning.datasets.action_dataset import ActionSplit, StoredLabels
from lfb_lightning.datasets.checks.fingerprint import probe_frame
from lfb_lightning.lightning.datamodules.action_data import ActionDataModule
from lfb_lightning.structures import ClipBatch, Detections, Keyframe
from lfb_lightning.viz.contact_sheet import Tile, draw_contact_sheet
from lfb_lightning.viz.overlay import OverlayPerson, draw_overlay


def draw_batch(path: Path, batch: ClipBatch, data: ActionDataModule, *, number: int) -> None:
    """Draw the middle frames of a training batch as the model sees them, cropped and flipped, with boxes and actions.

    Args:
        path: The file to write.
        batch: A batch with normalized clips.
        data: Where it comes from.
        number: How many clips are drawn, at most.

    Raises:
        InputError: The file cannot be written.
    """
    columns = data.split("train").columns()
    tiles = [_tile(batch, clip, data, columns) for clip in range(min(number, len(batch.keyframes)))]
    draw_contact_sheet(path, tiles, title="first training batch, as the model sees it")


def draw_keyframe(
    path: Path, keyframe: Keyframe, found: Detections, data: ActionDataModule, *, threshold: float
) -> None:
    """Draw a validated key frame with the actions found in it, against the annotated ones where they are known.

    Args:
        path: The file to write.
        keyframe: The moment.
        found: The detections of this moment alone.
        data: Where it comes from.
        threshold: Score above which an action counts as found.

    Raises:
        InputError: The video cannot be read, or the file not be written.
    """
    split = data.split("val")
    columns = split.columns()
    boxes, scores = found.boxes.numpy(), found.scores.numpy()
    labels, known = _truth(split, keyframe, boxes, columns.number)
    first = int(columns.has_background)
    persons = []
    for row, box in enumerate(boxes.tolist()):
        places = first + np.flatnonzero(scores[row, first : columns.number] > threshold)
        predicted = [(_name(columns, int(place)), float(scores[row, place])) for place in places]
        actual = _names(columns, labels[row]) if known[row] else None
        persons.append(OverlayPerson((box[0], box[1], box[2], box[3]), predicted, actual))
    frame = probe_frame(split, keyframe, data.clips.sampling)
    draw_overlay(path, frame, persons, title=f"{split.name} {keyframe}: actions above {threshold:g}")


def _truth(
    split: ActionSplit, keyframe: Keyframe, boxes: np.ndarray, number: int
) -> tuple[Bool[np.ndarray, "P A"], Bool[np.ndarray, " P"]]:
    """Label boxes by the annotated ones, and say which were annotated; none of a split that cannot say it."""
    if isinstance(split, StoredLabels):
        return split.stored_labels(keyframe, boxes)
    return np.zeros((len(boxes), number), dtype=bool), np.zeros(len(boxes), dtype=bool)


def _tile(batch: ClipBatch, clip: int, data: ActionDataModule, columns: ScoreColumns) -> Tile:
    assert batch.clips is not None
    rows = batch.clip_of_roi == clip
    height, width = batch.clips.shape[-2:]
    size = torch.tensor([width, height, width, height], dtype=torch.float64)
    boxes = (batch.rois[rows, 1:].double().cpu() / size).numpy()
    annotated = (batch.scores[rows] >= 1).cpu().numpy()
    labels = batch.labels[rows].cpu().numpy() if batch.labels is not None else np.zeros((0, columns.number))
    actions = ", ".join(_names(columns, np.asarray(labels.max(axis=0, initial=0.0) > 0))) or "no action"
    frame = _frame(batch.clips[clip, :, batch.clips.shape[2] // 2], data.clips.mean, data.clips.std)
    return Tile(f"{batch.keyframes[clip]}: {actions}", frame, boxes[annotated], boxes[~annotated])


def _frame(normalized: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> UInt8[np.ndarray, "H W 3"]:
    """Undo `clips.normalize` for one frame `[3, H, W]`."""
    spread, center = torch.tensor(list(std)).view(3, 1, 1), torch.tensor(list(mean)).view(3, 1, 1)
    pixels = normalized.detach().float().cpu() * spread + center
    return (pixels * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def _names(columns: ScoreColumns, shown: Bool[np.ndarray, " A"]) -> list[str]:
    return [_name(columns, int(place)) for place in np.flatnonzero(shown)]


def _name(columns: ScoreColumns, place: int) -> str:
    return str((columns.names or {}).get(place, place))
