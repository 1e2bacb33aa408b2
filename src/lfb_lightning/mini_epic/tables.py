"""The csv files of mini-EPIC, column by column those of EPIC-Kitchens 100 or 55."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lfb_lightning.mini_ava.figure import SIZE
from lfb_lightning.mini_epic.scenario import NOUNS, TAIL_NOUNS, TAIL_VERBS, VERBS, Action

_TIMES = ["start_timestamp", "stop_timestamp", "start_frame", "stop_frame"]
_LABELS = ["verb", "verb_class", "noun", "noun_class", "all_nouns", "all_noun_classes"]
_COLUMNS_100 = ["narration_id", "participant_id", "video_id", "narration_timestamp", *_TIMES, "narration", *_LABELS]
_COLUMNS_55 = ["uid", "participant_id", "video_id", "narration", *_TIMES, *_LABELS]
_UNSEEN = ("P11", "P12")
_CENTISECONDS = 100


class ListedVideo(NamedTuple):
    """A video and what is done in it, in order of time."""

    video_id: str
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Flavor:
    """How one of the two data sets calls its videos.

    Args:
        name: Its name.
        train: The participants of the training videos.
        val: The participants of the validation videos.
        first_number: Of a participant's first video: three digits tell the videos of EPIC-100's own.
    """

    name: str
    train: tuple[str, ...]
    val: tuple[str, ...]
    first_number: int

    def video_ids(self, split: str, num_train: int, num_val: int) -> list[str]:
        """Name the videos of a split, dealt to its participants in turn; a number is never used twice."""
        owners = [self.train[number % len(self.train)] for number in range(num_train)]
        owners += [self.val[number % len(self.val)] for number in range(num_val)]
        width, counts, ids = len(f"{self.first_number:02d}"), dict.fromkeys(owners, self.first_number), []
        for owner in owners:
            ids.append(f"{owner}_{counts[owner]:0{width}d}")
            counts[owner] += 1
        return ids[:num_train] if split == "train" else ids[num_train:]


_SEEN = tuple(f"P{number:02d}" for number in range(1, 11))
EPIC100 = Flavor("epic100", _SEEN, (*_UNSEEN, *_SEEN), 101)
EPIC55 = Flavor("epic55", _SEEN, tuple(f"P{number:02d}" for number in range(26, 32)), 1)


def tables(flavor: Flavor, videos: Mapping[str, Sequence[ListedVideo]], *, seconds: int, fps: int) -> dict[str, str]:
    """Write all csv files.

    Args:
        flavor: Whose formats.
        videos: Those of each split.
        seconds: Their length.
        fps: Their frames per second.

    Returns:
        The text of each file by its name.
    """
    everything = [video for split in videos.values() for video in split]
    size = f"{SIZE}x{SIZE}"
    if flavor == EPIC55:
        info = [[video.video_id, size, f"{seconds:.2f}", f"{fps:.2f}"] for video in everything]
        return {
            "EPIC_train_action_labels.csv": _text(_COLUMNS_55, _rows_55(everything)),
            "EPIC_video_info.csv": _text(["video", "resolution", "duration", "fps"], info),
            "EPIC_verb_classes.csv": _text(["verb_id", "class_key", "verbs"], _named(VERBS)),
            "EPIC_noun_classes.csv": _text(["noun_id", "class_key", "nouns"], _named(NOUNS)),
        }
    info = [[video.video_id, f"{seconds:.2f}", f"{fps:.2f}", size] for video in everything]
    category = ["id", "key", "instances", "category"]
    return {
        "EPIC_100_train.csv": _text(_COLUMNS_100, _rows_100(videos["train"], fps)),
        "EPIC_100_validation.csv": _text(_COLUMNS_100, _rows_100(videos["val"], fps)),
        "EPIC_100_video_info.csv": _text(["video_id", "duration", "fps", "resolution"], info),
        "EPIC_100_verb_classes.csv": _text(category, [[*row, "motion"] for row in _named(VERBS)]),
        "EPIC_100_noun_classes.csv": _text(category, [[*row, "shape"] for row in _named(NOUNS)]),
        "EPIC_100_tail_verbs.csv": _text(["verb"], [[verb] for verb in TAIL_VERBS]),
        "EPIC_100_tail_nouns.csv": _text(["noun"], [[noun] for noun in TAIL_NOUNS]),
        "EPIC_100_unseen_participant_ids_validation.csv": _text(["participant_id"], [[one] for one in _UNSEEN]),
    }


def _rows_100(videos: Sequence[ListedVideo], fps: int) -> Iterable[list[Any]]:
    for video_id, actions in videos:
        for number, action in enumerate(actions):
            narrated = f"{_time(action.start)}0"  # to the millisecond
            narration = f"{VERBS[action.verb]} {NOUNS[action.noun]}"
            owner = video_id.partition("_")[0]
            head = [f"{video_id}_{number}", owner, video_id, narrated, *_times(action, fps), narration]
            yield [*head, *_labels(action)]


def _rows_55(videos: Sequence[ListedVideo]) -> Iterable[list[Any]]:
    uid = 0
    for video_id, actions in videos:
        for action in actions:
            narration = f"{VERBS[action.verb]} {NOUNS[action.noun]}"
            yield [uid, video_id.partition("_")[0], video_id, narration, *_times(action, 60), *_labels(action)]
            uid += 1


def _times(action: Action, rate: int) -> list[Any]:
    frames = [round(second * _CENTISECONDS) * rate // _CENTISECONDS for second in (action.start, action.stop)]
    return [_time(action.start), _time(action.stop), *frames]


def _time(second: float) -> str:
    minutes, left = divmod(round(second * _CENTISECONDS), 60 * _CENTISECONDS)
    return f"00:{minutes:02d}:{left // _CENTISECONDS:02d}.{left % _CENTISECONDS:02d}"


def _labels(action: Action) -> list[Any]:
    verb, noun = VERBS[action.verb], NOUNS[action.noun]
    return [verb, action.verb, noun, action.noun, str([noun]), str([action.noun])]


def _named(names: Sequence[str]) -> list[list[Any]]:
    return [[number, name, str([name])] for number, name in enumerate(names)]


def _text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    return text.getvalue()
