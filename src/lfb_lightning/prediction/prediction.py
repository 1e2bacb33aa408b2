"""The actions of the persons of a video, second by second: what `LFBPredictor` returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from lfb_lightning.clock import Clock
from lfb_lightning.prediction import documents, explaining, pictures
from lfb_lightning.prediction.observed import Glimpses
from lfb_lightning.prediction.scoring import Attention
from lfb_lightning.video.protocol import VideoProperties


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person at one moment.

    Args:
        second: The moment, since the video's first frame.
        track: Who it is: the same number at other moments is the same person, as far as the linker can tell.
        box: Normalized xyxy.
        confidence: The person detector's.
        actions: Score of each action by name, best first.
        without: The same of the detector that it is compared with; None where there is none.
    """

    second: float
    track: int
    box: tuple[float, float, float, float]
    confidence: float
    actions: Mapping[str, float]
    without: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The actions in a video of M moments and N persons in all, who are rows in order of time.

    Iterating gives each moment's persons.

    Args:
        video: The file.
        video_id: Its name in tables.
        properties: Its length, rate and size.
        clock: What `ticks` count, from the video's first frame.
        actions: Names by score column.
        model: What scored, in a line.
        window: Seconds that the memory reaches before and after a moment; None for a detector without memory.
        compared: What `without` is from, in a line; None without it.
        ticks: The moments.
        moment: Index of each row's moment.
        boxes: Normalized xyxy.
        confidences: The person detector's.
        tracks: Track ids.
        scores: By column.
        without: Scores of the detector that it is compared with, by column.
        attention: What the decisions looked at, where that was asked for.
        thumbnails: Second and JPEG of moments spread over the video.
        glimpses: Persons between the moments, where they were looked for more often.
        url: What the file is a copy of; None: of nothing.
    """

    video: Path
    video_id: str
    properties: VideoProperties
    clock: Clock
    actions: Mapping[int, str]
    model: str
    window: tuple[float, float] | None
    compared: str | None
    ticks: Int64[np.ndarray, " M"]
    moment: Int64[np.ndarray, " N"]
    boxes: Float64[np.ndarray, "N 4"]
    confidences: Float64[np.ndarray, " N"]
    tracks: Int64[np.ndarray, " N"]
    scores: Float32[np.ndarray, "N A"]
    without: Float32[np.ndarray, "N A"] | None
    attention: Attention | None
    thumbnails: Sequence[tuple[float, bytes]]
    glimpses: Glimpses
    url: str | None = None

    @property
    def shown_name(self) -> str:
        """How whoever sees the results knows the video: the file's name, or the URL that it was fetched from."""
        return self.video.name if self.url is None else self.url

    @property
    def seconds(self) -> list[float]:
        """The moments in seconds since the video's first frame."""
        return [self.clock.seconds_in_video(int(tick)) for tick in self.ticks]

    @property
    def whole_clips(self) -> bool:
        """Whether each region is the whole frame: clips were scored, and no persons."""
        return len(self.boxes) > 0 and bool((self.boxes == [0.0, 0.0, 1.0, 1.0]).all())

    def __len__(self) -> int:
        return len(self.ticks)

    def __iter__(self) -> Iterator[list[Person]]:
        bounds = np.searchsorted(self.moment, np.arange(len(self.ticks) + 1))
        for second, low, high in zip(self.seconds, bounds, bounds[1:], strict=False):
            yield [self._person(second, row) for row in range(low, high)]

    def at(self, second: float) -> list[Person]:
        """Give the persons of the moment nearest to a second; none for a video without moments."""
        if len(self.ticks) == 0:
            return []
        number = int(np.abs(np.array(self.seconds) - second).argmin())
        return [self._person(self.seconds[number], int(row)) for row in np.flatnonzero(self.moment == number)]

    def to_csv(self, path: str | Path, *, least_score: float = 0.0) -> None:
        """Write AVA's result csv: `video_id,timestamp,x1,y1,x2,y2,action_id,score`, seconds from the video's beginning.

        Args:
            path: The file.
            least_score: Scores below it are left out.
        """
        documents.write_csv(Path(path), self, least_score=least_score)

    def to_json(self, path: str | Path, *, least_score: float = 0.0) -> None:
        """Write everything as JSON; `docs/predict.md` describes the schema.

        Args:
            path: The file.
            least_score: Scores below it are left out.
        """
        documents.write_detections_json(Path(path), self, least_score=least_score)

    def save_page(self, folder: str | Path, *, threshold: float = 0.5) -> Path:
        """Write `page.html`, which shows everything beside the video as it plays, and the video for it.

        Args:
            folder: Where to; it is made if it is not there.
            threshold: Score from which the page shows an action at first.

        Returns:
            The page.
        """
        return pictures.save_page(Path(folder), self, threshold=threshold)

    def save_overlay(self, path: str | Path, *, threshold: float = 0.5) -> Sequence[str]:
        """Write the video with boxes, tracks and actions drawn into it.

        Args:
            path: The file, an mp4.
            threshold: Score from which an action is drawn.

        Returns:
            A line for each thing that is missing in it: pictures behind a damaged place, or sound.
        """
        return pictures.save_overlay(Path(path), self, threshold=threshold).problems

    def save_why(self, path: str | Path, *, second: float | int, track: int) -> None:
        """Draw one decision: the person, the scores without and with memory, and the attention over the window's seconds.

        Args:
            path: The file to write; its ending names the form.
            second: The moment; the nearest one is taken.
            track: The person.

        Raises:
            ValueError: The prediction has no attention, or the person is not there at that moment.
        """
        explaining.save_explanation(path, self, second=second, track=track)

    def draw(
        self, frame: UInt8[np.ndarray, "H W 3"], second: float, *, threshold: float = 0.5
    ) -> UInt8[np.ndarray, "H W 3"]:
        """Draw boxes, tracks and actions of a moment into a copy of a frame.

        Args:
            frame: RGB, of any size.
            second: The frame's time.
            threshold: Score from which an action is drawn.
        """
        return pictures.drawn(frame, self, second, threshold=threshold)

    def _person(self, second: float, row: int) -> Person:
        return Person(
            second=second,
            track=int(self.tracks[row]),
            box=tuple(self.boxes[row].tolist()),
            confidence=float(self.confidences[row]),
            actions=named_scores(self.scores[row], self.actions),
            without=None if self.without is None else named_scores(self.without[row], self.actions),
        )


def named_scores(scores: Float32[np.ndarray, " A"], actions: Mapping[int, str]) -> dict[str, float]:
    """Give the scores of a person by the names of the actions, the highest first.

    Args:
        scores: By score column.
        actions: The names by score column; columns without a name are left out.
    """
    columns = sorted(actions, key=lambda column: (-float(scores[column]), column))
    return {actions[column]: float(scores[column]) for column in columns}
