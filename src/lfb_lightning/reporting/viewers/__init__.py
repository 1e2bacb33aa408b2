"""Detections, tracks and attention as files for other viewers: a recording of Rerun, a data set of FiftyOne."""

from lfb_lightning.reporting.viewers.export import export_for_viewer

__all__ = ["export_for_viewer"]
