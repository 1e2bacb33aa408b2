"""Counts what the files of a split of Charades hold, and says what in them may be a mistake."""

from __future__ import annotations

from lfb_lightning.datasets.charades.tables import CharadesTables
from lfb_lightning.datasets.checks.findings import SplitReport


def check_tables(tables: CharadesTables) -> SplitReport:
    """Check the files of a split.

    Args:
        tables: The split.

    Returns:
        Figures and findings.

    Raises:
        InputError: A file cannot be read at all.
    """
    report = SplitReport(tables.split)
    videos, labels = tables.videos, tables.labels
    path = tables.data.path(tables.data.annotations, tables.split)
    intervals = [(video, one) for video in videos for one in video.intervals]
    never = [name for number, name in tables.names.items() if not labels[:, number].any()]
    empty = [(video, one) for video, one in intervals if one.end <= one.start]
    report.figures |= {
        "videos": len(videos),
        "videos_without_action": int((~tables.is_labeled).sum()),
        "hours": sum(video.length for video in videos) / 3600,
        "classes": len(tables.names),
        "classes_without_ground_truth": never,
        "intervals": len(intervals),
        "intervals_that_end_after_the_video": sum(one.end > video.length for video, one in intervals),
        "intervals_without_length": len(empty),
        "classes_per_video": float(labels[tables.is_labeled].sum(axis=1).mean()) if tables.is_labeled.any() else 0.0,
    }
    report.classes = {f"{number} {name}": int(labels[:, number].sum()) for number, name in tables.names.items()}
    report.counted = "videos that show an action"
    if not tables.is_labeled.any():
        report.warn(f"{path}: no video has an action", "extraction does without, training does not")
    elif never:
        report.warn(
            f"{len(never)} of {len(tables.names)} classes have no ground truth: {', '.join(never[:5])}",
            "they are left out of the mAP; is this the split's class list?",
        )
    if empty:
        video, one = empty[0]
        report.add(
            "note",
            f"{path}: {len(empty)} intervals end where they start or before, such as c{one.action:03} of {video.video_id}",
            "no training clip shows them; they count as labels of the video, as in the official program",
        )
    if unlisted := tables.unlisted():
        report.error(
            f"frame list: {len(unlisted)} videos with actions are not in it, such as {unlisted[0]}",
            "set data.frame_list=null, or the list of this split (data.split_files)",
        )
    return report
