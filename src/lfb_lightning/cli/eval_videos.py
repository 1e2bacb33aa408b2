"""`lfb-eval protocol=charades`: video mAP of any file of scores, and `protocol=charades_localize`, that of 25 moments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from omegaconf import DictConfig

from lfb_lightning.charades import (
    EVALUATED_MOMENTS,
    CharadesVideo,
    labels_of_moments,
    labels_of_videos,
    read_annotations,
    read_classes,
)
from lfb_lightning.errors import InputError
from lfb_lightning.metrics.score_files import VideoScores, read_video_scores
from lfb_lightning.metrics.video_map import check_choice, video_mean_ap, weighted_mean

_MISSING = ("refuse", "last")
_MOST_SCORES = 1 << 28  # of all videos (or moments) and classes; 25 moments of all of Charades have 40 million


def evaluate_videos(cfg: DictConfig, *, of_moments: bool) -> dict[str, Any]:
    """Evaluate the configured files, print the table and the official program's lines.

    Args:
        cfg: The command's configuration.
        of_moments: Whether moments of videos are evaluated (localization).

    Returns:
        What is written as JSON.
    """
    check_choice("missing", cfg.missing, _MISSING)
    scores = read_video_scores(cfg.detections, of_moments=of_moments)
    num_classes = scores.scores.shape[1]
    names = {number: f"c{number:03}" for number in range(num_classes)}
    if cfg.label_map is not None:
        names = read_classes(cfg.label_map)
        if len(names) != num_classes:
            raise InputError(
                f"scores {cfg.detections}: {num_classes} classes, expected the {len(names)} of {cfg.label_map}."
            )
    videos = read_annotations(cfg.annotations, num_classes=num_classes)
    per_video = EVALUATED_MOMENTS if of_moments else 1
    if len(videos) * per_video * num_classes > _MOST_SCORES:
        raise InputError(
            f"annotations {cfg.annotations}: {len(videos)} videos, too many for the {num_classes} classes of scores "
            f"{cfg.detections}; expected a split of Charades, and its classes."
        )
    labels = labels_of_moments(videos, num_classes) if of_moments else labels_of_videos(videos, num_classes)
    unlabeled = cfg.unlabeled or ("negative" if of_moments else "drop")
    table, num_missing = _in_order(cfg, scores, videos, labels, per_video, unlabeled)
    if cfg.nan == "refuse":
        counts_here = np.asarray(labels.any(axis=1)) if unlabeled == "drop" else np.ones(len(table), dtype=bool)
        refuse_nan_in_file(
            f"scores {cfg.detections}", table, counts_here, lambda row: f"video {videos[row // per_video].video_id!r}"
        )
    per_class, mean = video_mean_ap(table, labels, ties=cfg.ties, unlabeled=unlabeled, nan=cfg.nan)
    weighted = weighted_mean(per_class, labels)
    counts = labels.sum(axis=0)
    what = "moments" if of_moments else "videos"
    for number, name in names.items():
        print(f"{number:4} {name[:44]:44} AP {per_class[number]:.6f}  {counts[number]} {what}")
    _print_means(mean, weighted, per_class, of_moments)
    return {
        "protocol": cfg.protocol,
        "ties": cfg.ties,
        "unlabeled": unlabeled,
        "mAP": mean,
        "WAP": weighted,
        "per_class": {str(number): float(value) for number, value in enumerate(per_class)},
        "names": {str(number): name for number, name in names.items()},
        "num_ground_truth": {str(number): int(count) for number, count in enumerate(counts)},
        f"{what}_with_scores": len(table) - num_missing,
        f"{what}_without_scores": num_missing,
    }


def refuse_nan_in_file(what: str, values: np.ndarray, counts: np.ndarray, name_of: Callable[[int], str]) -> None:
    """Raise InputError for scores that are NaN, with the file and whose the first is, which the core cannot know.

    Args:
        what: The file, and the part of it, for the message.
        values: Scores, `[rows, classes]`.
        counts: Which rows count, `[rows]`.
        name_of: Says whose scores a row has.
    """
    places = np.argwhere(np.isnan(values) & counts[:, None])
    if len(places):
        row, column = places[0].tolist()
        raise InputError(
            f"{what}: {len(places)} are NaN, the first of {name_of(row)}, class {column}, expected numbers; look for the "
            "cause in the model, or rank them behind all others with nan=last."
        )


def _in_order(
    cfg: DictConfig,
    scores: VideoScores,
    videos: list[CharadesVideo],
    labels: np.ndarray,
    per_video: int,
    unlabeled: str,
) -> tuple[np.ndarray, int]:
    """The scores in the order of the annotations, `-inf` where there is none; and how many of these there are."""
    place = {video.video_id: number for number, video in enumerate(videos)}
    known = np.array([name in place for name in scores.video_ids]) & (scores.moments < per_video)
    if not known.any():
        raise InputError(
            f"scores {cfg.detections}: none of its videos is in {cfg.annotations}; one here is {scores.video_ids[0]!r}, one "
            f"there {videos[0].video_id!r}."
            if videos
            else f"annotations {cfg.annotations}: no video."
        )
    if not known.all():
        print(f"{(~known).sum()} rows of scores are of nothing that is annotated, and do not count")
    rows = np.array([place.get(name, 0) for name in scores.video_ids]) * per_video + scores.moments
    table = np.full((len(videos) * per_video, scores.scores.shape[1]), -np.inf)
    table[rows[known]] = scores.scores[known]
    is_missing = np.ones(len(table), dtype=bool)
    is_missing[rows[known]] = False
    if unlabeled == "drop":
        is_missing &= labels.any(axis=1)
    missing = np.flatnonzero(is_missing)
    if len(missing) and cfg.missing == "refuse":
        raise InputError(
            f"scores {cfg.detections}: {len(missing)} of {len(table)} rows are missing, one of video "
            f"{videos[missing[0] // per_video].video_id!r}; missing=last ranks them behind all others, as the official "
            "program does."
        )
    if len(missing):
        print(f"{len(missing)} without scores rank behind all others")
    return table, len(missing)


def _print_means(mean: float, weighted: float, per_class: np.ndarray, of_moments: bool) -> None:
    begin = "Per-Frame " if of_moments else ""
    empty = int(np.isnan(per_class).sum())
    if empty:
        print(f"{empty} classes never occur and do not count; the official program's MAP is NaN then")
    print(f"{begin}MAP: {mean:f}")
    print(f"{begin}WAP: {weighted:f} (weighted by size of each class)")
