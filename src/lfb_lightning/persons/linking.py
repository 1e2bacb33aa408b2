"""Links the persons of consecutive moments to tracks, at the low rates at which actions are annotated.

At AVA's one keyframe per second a walker's boxes do not overlap any more, so matching by IoU loses people. Here
persons are matched by how far they would have moved, measured in their own heights.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int32, Int64

from lfb_lightning.persons.assignment import cheapest_pairs

_TOO_FAR = 1e6  # a cost that no pair within the gate reaches
UNKNOWN = -1  # the track of who has none, and of an empty slot


@dataclass(slots=True)
class _Track:
    number: int
    second: float
    center: Float64[np.ndarray, " 2"]
    height: float
    velocity: Float64[np.ndarray, " 2"]


class PersonLinker:
    """Gives persons of consecutive moments their track ids, online.

    A track's next centre is predicted by its last velocity. A person may take a track if the distance to that prediction,
    in box heights, lies within a gate that grows with the time since the track was last seen; among all ways to pair them
    the one with the least distance and change of size is taken. Who is paired with nobody begins a track. The same moments
    always give the same ids, so a run that goes on replays the stored boxes.

    Args:
        aspect: Width / height of the picture, by which horizontal and vertical distances of normalized boxes are made
            comparable.
        reach: Box heights that a person may be off the predicted place at once.
        reach_per_second: By how much that grows with each second since the track was seen.
        patience: Seconds after which a track that was not seen has ended.
        size_penalty: Box heights of distance that doubling or halving the height is worth.
        inertia: Share of the velocity that a prediction follows: 0 stands still, 1 walks on.
    """

    def __init__(
        self,
        *,
        aspect: float = 16 / 9,
        reach: float = 0.4,
        reach_per_second: float = 0.8,
        patience: float = 3.0,
        size_penalty: float = 0.5,
        inertia: float = 0.7,
    ) -> None:
        if not 0 < aspect < np.inf:
            raise ValueError(f"aspect is {aspect}, expected width / height of the picture")
        self._aspect = aspect
        self._reach = reach
        self._reach_per_second = reach_per_second
        self._patience = patience
        self._size_penalty = size_penalty
        self._inertia = inertia
        self._tracks: list[_Track] = []
        self._next = 0
        self._second = -np.inf

    def link(
        self, second: float, boxes: Float64[np.ndarray, "P 4"], scores: Float64[np.ndarray, " P"]
    ) -> Int64[np.ndarray, " P"]:
        """Link the persons of the next moment.

        Args:
            second: The moment, later than the last one.
            boxes: The persons' normalized xyxy boxes; there may be none.
            scores: The detector's confidences, best first; new tracks are numbered in this order.

        Returns:
            The track of each person: 0, 1, ... in the order in which tracks begin; all different.

        Raises:
            ValueError: The moment is not later than the last one.
        """
        if not second > self._second:
            raise ValueError(f"second {second} follows second {self._second}; moments are linked in order")
        self._second = second
        self._tracks = [track for track in self._tracks if second - track.second <= self._patience]
        centers, heights = self._places(boxes)
        ids = np.full(len(boxes), -1, dtype=np.int64)
        if len(boxes) and self._tracks:
            cost = self._costs(second, centers, heights)
            for row, column in cheapest_pairs(cost):
                if cost[row, column] < _TOO_FAR:
                    self._follow(self._tracks[row], second, centers[column], float(heights[column]))
                    ids[column] = self._tracks[row].number
        for person in np.argsort(-scores, kind="stable"):
            if ids[person] < 0:
                ids[person], self._next = self._next, self._next + 1
                self._tracks.append(
                    _Track(int(ids[person]), second, centers[person], float(heights[person]), np.zeros(2))
                )
        return ids

    def _places(self, boxes: Float64[np.ndarray, "P 4"]) -> tuple[np.ndarray, np.ndarray]:
        """Give centres and heights in one unit, the picture's height."""
        scale = np.array([self._aspect, 1.0])
        return (boxes[:, :2] + boxes[:, 2:]) / 2 * scale, np.maximum(boxes[:, 3] - boxes[:, 1], 1e-3)

    def _costs(self, second: float, centers: np.ndarray, heights: np.ndarray) -> Float64[np.ndarray, "T P"]:
        gaps = np.array([second - track.second for track in self._tracks])
        velocity = np.stack([track.velocity for track in self._tracks])
        expected = np.stack([track.center for track in self._tracks]) + self._inertia * velocity * gaps[:, None]
        last_heights = np.array([track.height for track in self._tracks])[:, None]
        unit = np.sqrt(last_heights * heights)
        distance = np.linalg.norm(expected[:, None] - centers, axis=2) / unit
        allowed = (self._reach + self._reach_per_second * gaps)[:, None]
        change = np.abs(np.log2(heights / last_heights))
        return np.where(distance <= allowed, distance + self._size_penalty * change, _TOO_FAR)

    def _follow(self, track: _Track, second: float, center: np.ndarray, height: float) -> None:
        track.velocity = (center - track.center) / (second - track.second)
        track.second, track.center, track.height = second, center, height


def link_rows(
    seconds: Float64[np.ndarray, " N"],
    boxes: Float[np.ndarray, "N 4"],
    scores: Float[np.ndarray, " N"],
    *,
    aspect: float,
) -> Int32[np.ndarray, " N"]:
    """Link all persons of a video with a new `PersonLinker`, moment by moment.

    A row's track depends on its moment and those before it only, and not on the order in which a moment's rows are stored.

    Args:
        seconds: When each person was seen, in any order.
        boxes: Their normalized xyxy boxes.
        scores: The detector's confidences.
        aspect: Width / height of the picture.

    Returns:
        The track of each row: 0, 1, ...
    """
    tracks = np.full(len(seconds), UNKNOWN, dtype=np.int32)
    order = np.lexsort((*boxes.T, -scores, seconds))
    borders = np.flatnonzero(np.diff(seconds[order], prepend=-np.inf, append=np.inf))
    linker = PersonLinker(aspect=aspect)
    for first, last in pairwise(borders.tolist()):
        here = order[first:last]
        moment = (float(seconds[here[0]]), boxes[here].astype(np.float64), scores[here].astype(np.float64))
        tracks[here] = linker.link(*moment)
    return tracks


def same_tracks(
    track_of_slot: Int[np.ndarray, "B S"], track_of_region: Int[np.ndarray, " R"], clip_of_region: Int[np.ndarray, " R"]
) -> Bool[np.ndarray, "R S"]:
    """Say which slots of its clip's window are of each region's track.

    Args:
        track_of_slot: The track in each slot of B windows; `UNKNOWN` for an empty one.
        track_of_region: The track of each region; `UNKNOWN` where that is not known, which is nobody's.
        clip_of_region: The clip of each region, 0 to B - 1.
    """
    same: Bool[np.ndarray, "R S"] = track_of_slot[clip_of_region] == track_of_region[:, None]
    return same & (track_of_region != UNKNOWN)[:, None]
