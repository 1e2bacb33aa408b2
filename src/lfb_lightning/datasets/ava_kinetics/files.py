"""The Kinetics part's tables, and what was counted while they were read."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from lfb_lightning.ava.annotations import Annotations, read_annotations
from lfb_lightning.ava.box_rules import BOX_COLUMNS
from lfb_lightning.ava.kinetics import read_kinetics_rows, without_clips
from lfb_lightning.ava.kinetics_placing import PlacedRows, annotations_of, place_rows, proposals_of
from lfb_lightning.ava.label_map import LabelMap
from lfb_lightning.ava.proposals import ProposalTable, read_proposal_rows
from lfb_lightning.clock import Clock
from lfb_lightning.datasets.ava_kinetics.clip_videos import ClipVideos
from lfb_lightning.datasets.checks.findings import SplitReport
from lfb_lightning.errors import InputError

_log = logging.getLogger(__name__)
_NAMED = "lfb-check names them in check.json (kinetics_missing_videos)"


class KineticsFiles:
    """Reads the Kinetics part; a video that is missing is left out or refused.

    Args:
        path: The csv.
        clips: The clips that there are.
        clock: The data set's clock.
        refuse_missing: Whether a missing video is an error.
    """

    def __init__(self, path: Path, clips: ClipVideos, clock: Clock, *, refuse_missing: bool) -> None:
        self.path = path
        self.clips = clips
        self.clock = clock
        self.refuse_missing = refuse_missing
        self._without_people, self._names_clips = 0, False

    def __getstate__(self) -> dict[str, object]:
        """Copy to a loader's process what it needs: the tables are made of the rows by then."""
        return {name: value for name, value in vars(self).items() if name != "placed"}

    def annotations(self, path: Path, label_map: LabelMap, *, clock: Clock) -> Annotations:
        """Read the annotated persons of the clips that there are; see `read_annotations`."""
        return annotations_of(self.placed, label_map)

    def proposals(self, path: Path, *, images: Path | None, clock: Clock) -> ProposalTable:
        """Read the proposals at annotated moments; see `read_proposals`. No path: there are none."""
        if path == Path():
            rows = pd.DataFrame(columns=["video_id", "timestamp", *BOX_COLUMNS, "score"])
            return ProposalTable(rows.astype({"timestamp": np.int64}))
        return proposals_of(self.placed, read_proposal_rows(path, images=images, clock=clock), clock)

    @cached_property
    def placed(self) -> PlacedRows:
        """The rows of the clips that there are.

        Raises:
            InputError: The csv cannot be read, no clip is there, or one is missing that must not be.
        """
        read = read_kinetics_rows(self.path)
        self._without_people, self._names_clips = read.without_people, read.names_clips
        placed = place_rows(read, self.clips.table(), self.clock)
        folder = self.clips.library.video_dir
        if not len(placed.rows):
            example = f"{placed.missing[0][:11]}_000012_000022"
            raise InputError(
                f"Kinetics annotations {self.path}: none of {len(placed.missing)} videos has a clip in {folder}; expected "
                f"files or folders such as {example}; set data.kinetics_video_dir."
            )
        if placed.missing and self.refuse_missing:
            raise InputError(
                f"Kinetics annotations {self.path}: {self._missing(placed)}; get them, or leave them out: "
                "data.kinetics_missing=skip."
            )
        if placed.missing:
            _log.warning("Kinetics annotations %s: %s, left out; %s", self.path, self._missing(placed), _NAMED)
        if number := read.without_people:
            _log.info("Kinetics annotations %s: %d rows of other lengths are frames without people", self.path, number)
        return placed

    def report(self, report: SplitReport) -> None:
        """Add to the report of a check how many rows and videos were left out, and warn of seconds that are not exact."""
        placed = self.placed
        report.figures |= {
            "rows_without_people": self._without_people,
            "clips": int(placed.rows["clip"].nunique()),
            "missing_videos": list(placed.missing),
            "keyframes_of_missing_videos": placed.missing_moments,
            "timestamps_between_ticks": placed.between,
        }
        if placed.missing:
            report.add(
                "note",
                f"{self.path}: {self._missing(placed)}, left out",
                "check.json names them: kinetics_missing_videos; data.kinetics_missing=refuse makes it an error",
            )
        if self._names_clips:
            report.warn(
                f"{self.path}: its seconds are whole, as mmaction2's converter cuts them: frames are read up to a second "
                "before the one whose boxes they are",
                "take the official csv: data.kinetics_annotations=kinetics_{split}_v1.0.csv",
            )
        if placed.between:
            report.warn(
                f"{self.path}: {placed.between} timestamps are no multiples of {1 / self.clock.ticks_per_second} s, and are "
                "moved to the nearest",
                "a finer clock keeps them: data.ticks_per_second=100000",
            )

    def _missing(self, placed: PlacedRows) -> str:
        return (
            f"{len(placed.missing)} of {len(placed.missing) + placed.rows['video'].nunique()} videos have no clip in "
            f"{self.clips.library.video_dir} ({placed.missing_moments} annotated moments), the first is {placed.missing[0]}"
        )


class MovieFiles:
    """Reads AVA's part of files that may hold Kinetics' too, as mmaction2 merges them.

    Args:
        merged_proposals: Whether Kinetics' proposals are in the same file, under ids that look as AVA's do: those of videos
            without AVA's annotations are left out. Annotations are then read first.
    """

    def __init__(self, *, merged_proposals: bool) -> None:
        self.merged_proposals = merged_proposals
        self._movies: frozenset[str] = frozenset()

    def annotations(self, path: Path, label_map: LabelMap, *, clock: Clock) -> Annotations:
        """Read AVA's rows; see `read_annotations`."""
        found = without_clips(read_annotations(path, label_map, clock=clock))
        self._movies = frozenset(found.moments["video_id"].astype(str).unique())
        return found

    def proposals(self, path: Path, *, images: Path | None, clock: Clock) -> ProposalTable:
        """Read the proposals in AVA's movies; see `read_proposals`."""
        rows = read_proposal_rows(path, images=images, clock=clock)
        if self.merged_proposals:
            rows = rows[rows["video_id"].isin(self._movies)].reset_index(drop=True)
        return ProposalTable(rows)
