"""Numbering actions and persons so that ids keep their meaning over all files of a call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from lfb_lightning.converters.annotated_box import Action, AnnotatedBox, Notes
from lfb_lightning.errors import InputError

_LARGEST_PERSON = 2**31
Key = tuple[str, object]  # the part, and the track or (without one) the box itself


def number_actions(found: Iterable[Action], known: Mapping[int, str]) -> tuple[dict[Action, int], dict[int, str]]:
    """Give every action its id.

    Args:
        found: Actions of the boxes: names, or ids that the file holds as numbers.
        known: The label map to extend: its ids never change.

    Returns:
        The id of each action found, and the label map with the new ones. A number in a file stays the action's id; new
        names get the ids after the largest, in alphabetical order.
    """
    names = dict(known)
    id_of = {name: number for number, name in known.items()}
    if len(id_of) < len(known):
        twice = next(name for number, name in known.items() if id_of[name] != number)
        raise InputError(f"label map: action {twice!r} has two ids; give each name one.")
    found = set(found)
    for number in sorted(action for action in found if isinstance(action, int)):
        if number not in names:
            name = f"action {number}"
            if name in id_of:
                raise InputError(
                    f"label map: {name!r} has id {id_of[name]}, but the files have an action of id {number}."
                )
            names[number], id_of[name] = name, number
    for name in sorted(action for action in found if isinstance(action, str)):
        if name not in id_of:
            id_of[name] = max(names, default=0) + 1
            names[id_of[name]] = name
    return {action: action if isinstance(action, int) else id_of[action] for action in found}, names


def number_persons(boxes: Sequence[AnnotatedBox], notes: Notes) -> list[int]:
    """Give every box the id of its person, which is unique to a track within its video.

    Tracks that are whole numbers keep their numbers where these are free. A box without a track is a person of its own.

    Args:
        boxes: The boxes of all files.
        notes: Collects what the user is told about boxes without a track.

    Returns:
        The person id of each box.

    Raises:
        InputError: A second of a video is annotated in two parts, or a track has two boxes in one second.
    """
    keys_of_video: dict[str, dict[str, dict[object, None]]] = defaultdict(lambda: defaultdict(dict))
    seen: dict[tuple[str, int], str] = {}
    places: dict[tuple[str, int, str, object], tuple[float, ...]] = {}
    for box in boxes:
        other = seen.setdefault((box.video_id, box.second), box.part)
        if other != box.part:
            raise InputError(
                f"second {box.second} of video {box.video_id!r} is annotated in {other} and in {box.part}: the persons would "
                "be there twice; give one of them, or other ids to other videos."
            )
        track = _track_of(box)
        if places.setdefault((box.video_id, box.second, box.part, track), box.corners) != box.corners:
            raise InputError(
                f"{box.part}: track {box.track!r} has two boxes in second {box.second} of video {box.video_id!r}; expected "
                "one box per person and second."
            )
        keys_of_video[box.video_id][box.part][track] = None
    numbers = {video_id: _number_tracks(video_id, parts, notes) for video_id, parts in keys_of_video.items()}
    alone = sum(box.track is None for box in boxes)
    if alone:
        notes.count(
            "boxes without a track in the file, each a person of its own whose id is in no other second",
            alone,
        )
    return [numbers[box.video_id][box.part, _track_of(box)] for box in boxes]


def _track_of(box: AnnotatedBox) -> object:
    return (box.second, box.corners) if box.track is None else box.track


def _number_tracks(video_id: str, parts: Mapping[str, Iterable[object]], notes: Notes) -> dict[Key, int]:
    numbers: dict[Key, int] = {}
    taken: set[int] = set()
    for part, tracks in parts.items():
        own = {track for track in tracks if isinstance(track, int) and 0 <= track < _LARGEST_PERSON}
        shift = max(taken) + 1 if taken & own else 0
        if shift:
            notes.say(f"video {video_id!r}: {shift} is added to the person ids of {part}, which others have already")
        numbers |= {(part, track): track + shift for track in own}
        taken |= {track + shift for track in own}
    following = max(taken, default=0) + 1
    for part, tracks in parts.items():
        for track in tracks:
            if (part, track) not in numbers:
                numbers[part, track] = following
                following += 1
    return numbers
