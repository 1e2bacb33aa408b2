"""Charades' file formats: annotations, class lists, frame lists, and the submissions of its two official programs.

Formats only: no video, no model, no torch. Nothing of the data set is in this package; its license allows no copies.
"""

from lfb_lightning.charades.annotations import CharadesVideo, Interval, labels_of_videos, read_annotations
from lfb_lightning.charades.classes import read_classes
from lfb_lightning.charades.frame_lists import ListedVideo, read_frame_list
from lfb_lightning.charades.localization import EVALUATED_MOMENTS, labels_of_moments, moments_of
from lfb_lightning.charades.submission import write_scores

__all__ = [
    "EVALUATED_MOMENTS",
    "CharadesVideo",
    "Interval",
    "ListedVideo",
    "labels_of_moments",
    "labels_of_videos",
    "moments_of",
    "read_annotations",
    "read_classes",
    "read_frame_list",
    "write_scores",
]
