"""Compares annotations, exclusions and proposals of a split with each other and with the counts that are expected."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from lfb_lightning.boxes import iou_matrix
from lfb_lightning.datasets.ava.tables import AvaTables
from lfb_lightning.datasets.checks.findings import Share, SplitReport

_SLACK = 0.001  # of a box edge outside the picture: the files round to three decimals
_FEW_PROPOSALS, _LOW_RECALL = 0.9, 0.8


def check_tables(split: AvaTables) -> SplitReport:
    """Check the tables of a split.

    Args:
        split: The split.

    Returns:
        Figures and findings.

    Raises:
        InputError: A file cannot be read at all.
    """
    report = SplitReport(split.name)
    if split.has_annotations:
        _check_annotations(split, report)
    elif not split.is_without_truth:
        path = split.path(split.data.annotations)
        report.warn(f"annotations {path}: no such file", "extraction does without, training and lfb-test do not")
    if split.has_proposals:
        _check_proposals(split, report)
    _check_expected(split, report)
    return report


def _check_annotations(split: AvaTables, report: SplitReport) -> None:
    raw, annotations = split.all_annotations(), split.annotations
    rows = raw.rows
    actions = rows["action_id"].to_numpy()
    ids = split.label_map.ids
    missing = [key for key in ids if not (actions == key).any()]
    unlisted = sorted(set(np.unique(actions).tolist()) - set(ids))
    used = split.used(annotations.persons)
    report.figures |= {
        "annotation_rows": raw.num_rows,
        "annotated_videos": int(rows["video_id"].nunique()),
        "annotated_keyframes": len(annotations.keyframes),
        "annotated_keyframes_without_persons": int((annotations.persons.counts == 0).sum()),
        "keyframes_with_listed_actions": int(annotations.labeled.sum()),
        "training_keyframes": len(split.training_keyframes()),
        "persons": annotations.num_persons,
        "persons_per_keyframe": annotations.num_persons / max(len(annotations.keyframes), 1),
        "labels_per_person": annotations.num_rows / max(annotations.num_persons, 1),
        "classes": len(ids),
        "classes_without_ground_truth": missing,
        "actions_off_the_label_map": unlisted,
        "excluded_rows": len(split.excluded),
        "excluded_videos": len({keyframe.video_id for keyframe in split.excluded}),
        "annotation_rows_excluded": raw.num_rows - annotations.num_rows,
    }
    counts = annotations.persons_by_action
    report.classes = {f"{key} {split.label_map.names[key]}": int(counts[key]) for key in ids}
    path = split.path(split.data.annotations)
    if len(annotations.keyframes) and not used.any():
        ticks = annotations.persons.timestamps
        first, last = (float(split.data.clock.seconds(int(tick))) for tick in (ticks.min(), ticks.max()))
        report.error(
            f"{path}: no keyframe lies on a used second; its seconds are {first:.10g} to {last:.10g}, used are "
            f"{split.data.first_second} to {split.data.last_second} in steps of {split.data.key_step}",
            "set data.first_second, data.last_second and data.key_step",
        )
    elif not used.all():
        first_unused = annotations.persons.select(~used)[0]
        example = f"{first_unused.video_id},{split.data.clock.text(first_unused.timestamp)}"
        report.warn(
            f"{path}: {int((~used).sum())} of {len(used)} keyframes are on no used second, the first is '{example}'",
            "widen data.first_second and data.last_second, or see data.key_step",
        )
    if missing:
        named = ", ".join(f"{key} {split.label_map.names[key]}" for key in missing[:5])
        report.warn(
            f"{len(missing)} of {len(ids)} classes have no ground truth: {named}",
            "they are left out of the mAP; is this the split's label map?",
        )
    _check_range(annotations.boxes, f"{path}: boxes", "boxes_out_of_range", report)


def _check_proposals(split: AvaTables, report: SplitReport) -> None:
    table = split.proposals
    path = split.proposals_path
    thresholds = {
        "training": split.data.train_threshold,
        "bank": split.data.bank_threshold,
        "evaluation": split.data.eval_threshold,
    }
    report.figures |= {
        "proposals": len(table.boxes),
        "proposal_keyframes": len(table.keyframes),
        "scores": [float(table.scores.min()), float(table.scores.max())] if len(table.scores) else [],
    }
    _check_range(table.boxes, f"{path}: boxes", "proposals_out_of_range", report)
    for use, threshold in thresholds.items():
        report.figures[f"proposals_for_{use}"] = int((table.scores >= threshold).sum())
    if not report.figures["proposals_for_evaluation"]:
        report.error(
            f"{path}: no proposal has a score of at least {split.data.eval_threshold} (data.eval_threshold)",
            "lower the thresholds to the detector's scores",
        )
    if not split.has_annotations:
        return
    found = _found_at_half(split, thresholds["evaluation"])
    with_persons = split.annotations.persons.counts > 0
    annotated = split.annotations.persons.found_in_table(table.persons)[with_persons]
    report.figures |= {"keyframes_with_proposals": Share(annotated.mean() if len(annotated) else 0.0)}
    report.figures |= {"proposal_recall_at_0.5": Share(found.mean() if len(found) else 0.0)}
    if len(annotated) and annotated.mean() < _FEW_PROPOSALS:
        keyframes = split.annotations.persons.select(with_persons)
        example = keyframes[int(np.argmin(annotated))]
        report.warn(
            f"{path}: only {annotated.mean():.1%} of the annotated keyframes have proposals; none at '{example}', there are "
            f"some at '{table.keyframes[0]}'",
            "are the timestamps of both files counted from the same moment? Keyframes without proposals find nobody",
        )
    if len(found) and found.mean() < _LOW_RECALL:
        report.warn(
            f"{path}: proposals find {found.mean():.1%} of the annotated persons (IoU 0.5, scores from "
            f"{thresholds['evaluation']}); FAIR's for AVA find about 94%",
            "no mAP can be higher; lower data.eval_threshold, or see whether boxes are normalized x1,y1,x2,y2",
        )


def _found_at_half(split: AvaTables, threshold: float) -> Bool[np.ndarray, " P"]:
    """Whether each annotated person is overlapped by a proposal with an IoU of at least 0.5."""
    found = [
        iou_matrix(truth.boxes, split.proposals.above(keyframe, threshold).boxes).max(axis=1, initial=0.0) >= 0.5
        for keyframe in split.annotations.keyframes
        if len(truth := split.annotations[keyframe])
    ]
    return np.concatenate(found) if found else np.zeros(0, dtype=bool)


def _check_range(boxes: Float64[np.ndarray, "N 4"], what: str, figure: str, report: SplitReport) -> None:
    outside = ((boxes < -_SLACK) | (boxes > 1 + _SLACK)).any(axis=1)
    empty = (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
    report.figures[figure] = int(outside.sum())
    if outside.any():  # by less than readers refuse
        report.warn(f"{what}: {int(outside.sum())} reach outside the picture", "they are clipped to it")
    if empty.any():
        report.warn(
            f"{what}: {int(empty.sum())} have no area, the first is {boxes[empty][0].tolist()}",
            "nothing can match them; remove them",
        )


def _check_expected(split: AvaTables, report: SplitReport) -> None:
    for name, expected in split.data.expected_counts.get(split.name, {}).items():
        if expected is None:
            continue
        if name == "videos":
            found = len(split.video_ids())
        elif name in report.figures:
            found = report.figures[name]
        else:
            report.warn(f"data.expected_counts names {name!r}, which is not counted", "see check.json for the names")
            continue
        if found != expected:
            report.error(
                f"{name}: {found}, expected {expected}",
                "is the file of another release, or cut off? Download it again, or set data.expected_counts",
            )
