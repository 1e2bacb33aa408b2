"""The files of one split in AVA's formats as tables, and which of their keyframes are used."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

from lfb_lightning.ava.action_groups import ava_groups
from lfb_lightning.ava.annotations import Annotations, no_annotations, read_annotations
from lfb_lightning.ava.excluded import read_excluded
from lfb_lightning.ava.keyframe_rows import KeyframeList, KeyframeRows
from lfb_lightning.ava.label_map import LabelMap, read_label_map
from lfb_lightning.ava.proposals import ProposalTable, read_proposals
from lfb_lightning.clock import Clock
from lfb_lightning.datasets.ava.settings import AvaSettings
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe
from lfb_lightning.video.library import Library

_log = logging.getLogger(__name__)
_ALWAYS_ANNOTATED = ("train", "val")


@runtime_checkable
class ReadsAnnotations(Protocol):
    """A reader of an annotation file, such as `read_annotations`."""

    def __call__(self, path: Path, label_map: LabelMap, *, clock: Clock) -> Annotations:
        """Read the file; see `read_annotations`."""
        ...


@runtime_checkable
class ReadsProposals(Protocol):
    """A reader of a file of proposals, such as `read_proposals`."""

    def __call__(self, path: Path, *, images: Path | None, clock: Clock) -> ProposalTable:
        """Read the file; see `read_proposals`."""
        ...


class Readers(NamedTuple):
    """What reads the files of a split, for a data set whose files are AVA's in other words."""

    annotations: ReadsAnnotations = read_annotations
    proposals: ReadsProposals = read_proposals


class AvaTables:
    """The tables of one split, read when they are first needed. Excluded keyframes are in none of them.

    The splits train and val have annotations. Any other may lack their file, as AVA's test split does: it is then
    served without truth, and may lack its excluded timestamps too.

    Args:
        data: Where the files lie and which of their seconds and persons are used.
        name: Name of the split.
        readers: What reads annotations and proposals.
        videos: Where the videos lie; None: where `data` says.
        bank_step: Ticks from one moment to the next with `bank.keyframes=every_second`; None: as between keyframes.
    """

    def __init__(
        self,
        data: AvaSettings,
        name: str,
        *,
        readers: Readers = Readers(),  # noqa: B008  it is a value
        videos: Library | None = None,
        bank_step: int | None = None,
    ) -> None:
        self.data = data
        self.name = name
        self.readers = readers
        self.videos: Library = data.videos if videos is None else videos
        self.bank_step = bank_step

    def path(self, template: str) -> Path:
        """Fill the split's name into a path of the configuration."""
        return Path(template.replace("{split}", self.name))

    @cached_property
    def label_map(self) -> LabelMap:
        """The data set's actions, or those of `data.classes` alone."""
        label_map = read_label_map(self.path(self.data.label_map))
        return label_map if self.data.classes is None else label_map.restricted_to(self.data.classes)

    @cached_property
    def excluded(self) -> frozenset[Keyframe]:
        """Keyframes that are not used."""
        path = None if self.data.excluded is None else self.path(self.data.excluded)
        if path is not None and self.is_without_truth and not path.is_file():
            _log.info("excluded timestamps %s: no such file; nothing is excluded from split %s", path, self.name)
            path = None
        return read_excluded(path, clock=self.data.clock)

    @cached_property
    def annotations(self) -> Annotations:
        """Ground truth, without the excluded keyframes."""
        return self.all_annotations().without(self.excluded)

    def all_annotations(self) -> Annotations:
        """Read the ground truth, excluded keyframes included; empty for a split without truth. It is not kept."""
        if self.is_without_truth:
            return no_annotations(self.label_map)
        path = self.path(self.data.annotations)
        if not path.is_file():
            raise InputError(f"annotations {path}: no such file; set paths.data_dir, or data.annotations.")
        return self.readers.annotations(path, self.label_map, clock=self.data.clock)

    @cached_property
    def proposals_path(self) -> Path:
        """The file of detected persons; of several, the first that is there."""
        named = self.data.proposals
        paths = [self.path(one) for one in ([named] if isinstance(named, str) else named)]
        return next((path for path in paths if path.is_file()), paths[0])

    @cached_property
    def proposals(self) -> ProposalTable:
        """Detected persons.

        Raises:
            InputError: None of them is on an annotated keyframe.
        """
        path = self.proposals_path
        images = None if self.data.proposal_images is None else self.path(self.data.proposal_images)
        annotated = self.annotations.persons if self.has_annotations else None  # read before the proposals
        table = self.readers.proposals(path, images=images, clock=self.data.clock)
        if self.has_proposals and annotated is not None and not table.persons.found_in_table(annotated).any():
            ours = next(iter(self.annotations.keyframes), None)
            theirs = next(iter(table.keyframes), None)
            raise InputError(
                f"proposals {path}: none of {len(table.keyframes)} keyframes is annotated in "
                f"{self.path(self.data.annotations)}; one there is '{theirs}', one here '{ours}'."
            )
        return table

    @property
    def has_proposals(self) -> bool:
        """Whether a file of proposals is named; a part of a data set may do with its annotated persons."""
        return bool(self.data.proposals)

    @property
    def has_annotations(self) -> bool:
        """Whether there is an annotation file."""
        return self.path(self.data.annotations).is_file()

    @property
    def is_without_truth(self) -> bool:
        """Whether nobody has annotated the split, nor had to: it can be extracted and tested, but has no mAP."""
        return self.name not in _ALWAYS_ANNOTATED and not self.has_annotations

    @property
    def class_groups(self) -> Mapping[str, Sequence[int]]:
        """The groups of actions reported beside the mAP: the configuration's, or AVA's where the actions are AVA's."""
        return ava_groups(self.label_map) if self.data.class_groups is None else self.data.class_groups

    def used_keyframes(self) -> list[Keyframe]:
        """List every used keyframe that is annotated or has proposals, sorted by video and time."""
        tables = [self.proposals.persons, *([self.annotations.persons] if self.has_annotations else [])]
        return sorted({keyframe for table in tables for keyframe in table.select(self.used(table))})

    def video_ids(self) -> list[str]:
        """List every video that is annotated or has proposals on a used second."""
        return sorted({keyframe.video_id for keyframe in self.used_keyframes()})

    def training_keyframes(self) -> KeyframeList:
        """List the annotated keyframes in the used range of seconds that have at least one listed action."""
        return self.annotations.persons.select(self.used(self.annotations.persons) & self.annotations.labeled)

    def proposal_keyframes(self, threshold: float) -> KeyframeList:
        """List the keyframes in the used range that have a proposal of at least `threshold`."""
        return self.proposals.persons.select(
            self.used(self.proposals.persons) & (self.proposals.best_scores >= threshold)
        )

    def used(self, table: KeyframeRows) -> Bool[np.ndarray, " K"]:
        """Say which of a table's K keyframes are on the used seconds and not excluded."""
        ticks, wanted = table.timestamps, self.data.used_ticks
        used = (ticks >= wanted.start) & (ticks < wanted.stop) & ((ticks - wanted.start) % wanted.step == 0)
        if self.excluded:
            used &= ~table.found_in(self.excluded)
        return used
