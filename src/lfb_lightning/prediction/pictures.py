"""Predictions to look at: the page, and the video with boxes and actions drawn into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.viz.frame_drawing import draw_persons
from lfb_lightning.viz.overlay_video import TrackedPerson, WrittenVideo, write_overlay_video, write_page_video
from lfb_lightning.viz.page import Page, PageAttention, PageRow, write_page
from lfb_lightning.viz.video_persons import PersonsBetweenMoments

if TYPE_CHECKING:
    from lfb_lightning.prediction.prediction import Prediction
    from lfb_lightning.prediction.scoring import Attention

PAGE, PAGE_VIDEO = "page.html", "video.mp4"
_LEAST_SHOWN = 0.01  # actions with a lower score are not on the page at any threshold


def save_page(folder: Path, prediction: Prediction, *, threshold: float, video: bool = True) -> Path:
    """Write the page, and with `video` the video for it; see `Prediction.save_page`."""
    _make(folder)
    if video:
        write_page_video(prediction.video, folder / PAGE_VIDEO)
    write_page(folder / PAGE, page_of(prediction, threshold=threshold))
    return folder / PAGE


def save_overlay(
    path: Path,
    prediction: Prediction,
    *,
    threshold: float,
    page_video: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> WrittenVideo:
    """Write the video with everything drawn into it; see `Prediction.save_overlay`.

    Args:
        path: The mp4 file.
        prediction: What is drawn.
        threshold: Score from which an action is drawn.
        page_video: Where the page's video is written in the same pass; None: nowhere.
        progress: Called with the second that is written.
    """
    _make(path.parent)
    persons = tracked_persons(prediction, threshold=threshold)
    return write_overlay_video(prediction.video, path, persons, page_video=page_video, progress=progress)


def drawn(
    frame: UInt8[np.ndarray, "H W 3"], prediction: Prediction, second: float, *, threshold: float
) -> UInt8[np.ndarray, "H W 3"]:
    """Draw a moment into a copy of a frame; see `Prediction.draw`."""
    between = PersonsBetweenMoments(tracked_persons(prediction, threshold=threshold))
    return draw_persons(frame, between.at(second))


def tracked_persons(prediction: Prediction, *, threshold: float) -> Iterator[tuple[float, Sequence[TrackedPerson]]]:
    """Give the moments with their persons as the overlay draws them, and those in between with the actions before."""
    glimpses = prediction.glimpses
    position = 0
    following = [*prediction.seconds[1:], np.inf]
    for second, until, persons in zip(prediction.seconds, following, prediction, strict=True):
        actions = {
            person.track: [(name, score) for name, score in person.actions.items() if score >= threshold]
            for person in persons
        }
        yield second, [TrackedPerson(track=one.track, box=one.box, actions=actions[one.track]) for one in persons]
        while position < len(glimpses.seconds) and glimpses.seconds[position] < until:
            between = glimpses.seconds[position]
            shown = []
            while position < len(glimpses.seconds) and glimpses.seconds[position] == between:
                track, box = int(glimpses.tracks[position]), tuple(glimpses.boxes[position].tolist())
                shown.append(TrackedPerson(track=track, box=box, actions=actions.get(track, [])))
                position += 1
            yield float(between), shown


def page_of(prediction: Prediction, *, threshold: float) -> Page:
    """Make the page's content of a prediction."""
    video = prediction.properties
    return Page(
        title=prediction.shown_name,
        video=PAGE_VIDEO,
        seconds=video.seconds,
        width=video.width,
        height=video.height,
        moments=prediction.seconds,
        actions=[prediction.actions[column] for column in sorted(prediction.actions)],
        rows=_PageRows(prediction),
        thumbnails=prediction.thumbnails,
        window=prediction.window,
        threshold=threshold,
        model=prediction.model,
        compare=prediction.compared,
    )


class _PageRows(Sequence[PageRow]):
    """The rows of a page, made as they are read: all those of three hours at once would take hundreds of megabytes."""

    def __init__(self, prediction: Prediction) -> None:
        self._prediction = prediction
        self._columns = sorted(prediction.actions)

    def __len__(self) -> int:
        return len(self._prediction.moment)

    def __getitem__(self, row: Any) -> Any:
        prediction, without = self._prediction, self._prediction.without
        return PageRow(
            moment=int(prediction.moment[row]),
            track=int(prediction.tracks[row]),
            box=tuple(prediction.boxes[row].tolist()),
            score=float(prediction.confidences[row]),
            actions=_shown(prediction.scores[row], self._columns),
            without=None if without is None else _shown(without[row], self._columns),
            attention=None if prediction.attention is None else _layers(prediction.attention, row),
        )


def _layers(attention: Attention, row: int) -> list[PageAttention]:
    return [
        PageAttention(
            empty=float(attention.empty[row, layer]),
            rest=float(attention.rest[row, layer]),
            rows=[
                (int(seen), float(weight))
                for seen, weight in zip(attention.rows[row, layer], attention.weights[row, layer], strict=True)
                if seen >= 0
            ],
        )
        for layer in range(attention.empty.shape[1])
    ]


def _shown(scores: np.ndarray, columns: Sequence[int]) -> list[tuple[int, float]]:
    """List index and score of the actions that may be shown, best first."""
    found = [(index, float(scores[column])) for index, column in enumerate(columns) if scores[column] >= _LEAST_SHOWN]
    return sorted(found, key=lambda pair: -pair[1])


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}).") from error
