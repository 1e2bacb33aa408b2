"""Counts what the files of a split of EPIC-Kitchens hold, and says what in them may be a mistake."""

from __future__ import annotations

from collections import Counter

import numpy as np

from lfb_lightning.datasets.checks.findings import SplitReport
from lfb_lightning.datasets.epic.tables import EpicTables

_NAMED = 5


def check_tables(tables: EpicTables) -> SplitReport:
    """Check the files of a split.

    Args:
        tables: The split.

    Returns:
        Figures and findings.

    Raises:
        InputError: A file cannot be read at all.
    """
    report = SplitReport(tables.split)
    segments, path = tables.segments, tables.data.path(tables.data.annotations, tables.split)
    middles = Counter(
        (one.video_id, int(middle)) for one, middle in zip(segments, tables.frames.sum(1) // 2, strict=True)
    )
    report.figures |= {
        "segments": len(segments),
        "participants": len({one.participant for one in segments}),
        "videos": len(tables.video_ids),
        "segment_seconds": float(np.mean([one.stop - one.start for one in segments])),
        "segments_with_the_middle_of_another": sum(count for count in middles.values() if count > 1),
        "segments_with_several_nouns": sum(len(one.nouns) > 1 for one in segments),
    }
    _check_classes(tables, report)
    late = [
        one for one in segments if one.video_id in tables.listed and one.stop > tables.listed[one.video_id].duration
    ]
    if late:
        report.add(
            "note",
            f"{path}: {len(late)} segments stop after the end of their video, such as {late[0].segment_id!r}",
            "their clips show the last frame there, as in the paper's code",
        )
    unlisted = sorted(set(tables.video_ids) - set(tables.listed)) if tables.data.video_info is not None else []
    if unlisted:
        report.warn(
            f"video list {tables.data.video_info}: {len(unlisted)} videos are not in it, such as {unlisted[0]}",
            "is it the list of this data set (data.video_info)?",
        )
    _check_lists(tables, report)
    return report


def _check_classes(tables: EpicTables, report: SplitReport) -> None:
    if tables.labels is None:
        report.add(
            "note",
            f"{tables.data.path(tables.data.annotations, tables.split)}: no segment has a label",
            "a test writes its scores for the challenge; training needs labels",
        )
        return
    report.counted = "segments of a class"
    for head, classes in tables.labels.items():
        names = tables.names[head]
        counts = np.bincount(classes, minlength=len(names)).tolist()
        never = [name for name, count in zip(names.values(), counts, strict=True) if not count]
        report.figures |= {f"{head}_classes": len(names), f"{head}_classes_without_segment": never}
        report.classes |= {
            f"{head} {number} {name}": counts[number] for number, name in names.items() if counts[number]
        }
        if len(never) > len(names) // 2:
            report.warn(
                f"{len(never)} of {len(names)} {head} classes have no segment: {', '.join(never[:_NAMED])}",
                f"is data.{head}_classes the list of these classes?",
            )
    if len(tables.labels) == 2:
        report.figures["pairs_of_verb_and_noun"] = len(
            set(zip(*map(np.ndarray.tolist, tables.labels.values()), strict=True))
        )


def _check_lists(tables: EpicTables, report: SplitReport) -> None:
    """Count the segments of rare classes and of unseen participants."""
    if tables.labels is None:
        return
    for head, rare in (tables.tail or {}).items():
        if head in tables.labels:
            report.figures[f"segments_of_rare_{head}s"] = int(np.isin(tables.labels[head], rare).sum())
    if tables.unseen is not None:
        report.figures["segments_of_unseen_participants"] = sum(
            one.participant in tables.unseen for one in tables.segments
        )
