"""`lfb-eval protocol=epic100` and `protocol=epic55`: accuracy over segments of any file of scores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from lfb_lightning.cli.eval_videos import refuse_nan_in_file
from lfb_lightning.epic import Segment, participant_number, read_ids, read_names, read_segments, write_submission
from lfb_lightning.errors import InputError
from lfb_lightning.metrics.score_files import read_segment_scores
from lfb_lightning.metrics.segment_accuracy import HEADS, action_prior, official_names, segment_accuracy

_LAST_TRAINING_PARTICIPANT = 25  # of the paper's split of EPIC-55


def evaluate_segments(cfg: DictConfig) -> dict[str, Any]:
    """Evaluate the configured files and print what the official program prints.

    Args:
        cfg: The command's configuration.

    Returns:
        What is written as JSON.
    """
    ids, scores = _read_scores(cfg)
    annotated = {segment.segment_id: segment for segment in read_segments(cfg.annotations)}
    unknown = [one for one in ids if one not in annotated]
    if unknown:
        raise InputError(
            f"scores {cfg.detections}: segment {unknown[0]!r} is not in {cfg.annotations}, {len(unknown)} of {len(ids)} are "
            "not; are these the annotations of the split that was scored?"
        )
    segments = [annotated[one] for one in ids]
    is_55 = cfg.protocol == "epic55"
    if not is_55:
        _refuse_classes(cfg, scores)
    if cfg.submission is not None and len(scores) < len(HEADS):
        raise InputError(
            f"scores {cfg.detections}: {'verb' if 'verb' in scores else 'noun'}s only; a submission needs both."
        )
    for task, values in scores.items() if cfg.nan == "refuse" else ():
        what, counts = f"scores {_file_of(cfg, task)}: {task} scores", np.ones(len(ids), dtype=bool)
        refuse_nan_in_file(what, values, counts, lambda row: f"segment {ids[row]!r}")
    for task, values in scores.items():
        _refuse_labels_without_scores(cfg, task, values.shape[1], segments)
    result = segment_accuracy(
        scores,
        {
            "verb": np.array([segment.verb for segment in segments], dtype=np.int64),
            "noun": np.array([segment.noun for segment in segments], dtype=np.int64),
        },
        participants=[segment.participant for segment in segments],
        tail=None if is_55 else _tail(cfg),
        unseen=None if is_55 or cfg.unseen is None else read_names(cfg.unseen),
        prior=_prior(cfg, [*annotated.values()], scores) if is_55 and cfg.prior and len(scores) == len(HEADS) else None,
        ties="order" if is_55 else "truth",
        nan=cfg.nan,
    )
    figures = official_names(result)
    for line in _lines_of_55(result) if is_55 else _lines_of_100(figures):
        print(line)
    _tell_counts(ids, len(annotated))
    if cfg.submission is not None:
        _write_submission(cfg.submission, ids, scores)
    return {"protocol": cfg.protocol, **figures, "segments": len(ids), "annotated_segments": len(annotated)}


def _read_scores(cfg: DictConfig) -> tuple[list[str], dict[str, np.ndarray]]:
    """Read the scores of `detections`, with the nouns of `nouns` where that is given."""
    ids, scores = read_segment_scores(cfg.detections)
    if cfg.nouns is None:
        return ids, scores
    others, theirs = read_segment_scores(cfg.nouns)
    for path, table, head in ((cfg.detections, scores, "verb"), (cfg.nouns, theirs, "noun")):
        if head not in table:
            raise InputError(
                f"scores {path}: no array '{head}_output'; detections gives the verbs, and nouns the nouns."
            )
    rows = {one: row for row, one in enumerate(others)}
    for path, listed in ((cfg.detections, ids), (cfg.nouns, others)):
        if len(set(listed)) < len(listed):
            twice = next(one for one, count in Counter(listed).items() if count > 1)
            raise InputError(
                f"scores {path}: segment {twice!r} has several rows, expected one of each, since which verbs go with which "
                "nouns is not known otherwise."
            )
    missing = sorted(set(ids) ^ set(rows))
    if missing:
        raise InputError(
            f"scores {cfg.detections} and {cfg.nouns}: {len(missing)} segments are in one of them only, such as "
            f"{missing[0]!r}; test both models on one split."
        )
    return ids, {"verb": scores["verb"], "noun": theirs["noun"][[rows[one] for one in ids]]}


def _file_of(cfg: DictConfig, task: str) -> str:
    return str(cfg.nouns if task == "noun" and cfg.nouns is not None else cfg.detections)


def _refuse_classes(cfg: DictConfig, scores: Mapping[str, np.ndarray]) -> None:
    """Refuse scores of another number of classes: their columns would be taken for others' classes, without a word."""
    for task, expected in cfg.classes.items():
        if task in scores and (found := scores[task].shape[1]) != expected:
            raise InputError(
                f"scores {_file_of(cfg, task)}: {found} {task} classes, expected the {expected} of "
                f"protocol={cfg.protocol}; is a column missing, or are they of the other data set? Of data of "
                f"your own in its files, set classes.{task}={found}."
            )


