"""A data set: events of whole videos, rows `video_id,begin,end,class` with fractional seconds, one action each."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from lfb_extension.accuracy import Accuracy
from lfb_lightning.clock import Clock, exact
from lfb_lightning.datasets import LabeledRegions, ScoreColumns
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Item, Keyframe, Proposals
from lfb_lightning.video import Video, VideoLibrary

WHOLE_FRAME = np.array([[0.0, 0.0, 1.0, 1.0]])


class Event(NamedTuple):
    """One row: ticks from `begin` to before `end`, and the place of its class in the list of classes."""

    video_id: str
    begin: int
    end: int
    action: int


class EventDataset:
    """Videos with events; its clock ticks once per frame.

    Args:
        video_dir: Folder of the videos, `<video id>.mp4`.
        annotations: Csv of a split's events; `{split}` becomes the split's name.
        class_names: What the classes are called, in the order of the score columns.
        ticks_per_second: Frame rate of the videos, such as 25 or 30000/1001.
        bank_step: Ticks from one moment of the bank to the next.
        views: Moments of an event whose scores are averaged.
    """

    def __init__(
        self,
        *,
        video_dir: str,
        annotations: str,
        class_names: Sequence[str],
        ticks_per_second: int | float | str,
        bank_step: int = 10,
        views: int = 2,
    ) -> None:
        self.videos = VideoLibrary(Path(video_dir))
        self.annotations = annotations
        self.class_names = list(class_names)
        self.clock = Clock.parse(ticks_per_second)
        self.bank_step = bank_step
        self.views = views

    def split(self, name: str) -> "EventSplit":
        """One of its splits."""
        path = Path(self.annotations.replace("{split}", name))
        if not path.is_file():
            raise InputError(f"split {name}: there is no {path}; see data.annotations.")
        with path.open(newline="") as file:
            events = [self._event(path, row) for row in csv.DictReader(file)]
        return EventSplit(self, name, events)

    def _event(self, path: Path, row: Mapping[str, str]) -> Event:
        seconds = [exact(str(row.get(key)), f"{path}: {key}") for key in ("begin", "end")]
        begin, end = (round(second * self.clock.ticks_per_second) for second in seconds)
        if row.get("class") not in self.class_names or begin >= end:
            raise InputError(f"{path}: {dict(row)} has an unknown class or no length; see data.class_names.")
        return Event(row["video_id"], begin, end, self.class_names.index(row["class"]))


class EventSplit:
    """One split: an item is an event, its only region the whole frame."""

    bank_threshold = 0.0  # no detector finds the regions

    def __init__(self, data: EventDataset, name: str, events: Sequence[Event]) -> None:
        self.data = data
        self.name = name
        self.events = events
        self.clock = data.clock

    def columns(self) -> ScoreColumns:
        """A column per class; none means "nothing"."""
        return ScoreColumns(len(self.data.class_names))

    def video(self, video_id: str) -> Video:
        """The file of a video."""
        return self.data.videos.open(video_id)

    def training_items(self) -> list[Item]:
        """Every event once per epoch."""
        return [Item(number, Keyframe(event.video_id, event.begin)) for number, event in enumerate(self.events)]

    def training_regions(self, item: Item, generator: torch.Generator) -> LabeledRegions:
        """The event at a moment that is drawn anew in each epoch."""
        event = self.events[item.number]
        tick = int(torch.randint(event.begin, event.end, (), generator=generator))
        labels = np.arange(len(self.data.class_names))[None] == event.action
        return LabeledRegions(Keyframe(event.video_id, tick), WHOLE_FRAME, np.ones(1), labels)

    def evaluation_items(self) -> list[Item]:
        """Every event at `views` moments, evenly spread."""
        return [
            Item(number, Keyframe(event.video_id, int(tick)))
            for number, event in enumerate(self.events)
            for tick in np.linspace(event.begin, event.end, self.data.views + 2)[1:-1]
        ]

    def evaluation_regions(self, item: Item) -> Proposals:
        """The whole frame."""
        return Proposals(WHOLE_FRAME, np.ones(1))

    def bank_keyframes(self, choice: str) -> list[Keyframe]:
        """Every `bank_step` ticks of each video, whatever `bank.keyframes` says."""
        videos = {event.video_id: self.video(event.video_id) for event in self.events}
        rate = float(self.clock.ticks_per_second)
        lengths = {video_id: int(video.properties().seconds * rate) for video_id, video in videos.items()}
        return [
            Keyframe(one, tick) for one, length in lengths.items() for tick in range(0, length, self.data.bank_step)
        ]

    def bank_regions(self, keyframe: Keyframe, choice: str) -> Proposals:
        """The whole frame."""
        return Proposals(WHOLE_FRAME, np.ones(1))

    def evaluator(self, *, action_threshold: float | None) -> Accuracy:
        """Top-1 accuracy, for which no score is too small."""
        return Accuracy([event.action for event in self.events], columns=self.columns().number)

    def describe(self) -> dict[str, object]:
        """Nothing but the clip's own settings decides its pixels."""
        return {}
