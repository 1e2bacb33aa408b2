"""AVA-Kinetics: trained on AVA's movies and Kinetics' clips, evaluated on AVA's, so that figures compare with AVA's."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lfb_lightning.ava.kinetics import is_clip_name
from lfb_lightning.datasets.ava.settings import AvaSettings
from lfb_lightning.datasets.ava.split import AvaSplit
from lfb_lightning.datasets.ava.tables import AvaTables, Readers
from lfb_lightning.datasets.ava_kinetics.clip_videos import ClipVideos, TwoLibraries
from lfb_lightning.datasets.ava_kinetics.files import KineticsFiles, MovieFiles
from lfb_lightning.datasets.joined import JoinedSplit, Part
from lfb_lightning.errors import InputError
from lfb_lightning.ranges import refuse_unknown
from lfb_lightning.video.library import Library

_LONGEST_CLIP = 3600  # seconds; Kinetics' have ten


@dataclass(frozen=True, kw_only=True)
class AvaKineticsDataset(AvaSettings):
    """A data set of AVA's movies and Kinetics' clips, whose first frames lie at one second of the clock, `origin_second`.

    Args:
        kinetics_annotations: The official csv, or mmaction2's, which may be the file of `annotations`.
        kinetics_video_dir: The folder of the clips, with a folder per class in it or without.
        kinetics_proposals: Persons that a detector found; null: annotated persons alone. It may be the file of `proposals`.
        kinetics_source: As `source`; null: that of AVA.
        kinetics_splits: Splits that have a Kinetics part.
        kinetics_missing: `skip` leaves out what is annotated in videos that are not there, `refuse` refuses it.

    See `AvaSettings` for the other arguments.

    Raises:
        InputError: A value is out of its range; the message names the key.
    """

    kinetics_annotations: str
    kinetics_video_dir: str
    kinetics_proposals: str | None = None
    kinetics_source: str | None = None
    kinetics_splits: Sequence[str] = ("train",)
    kinetics_missing: str = "skip"

    def __post_init__(self) -> None:
        AvaSettings.__post_init__(self)
        refuse_unknown("data", self, {"kinetics_missing": ("skip", "refuse")})
        if self.kinetics_source is not None:
            refuse_unknown("data", self, {"kinetics_source": ("video", "frames", "cache")})
        if self.kinetics_source == "cache" and self.cache_dir is None:
            raise InputError("data.kinetics_source=cache needs data.cache_dir, the folder that lfb-cache wrote.")

    def split(self, name: str) -> JoinedSplit:
        """Return a split, whose tables are read when they are first needed.

        Args:
            name: Takes the place of `{split}` in the paths.

        Raises:
            InputError: It has a Kinetics part, and there is no csv of that.
        """
        parts = [Part("ava", self._movies(name), _is_movie)]
        if name in self.kinetics_splits:
            split, files = self._clips(name)
            parts.append(Part("kinetics", split, is_clip_name, files.report))
        return JoinedSplit(name, parts, bank_spacing=(self.key_step, self.used_ticks.start))

    @cached_property
    def videos(self) -> Library:
        """Where the frames come from: AVA's movies and Kinetics' clips."""
        return TwoLibraries(self.library, self._clip_videos, is_clip_name)

    def video_ids(self, split: str) -> Sequence[str]:
        """List the videos of a split that are annotated or have proposals on a used second."""
        clips = self._clips(split)[0].tables.video_ids() if split in self.kinetics_splits else []
        return [*self._movies(split).tables.video_ids(), *clips]

    def clip_moments(self, video_id: str) -> Sequence[float]:
        """List the used seconds of an AVA movie, or the annotated moments of a clip (and those with a proposal)."""
        ticks = self._ticks_of_clips.get(video_id, []) if is_clip_name(video_id) else self.used_ticks
        return [self.clock.seconds_in_video(tick) for tick in ticks]

    def describe_moments(self) -> dict[str, object]:
        """Describe what decides the used seconds, and the moments of all clips."""
        text = "\n".join(f"{clip} {ticks}" for clip, ticks in sorted(self._ticks_of_clips.items()))
        moments = {name: getattr(self, name) for name in ("origin_second", "first_second", "last_second", "key_step")}
        return moments | {"clips": hashlib.sha256(text.encode()).hexdigest()[:16]}

    def _movies(self, name: str) -> AvaSplit:
        merged = name in self.kinetics_splits and self.kinetics_proposals == self.proposals
        files = MovieFiles(merged_proposals=merged)
        tables = AvaTables(self, name, readers=Readers(files.annotations, files.proposals), videos=self.library)
        return AvaSplit(self, name, tables)

    def _clips(self, name: str) -> tuple[AvaSplit, KineticsFiles]:
        """Give the Kinetics part of a split, and what reads its files, which are read once."""
        if name not in self._made:
            self._made[name] = self._make_clips(name)
        return self._made[name]

    @cached_property
    def _made(self) -> dict[str, tuple[AvaSplit, KineticsFiles]]:
        return {}

    def _make_clips(self, name: str) -> tuple[AvaSplit, KineticsFiles]:
        path = Path(self.kinetics_annotations.replace("{split}", name))
        if not path.is_file():
            raise InputError(
                f"Kinetics annotations {path}: no such file; set paths.data_dir or data.kinetics_annotations; AVA alone is "
                "data=ava_v2_2."
            )
        shared = {field.name: getattr(self, field.name) for field in fields(AvaSettings)}
        settings = AvaSettings(**shared | self._of_clips)
        files = KineticsFiles(
            path,
            self._clip_videos,
            self.clock,
            refuse_missing=self.kinetics_missing == "refuse",
        )
        readers = Readers(files.annotations, files.proposals)
        tables = AvaTables(settings, name, readers=readers, videos=self._clip_videos, bank_step=self.key_step)
        return AvaSplit(settings, name, tables), files

    @property
    def _of_clips(self) -> dict[str, Any]:
        """What the settings of the Kinetics part have of their own: any tick of a clip is used, and nothing is excluded."""
        return {
            "annotations": self.kinetics_annotations,
            "proposals": self.kinetics_proposals or "",
            "video_dir": self.kinetics_video_dir,
            "source": self.kinetics_source or self.source,
            "excluded": None,
            "first_second": math.ceil(self.origin_second),
            "last_second": math.ceil(self.origin_second) + _LONGEST_CLIP,
            "key_step": 1,
            "expected_counts": {},
        }

    @cached_property
    def _clip_videos(self) -> ClipVideos:
        source = self.kinetics_source or self.source
        return ClipVideos(replace(self.library, video_dir=Path(self.kinetics_video_dir), source=source))

    @cached_property
    def _ticks_of_clips(self) -> dict[str, list[int]]:
        """The moments of each clip in any split."""
        ticks: dict[str, list[int]] = {}
        for name in self.kinetics_splits:
            for keyframe in self._clips(name)[0].used_keyframes():
                ticks.setdefault(keyframe.video_id, []).append(keyframe.timestamp)
        return ticks


def _is_movie(video_id: str) -> bool:
    return not is_clip_name(video_id)
