"""What the Rerun viewer shows on opening: a tab for each video, with its picture, scores and attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lfb_lightning.reporting.viewers.scenes import PREDICTIONS

if TYPE_CHECKING:
    import rerun.blueprint as rrb

TIME, KEY_FRAME = "time", "key_frame"  # the timelines
ABOUT = "about"
_MOST_TABS, _GRID = 24, 3  # videos with a tab; pictures from which on they are in a grid


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoParts:
    """What there is of a video.

    Args:
        name: The video.
        root: The path of its entities.
        layers: The layers that have boxes.
        series: The paths of the series that are plotted at first.
        attends: Whether there is attention.
    """

    name: str
    root: str
    layers: Sequence[str]
    series: Sequence[str]
    attends: bool


def blueprint(videos: Sequence[VideoParts]) -> rrb.Blueprint:
    """Lay the views out.

    Args:
        videos: The videos; the first ones get a tab.
    """
    import rerun.blueprint as rrb

    tabs = [*map(_tab, videos[:_MOST_TABS]), rrb.TextDocumentView(origin=ABOUT, name="about")]
    closed = rrb.SelectionPanel(state="collapsed")
    return rrb.Blueprint(rrb.Tabs(*tabs), rrb.TimePanel(timeline=TIME, state="collapsed"), closed)


def _tab(video: VideoParts) -> Any:
    import rerun.blueprint as rrb

    pictures = [
        _picture(video, layer) for layer in video.layers
    ]  # a view for each: the labels of two would lie on another
    shown: Any = rrb.Vertical(*pictures) if len(pictures) < _GRID else rrb.Grid(*pictures)
    scores = rrb.TimeSeriesView(origin=f"{video.root}/scores", contents=list(video.series), name="scores")
    beside: list[Any] = [scores]
    if video.attends:
        beside.append(
            rrb.BarChartView(origin=f"{video.root}/attention", name="attention, by seconds from the decision")
        )
        beside.append(rrb.TextDocumentView(origin=f"{video.root}/looked_at", name="looked at"))
    beside.append(rrb.TextLogView(origin=f"{video.root}/log", name="key frames"))
    return rrb.Horizontal(shown, rrb.Vertical(*beside), column_shares=[3, 2], name=video.name)


def _picture(video: VideoParts, layer: str) -> Any:
    import rerun.blueprint as rrb

    picture = f"{video.root}/picture"
    contents = [picture, f"{picture}/{layer}", *([f"{picture}/attention"] if layer == PREDICTIONS else [])]
    return rrb.Spatial2DView(origin=picture, contents=contents, name=layer.replace("_", " "))
