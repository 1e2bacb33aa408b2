"""File formats of EPIC-Kitchens 55 and 100: segments, classes, rare classes, video lists, and the challenge's submission.

Formats only: no video, no model, no torch. Nothing of the data sets is in this package; their license is CC BY-NC 4.0.
"""

from lfb_lightning.epic.lists import VideoInfo, read_classes, read_ids, read_names, read_video_info
from lfb_lightning.epic.segments import (
    Segment,
    frame_at,
    official_frame_rate,
    participant_number,
    read_segments,
)
from lfb_lightning.epic.submission import write_submission

__all__ = [
    "Segment",
    "VideoInfo",
    "frame_at",
    "official_frame_rate",
    "participant_number",
    "read_classes",
    "read_ids",
    "read_names",
    "read_segments",
    "read_video_info",
    "write_submission",
]
