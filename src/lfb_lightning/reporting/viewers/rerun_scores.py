"""Scores of actions over a video's time, as Rerun's scalars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lfb_lightning.reporting.viewers.rerun_layout import KEY_FRAME, TIME
from lfb_lightning.reporting.viewers.scenes import PREDICTIONS, TRUTH, Moment

if TYPE_CHECKING:
    import rerun as rr

_SHOWN = 10  # series in the plot at first: those of the highest scores


class Scores:
    """Collects the scores of a video, to be sent column by column: AVA has millions of them."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, int | None, int], dict[int, float]] = {}
        self._seconds: list[float] = []

    def add(self, number: int, moment: Moment) -> None:
        """Add a key frame; of persons without a track, an action has the highest of their scores.

        Args:
            number: The key frame's number.
            moment: The key frame.
        """
        self._seconds.append(moment.second)
        for layer, persons in moment.persons.items():
            for person in persons if layer != TRUTH else ():
                for mark in person.marks:
                    series = self._values.setdefault((layer, person.track, mark.action), {})
                    series[number] = max(series.get(number, 0.0), mark.score or 0.0)

    def send(self, recording: rr.RecordingStream, root: str, names: Mapping[int, str]) -> list[str]:
        """Send everything, a series for each action of each person.

        Args:
            recording: Where to.
            root: The path that the series are below.
            names: The actions' names.

        Returns:
            The paths of the series with the highest scores, best first.
        """
        import rerun as rr

        best: list[tuple[float, str]] = []
        for (layer, track, action), series in sorted(self._values.items(), key=lambda item: str(item[0])):
            who = [] if track is None else [f"person {track}"]
            name = names.get(action, str(action))
            path = root + rr.new_entity_path([layer, *who, name])
            said = [*who, name] if layer == PREDICTIONS else [layer.replace("_", " "), *who, name]
            recording.log(path, rr.SeriesPoints(names=" ".join(said), marker_sizes=3.0), static=True)
            numbers = list(series)
            recording.send_columns(
                path,
                indexes=[
                    rr.TimeColumn(TIME, duration=np.array([self._seconds[number] for number in numbers])),
                    rr.TimeColumn(KEY_FRAME, sequence=numbers),
                ],
                columns=rr.Scalars.columns(scalars=np.array(list(series.values()))),
            )
            best.append((-max(series.values()), path))
        return [path for _, path in sorted(best)[:_SHOWN]]
