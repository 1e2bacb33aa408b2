"""Tracks of a bank's own persons: its boxes, linked video by video, say which rows show the same person."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int, Int32

from lfb_lightning.bank import FeatureBank
from lfb_lightning.boxes import iou_matrix
from lfb_lightning.errors import InputError
from lfb_lightning.persons.linking import UNKNOWN, link_rows, same_tracks
from lfb_lightning.structures import Keyframe

LEAST_IOU = 0.5  # of a region with the row of the bank that is taken to be the same person at the same moment
_MOST_AT_ONCE = 1000  # persons: pairing them with tracks takes memory and time by their square and cube
_KEPT_ROWS = 4_000_000  # 16 MB of tracks: AVA's training videos have a million rows


class BankTracks:
    """Links the rows of a bank to tracks, a video when it is first asked for; the last few million rows are kept.

    Tracks are linked from the bank alone, so they are the same in every process and in every order of asking. A row's
    track follows from that row and earlier ones: windows that end at their key frame learn nothing of what comes later.

    Args:
        bank: A bank of persons.
        aspect: Gives the width / height of a video's picture.
        kept_rows: Rows whose tracks are kept, at least those of one video.

    Raises:
        InputError: The bank's entries are whole clips, in which nobody can be followed.
    """

    def __init__(self, bank: FeatureBank, *, aspect: Callable[[str], float], kept_rows: int = _KEPT_ROWS) -> None:
        entries = bank.manifest.provenance.entries
        if entries == "clips":
            raise InputError(
                f"bank {bank.folder}: its entries are {entries}, and who is the same person is told by persons' boxes; "
                "train with fbo.identity=false, or on a bank of persons."
            )
        self._bank = bank
        self._aspect = aspect
        self._most = kept_rows
        self._rows = 0
        self._tracks: dict[str, Int32[np.ndarray, " N"]] = {}

    def of_video(self, video_id: str) -> Int32[np.ndarray, " N"]:
        """Give the track of every row of a video; of a video that is not in the bank, none.

        Raises:
            InputError: The bank has persons without boxes, or a crowd at one moment that nobody could follow.
        """
        known = self._tracks.get(video_id)
        if known is not None:
            return known
        ticks = self._bank.timestamps(video_id)
        self._refuse_crowds(video_id, ticks)
        boxes, scores = self._bank.boxes(video_id, range(len(ticks)))
        if len(boxes) and not boxes.any():
            raise InputError(
                f"bank {self._bank.folder}: its persons of video {video_id} have no boxes, as in a bank that was imported "
                "from a pickle, and who is the same person is told by boxes; write the bank with lfb-extract, or train with "
                "fbo.identity=false."
            )
        seconds = ticks / float(self._bank.manifest.provenance.clock.ticks_per_second)
        found = link_rows(seconds, boxes, scores, aspect=self._aspect(video_id) if len(ticks) else 1.0)
        while self._tracks and self._rows + len(found) > self._most:
            self._rows -= len(self._tracks.pop(next(iter(self._tracks))))
        self._tracks[video_id] = found
        self._rows += len(found)
        return found

    def _refuse_crowds(self, video_id: str, ticks: Int32[np.ndarray, " N"]) -> None:
        most = int(np.unique(ticks, return_counts=True)[1].max(initial=0))
        if most > _MOST_AT_ONCE:
            raise InputError(
                f"bank {self._bank.folder}: {most} persons at one moment of video {video_id}, and at most {_MOST_AT_ONCE} "
                "can be followed; write the bank with a higher data.bank_threshold, or train with fbo.identity=false."
            )

    def of_regions(self, keyframe: Keyframe, boxes: Float64[np.ndarray, "P 4"]) -> Int32[np.ndarray, " P"]:
        """Give the track of each region of a key frame: that of the bank's row there whose box overlaps it best.

        Args:
            keyframe: The moment, by the clock that the bank is asked with.
            boxes: The regions' normalized xyxy boxes.

        Returns:
            Their tracks, and `UNKNOWN` where no row overlaps by `LEAST_IOU` at least: at a moment that the bank does not
            have, for all of them.
        """
        rows = self._bank.row_range(keyframe)
        found = np.full(len(boxes), UNKNOWN, dtype=np.int32)
        if not rows or len(boxes) == 0:
            return found
        overlap = iou_matrix(boxes, self._bank.boxes(keyframe.video_id, rows)[0].astype(np.float64))
        tracks = self.of_video(keyframe.video_id)[rows.start : rows.stop]
        return np.where(overlap.max(axis=1) >= LEAST_IOU, tracks[overlap.argmax(axis=1)], found)

    def same_person(
        self,
        keyframes: Sequence[Keyframe],
        rows: Int[np.ndarray, "B S"],
        boxes: Float64[np.ndarray, "R 4"],
        clip_of_roi: Int[np.ndarray, " R"],
    ) -> Bool[np.ndarray, "R S"]:
        """Say which slots of its clip's window show the same person as each region.

        Args:
            keyframes: The clips' moments.
            rows: The row of the bank in each slot, -1 where one is empty (`FeatureBank.window_rows`).
            boxes: The regions' normalized xyxy boxes.
            clip_of_roi: The clip of each region, 0 to B - 1.
        """
        of_slots = np.full(rows.shape, UNKNOWN, dtype=np.int32)
        of_regions = np.full(len(boxes), UNKNOWN, dtype=np.int32)
        for clip, keyframe in enumerate(keyframes):
            here = clip_of_roi == clip
            of_regions[here] = self.of_regions(keyframe, boxes[here])
            filled = rows[clip] >= 0
            if (of_regions[here] != UNKNOWN).any() and filled.any():
                of_slots[clip, filled] = self.of_video(keyframe.video_id)[rows[clip, filled]]
        return same_tracks(of_slots, of_regions, clip_of_roi)
