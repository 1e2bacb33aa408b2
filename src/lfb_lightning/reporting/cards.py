"""The key frames that a report shows, with their pictures."""

from __future__ import annotations

import base64
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from lfb_lightning.errors import InputError
from lfb_lightning.reporting.evaluation import Evaluation, Evaluator, second_of
from lfb_lightning.reporting.key_frames import choose, frame_scores, regions
from lfb_lightning.reporting.pictures import picture
from lfb_lightning.reporting.subjects import Subject


class Cards:
    """Makes the cards of key frames; a picture that several of them show is stored once.

    Args:
        evaluator: Which numbered the videos.
        number: How many key frames a list has.
    """

    def __init__(self, evaluator: Evaluator, number: int) -> None:
        self._evaluator = evaluator
        self._number = number
        self._places: dict[Hashable, int] = {}
        self.pictures: list[dict[str, Any]] = []

    def best_and_worst(self, subject: Subject) -> dict[str, Any] | None:
        """Make the lists of one subject; None if it was not evaluated, or on nothing."""
        evaluation = subject.evaluation
        frames, scores = (None, None) if evaluation is None else frame_scores(evaluation)
        if evaluation is None or frames is None or scores is None or not len(frames) or not self._number:
            return None

        def cards(order: np.ndarray) -> list[dict[str, Any]]:
            places = choose(evaluation, order, frames, self._number)
            return [self._card(subject, evaluation, int(frames[place]), float(scores[place])) for place in places]

        return {"frames": len(frames), "mean": float(scores.mean()), "best": cards(scores), "worst": cards(-scores)}

    def changes(self, first: Subject, second: Subject) -> dict[str, Any] | None:
        """Make the lists of the key frames that the second subject does better and worse; None without any."""
        one, two = first.evaluation, second.evaluation
        if one is None or two is None or not self._number:
            return None
        (frames_one, scores_one), (frames_two, scores_two) = frame_scores(one), frame_scores(two)
        _, places_one, places_two = np.intersect1d(one.keys[frames_one], two.keys[frames_two], return_indices=True)
        frames, gain = frames_two[places_two], scores_two[places_two] - scores_one[places_one]

        def cards(order: np.ndarray) -> list[dict[str, Any]]:
            chosen = [place for place in choose(two, order, frames, self._number) if order[place] > 0]
            return [
                self._card(second, two, int(frames[place]), float(scores_two[places_two][place]))
                | {"gain": float(gain[place])}
                for place in chosen
            ]

        return {"gained": cards(gain), "lost": cards(-gain)}

    def _card(self, subject: Subject, evaluation: Evaluation, frame: int, score: float) -> dict[str, Any]:
        key = int(evaluation.keys[frame])
        video, second = self._evaluator.video_id(key), second_of(key)
        place = self._picture(subject, video, second)
        found = regions(evaluation, frame)
        scale = _scale([one.box for one in found], self.pictures[place])
        return {
            "video": video,
            "second": second,
            "score": score,
            "picture": place,
            "regions": [
                {
                    "box": [round(corner / side, 5) for corner, side in zip(one.box, scale, strict=True)],
                    "annotated": one.annotated,
                    "found": [[str(action), value] for action, value in one.found],
                    "missed": [str(action) for action in one.missed],
                    "false": [[str(action), value] for action, value in one.false],
                }
                for one in found
            ],
        }

    def _picture(self, subject: Subject, video: str, second: float) -> int:
        sources = subject.sources
        key = video, second, sources.videos, sources.frames, sources.origin_second, sources.fps
        if key not in self._places:
            self._places[key] = len(self.pictures)
            try:
                jpeg, width, height = picture(sources, video, second)
                shown = {"jpeg": base64.b64encode(jpeg).decode(), "width": width, "height": height}
            except InputError as error:
                shown = {"jpeg": None, "width": None, "height": None, "why": str(error)}
            self.pictures.append(shown)
        return self._places[key]


def _scale(boxes: Sequence[Sequence[float]], shown: dict[str, Any]) -> tuple[float, float, float, float]:
    """Return by what corners are divided to be fractions of the picture: by its sides if they are pixels."""
    right = max((max(box[0], box[2]) for box in boxes), default=1.0)
    bottom = max((max(box[1], box[3]) for box in boxes), default=1.0)
    if max(right, bottom) <= 2:
        return 1.0, 1.0, 1.0, 1.0
    width, height = float(shown["width"] or right), float(shown["height"] or bottom)
    return width, height, width, height
