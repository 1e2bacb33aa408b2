"""Charts of results, and pictures of keyframes with boxes and actions, drawn with matplotlib in one style (`style`)."""

from lfb_lightning.viz.attention_strip import draw_attention_strip
from lfb_lightning.viz.charts import bar_chart
from lfb_lightning.viz.overlay import draw_overlay

__all__ = ["bar_chart", "draw_attention_strip", "draw_overlay"]