def _refuse_labels_without_scores(cfg: DictConfig, task: str, classes: int, segments: Sequence[Segment]) -> None:
    """Refuse annotations with a class that nothing was scored for; negative ones cannot be read."""
    label: Callable[[Segment], int] = attrgetter(task)
    for one in segments:
        if label(one) >= classes:
            raise InputError(
                f"annotations {cfg.annotations}: {task} class {label(one)} of segment {one.segment_id!r} has no column in "
                f"the scores {_file_of(cfg, task)}, which are of classes 0 to {classes - 1}; are they of another data set?"
            )


def _tail(cfg: DictConfig) -> dict[str, list[int]] | None:
    if (cfg.tail_verbs is None) != (cfg.tail_nouns is None):
        raise InputError("tail_verbs and tail_nouns belong together: set both, or none to leave out the rare classes.")
    if cfg.tail_verbs is None:
        return None
    return {"verb": read_ids(cfg.tail_verbs, "verb"), "noun": read_ids(cfg.tail_nouns, "noun")}


def _prior(cfg: DictConfig, annotated: Sequence[Segment], scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """The share of each noun among the verb's segments of the training participants."""
    listed = annotated if cfg.training is None else read_segments(cfg.training)
    trained = [one for one in listed if participant_number(one.participant) <= _LAST_TRAINING_PARTICIPANT]
    if not trained:
        raise InputError(
            f"annotations {cfg.training or cfg.annotations}: no segment of participants P01 to "
            f"P{_LAST_TRAINING_PARTICIPANT}, from which the prior of actions comes; set "
            "training=EPIC_train_action_labels.csv, or prior=false."
        )
    return action_prior(
        np.array([one.verb for one in trained], dtype=np.int64),
        np.array([one.noun for one in trained], dtype=np.int64),
        num_verbs=scores["verb"].shape[1],
        num_nouns=scores["noun"].shape[1],
    )


def _lines_of_100(figures: Mapping[str, float]) -> list[str]:
    """The lines of the official program, which has none for what no segment is of."""
    empty = sorted(name for name, value in figures.items() if math.isnan(value))
    return [
        *(f"{name}: {value}" for name, value in sorted(figures.items()) if not math.isnan(value)),
        *([f"no segment for {', '.join(empty)}"] if empty else []),
    ]


def _lines_of_55(result: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    return [
        line
        for k in (1, 5)
        for task in ("verb", "noun", "action")
        if task in result["all"]
        for line in (f"{task.capitalize()}s:", f"Top-{k}: {result['all'][task][f'accuracy_at_{k}']:.4f}%")
    ]


def _tell_counts(ids: Sequence[str], num_annotated: int) -> None:
    distinct = len(set(ids))
    if distinct < len(ids):
        print(f"{len(ids) - distinct} of {len(ids)} rows repeat a segment and count again, as in the official program")
    if distinct < num_annotated:
        print(f"{distinct} of {num_annotated} annotated segments have scores; the others do not count")


def _write_submission(path: str, ids: Sequence[str], scores: Mapping[str, np.ndarray]) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_submission(path, ids, verbs=scores["verb"], nouns=scores["noun"])
    print(f"wrote {path}")
