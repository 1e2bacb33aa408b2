"""Pictures: what a detector says about a keyframe, and how detectors compare."""

from lfb_lightning.viz.charts import bar_chart
from lfb_lightning.viz.overlay import draw_overlay

__all__ = ["bar_chart", "draw_overlay"]
