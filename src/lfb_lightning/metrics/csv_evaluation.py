"""Evaluation of result files in AVA's csv form, written by any tool, as AVA's official script does it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from lfb_lightning.ava.box_rules import DIVIDE, are_pixels
from lfb_lightning.ava.evaluation_csv import KEYS_PER_VIDEO, EvaluationTable, read_evaluation_csv
from lfb_lightning.errors import InputError
from lfb_lightning.metrics.box_rows import BoxRows
from lfb_lightning.metrics.frame_ap import FrameAP, Protocol, evaluate


@dataclass(frozen=True, slots=True)
class NumberedRows:
    """Ground truth and detections whose keyframes are numbered in common.

    Args:
        ground_truth: The annotated rows.
        detections: The detected rows.
        annotated_frames: The numbers of the keyframes that were annotated, with or without a person, `[A]`.
        videos: The number of each keyframe's video, `[F]`.
        keys: Each keyframe as `EvaluationTable` has it, with the number of its video, `[F]`.
    """

    ground_truth: BoxRows
    detections: BoxRows
    annotated_frames: Int[np.ndarray, " A"]
    videos: Int[np.ndarray, " F"]
    keys: Int[np.ndarray, " F"]


def number_frames(
    detections: EvaluationTable,
    annotations: EvaluationTable,
    excluded: str | Path | None = None,
    videos: dict[str, int] | None = None,
) -> NumberedRows:
    """Number the keyframes of two tables in common, as `evaluate` needs them.

    Args:
        detections: The result file's table.
        annotations: The annotation file's table.
        excluded: A csv file of keyframes (`video_id,timestamp`) that are dropped from both tables.
        videos: Numbers of video ids that are known already; new ids are added to it. By default, numbering starts anew.

    Raises:
        InputError: The file of excluded keyframes cannot be read.
    """
    videos = {} if videos is None else videos
    truth_keys, found_keys = annotations.keys_among(videos), detections.keys_among(videos)
    keys, numbers = np.unique(np.concatenate([truth_keys, found_keys]), return_inverse=True)
    numbers = numbers.astype(np.int32)
    truth_numbers, found_numbers = numbers[: len(truth_keys)], numbers[len(truth_keys) :]
    truth, found = _box_rows(annotations, truth_numbers), _box_rows(detections, found_numbers)
    annotated = np.unique(np.concatenate([truth.frames, truth_numbers[annotations.marked]]))
    if excluded is not None:
        table = read_evaluation_csv(excluded)
        dropped = np.flatnonzero(np.isin(keys, table.keys_among(videos)))
        truth = truth.select(~np.isin(truth.frames, dropped))
        found = found.select(~np.isin(found.frames, dropped))
        annotated = annotated[~np.isin(annotated, dropped)]
    return NumberedRows(truth, found, annotated, keys // KEYS_PER_VIDEO, keys)


def evaluate_csv(
    *,
    detections: EvaluationTable,
    annotations: EvaluationTable,
    action_ids: list[int],
    excluded: str | Path | None = None,
    protocol: Protocol = "official",
) -> FrameAP:
    """Compute the frame AP of a result file against an annotation file.

    Args:
        detections: The result file's table.
        annotations: The annotation file's table.
        action_ids: The classes that are evaluated.
        excluded: A csv file of keyframes (`video_id,timestamp`) that are dropped from both tables.
        protocol: Which published version of the official tool is followed; see `evaluate`.
    """
    rows = number_frames(detections, annotations, excluded)
    return evaluate(
        rows.ground_truth,
        rows.detections,
        action_ids,
        protocol=protocol,
        annotated_frames=rows.annotated_frames,
    )


def refuse_incomparable(
    detections: EvaluationTable, annotations: EvaluationTable, path: str | Path, truth_path: str | Path
) -> None:
    """Refuse two files of which no row can match: an mAP of 0 would say nothing about the detector.

    Args:
        detections: The result file's table.
        annotations: The annotation file's table.
        path: The result file, for messages.
        truth_path: The annotation file, for messages.

    Raises:
        InputError: The boxes of one file are pixels and those of the other fractions of the picture, or no keyframe is in
            both files.
    """
    if not len(detections.keys) or not len(annotations.keys):
        return
    _refuse_pixels(detections, annotations, path, truth_path)
    _refuse_pixels(annotations, detections, truth_path, path)
    videos: dict[str, int] = {}
    truth_keys = annotations.keys_among(videos)
    if not np.isin(detections.keys_among(videos), truth_keys).any():
        raise InputError(
            f"{path}: none of its {len(detections.keys)} keyframes is in {truth_path}; one there is "
            f"{_describe_keyframe(annotations)}, one here {_describe_keyframe(detections)}."
        )


def _refuse_pixels(table: EvaluationTable, other: EvaluationTable, path: str | Path, other_path: str | Path) -> None:
    pixels = are_pixels(table.boxes)
    if len(other.boxes) and pixels.sum() * 2 > len(pixels) and not are_pixels(other.boxes).any():
        raise InputError(
            f"{path}: boxes such as {table.boxes[int(pixels.argmax())].tolist()} are not within 0..1, those of {other_path} "
            f"are; {DIVIDE}."
        )


def _describe_keyframe(table: EvaluationTable) -> str:
    video, moment = divmod(int(table.keys[0]), KEYS_PER_VIDEO)
    return f"'{table.video_ids[video]},{(moment - KEYS_PER_VIDEO // 2) / 1e6:g}'"


def _box_rows(table: EvaluationTable, numbers: np.ndarray) -> BoxRows:
    return BoxRows(numbers[table.frames], table.classes, table.scores, table.box_of_row, table.boxes)
