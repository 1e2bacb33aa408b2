"""Reading Label Studio's JSON of videos: tracks (`videorectangle`) of keyframes, in percent of the picture.

As in Label Studio, a box moves linearly between keyframes. A keyframe with `enabled` false is the last one at which the
person is seen until the next keyframe; after the last enabled one, the box stays until the video ends (`framesCount`).
Frame f is the picture at f / rate seconds. The rate is that of the labeling interface, 24 unless it was set; it follows from
the file's `time`, or from `framesCount` and `duration`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from lfb_lightning.converters.actions import actions_of
from lfb_lightning.converters.annotated_box import AnnotatedBox, Notes
from lfb_lightning.converters.clock import Clock, checked_second
from lfb_lightning.converters.geometry import Corners, fractions_of, hull_of_rotated
from lfb_lightning.converters.json_entries import Entry, entry_of
from lfb_lightning.converters.options import Options, video_id_of
from lfb_lightning.errors import InputError
from lfb_lightning.files.json_file import read_json

_PERCENT = 100.0
_ABOUT_REGIONS = ("labels", "choices", "number")  # results that say something about the region of the same id
_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")  # Label Studio's prefix of an uploaded file's name
_VIDEO_ENDINGS = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".ogv", ".wmv", ".flv", ".ts")
_SLOWEST, _FASTEST = 0.01, 1000.0  # frames per second
_OTHER_RATE = 1e-3  # relative difference at which two rates are not the same


@dataclass(frozen=True, slots=True)
class _Keyframe:
    frame: int
    enabled: bool
    box: tuple[float, float, float, float]  # x, y, width, height in percent
    rotation: float


def read_label_studio(path: Path, options: Options, notes: Notes) -> Iterator[AnnotatedBox]:
    """Yield the boxes of a file's tracks on whole seconds.

    Args:
        path: The JSON file.
        options: How it is read.
        notes: Collects what the user is told afterwards.

    Raises:
        InputError: The file is not Label Studio's JSON, or a key that is needed is missing.
    """
    content = read_json(path, what="annotations")
    tasks = content if isinstance(content, list) else [content]
    if options.video is not None and len(tasks) > 1:
        raise InputError(
            f"--video {options.video}: {path} has {len(tasks)} tasks, each of its own video; leave --video out."
        )
    for number, value in enumerate(tasks):
        task = entry_of(value, f"{path}, task {number}", "a task of Label Studio's JSON export")
        for annotation in task.entries("annotations", hint="; expected Label Studio's export 'JSON', not 'JSON-MIN'"):
            if annotation.content.get("was_cancelled") is not True:
                yield from _boxes_of_annotation(annotation, task, options, notes)


def _boxes_of_annotation(annotation: Entry, task: Entry, options: Options, notes: Notes) -> Iterator[AnnotatedBox]:
    results = annotation.entries("result")
    for number, result in enumerate(results):
        kind = result.content.get("type")
        if kind != "videorectangle":
            if kind not in _ABOUT_REGIONS:
                notes.count(f"results of type {str(kind)[:30]!r} instead of 'videorectangle', left out")
            continue
        value = result.entry("value")
        keyframes = _keyframes(value)
        clock = options.clock.at(_rate(value, options.clock))
        region = result.text("id") if "id" in result else None
        related = [other for other in results if region is not None and other.content.get("id") == region]
        labels, attributes = _words([result] if region is None else related)
        actions = actions_of(labels, attributes, action_from=options.action_from, where=value.where, notes=notes)
        video_id = options.video or _video_id(task)
        for second, box in _visible(keyframes, _end(value, keyframes, notes), clock, value, options):
            # The region is the track. Its place in the list names it as well as its random id does, and is shorter.
            yield AnnotatedBox(video_id, second, box, actions, number + 1, annotation.where)


def _keyframes(value: Entry) -> list[_Keyframe]:
    keyframes = []
    for entry in value.entries("sequence"):
        enabled = entry.content.get("enabled", True)
        box = (entry.number("x"), entry.number("y"), entry.number("width"), entry.number("height"))
        rotation = entry.number("rotation") if "rotation" in entry else 0.0
        keyframes.append(_Keyframe(entry.whole("frame"), bool(enabled), box, rotation))
    if len({keyframe.frame for keyframe in keyframes}) < len(keyframes):
        raise InputError(f"{value.where}: two keyframes of the sequence have the same 'frame'.")
    return sorted(keyframes, key=lambda keyframe: keyframe.frame)


def _rate(value: Entry, clock: Clock) -> Fraction:
    """Return Label Studio's frames per second, which number the keyframes, whatever the video's own rate is."""
    stated = _stated_rate(value)
    rate = clock.rate or stated
    if rate is None:
        raise InputError(
            f"{value.where}: no 'time' in the sequence and no 'duration': give the labeling interface's frame rate "
            "(24 unless it was set) with --fps."
        )
    if stated is not None and abs(stated - rate) > _OTHER_RATE * rate:
        raise InputError(
            f"{value.where}: its frames are numbered at {float(stated):.6g} per second (Label Studio's frameRate), "
            f"but --fps is {float(rate):.6g}; leave --fps out."
        )
    return rate


def _stated_rate(value: Entry) -> Fraction | None:
    for entry in value.entries("sequence"):
        if "time" in entry and entry.number("time") > 0 and entry.whole("frame") > 0:
            rate = entry.whole("frame") / entry.number("time")
            if not _SLOWEST <= rate <= _FASTEST:
                raise InputError(
                    f"{entry.where}: frame {entry.whole('frame')} at 'time' {entry.number('time'):g} is no frame rate."
                )
            return Fraction(rate).limit_denominator(1001)
    if "framesCount" not in value or "duration" not in value or value.number("duration") <= 0:
        return None
    frames, duration = value.whole("framesCount"), value.number("duration")
    rate = round(frames / duration)  # framesCount is the duration times the rate, rounded up
    return Fraction(rate) if _SLOWEST <= rate <= _FASTEST and abs(frames - rate * duration) <= 1 else None


def _end(value: Entry, keyframes: list[_Keyframe], notes: Notes) -> int:
    """Return the last frame at which the track can be seen."""
    if not keyframes or not keyframes[-1].enabled:
        return keyframes[-1].frame if keyframes else 0
    if "framesCount" not in value:
        notes.say(f"{value.where}: no 'framesCount': the track ends with its last keyframe")
        return keyframes[-1].frame
    return max(keyframes[-1].frame, value.whole("framesCount") - 1)  # the last frame's time is the end of the video


def _visible(
    keyframes: list[_Keyframe], end: int, clock: Clock, value: Entry, options: Options
) -> Iterator[tuple[int, Corners]]:
    """Yield each whole second at which the track is seen, with its box."""
    assert clock.rate is not None
    rate, origin = float(clock.rate), float(clock.origin)
    for place, before in enumerate(keyframes):
        after = keyframes[place + 1] if place + 1 < len(keyframes) else before
        last = before.frame if not before.enabled else end if after is before else after.frame - 1
        earliest = math.ceil((before.frame - 1) / rate + origin)
        for second in range(max(earliest, math.ceil(origin)), math.floor((last + 1) / rate + origin) + 1):
            frame = max(1, clock.frame_of_second(second))  # frames are counted from 1, and 1 is also shown at time 0
            if before.frame <= frame <= last:
                yield checked_second(second, value.where), _corners(before, after, frame, value, options)


def _corners(before: _Keyframe, after: _Keyframe, frame: int, value: Entry, options: Options) -> Corners:
    share = (frame - before.frame) / (after.frame - before.frame) if after.frame > before.frame else 0.0
    x, y, width, height = (a + (b - a) * share for a, b in zip(before.box, after.box, strict=True))
    rotation = before.rotation + (after.rotation - before.rotation) * share
    if not rotation:
        return fractions_of((x, y, x + width, y + height), (_PERCENT, _PERCENT), value.where)
    if options.size is None:
        raise InputError(
            f"{value.where}: a box is rotated by {rotation:g} degrees, which needs the video's --size WxH."
        )
    per_x, per_y = options.size[0] / _PERCENT, options.size[1] / _PERCENT
    box = (x * per_x, y * per_y, (x + width) * per_x, (y + height) * per_y)
    return fractions_of(hull_of_rotated(box, rotation, (box[0], box[1])), options.size, value.where)


def _words(results: list[Entry]) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the labels of a region, and the choices made about it as attributes with the name of their control."""
    labels: list[str] = []
    choices: list[tuple[str, str]] = []
    for result in results:
        value = result.entry("value")
        labels += _texts(value, "labels")
        control = str(result.content.get("from_name", "choices"))
        choices += [(control, choice) for choice in _texts(value, "choices")]
        if "number" in value:
            choices.append((control, f"{value.number('number'):g}"))
    return list(dict.fromkeys(labels)), choices


def _texts(value: Entry, key: str) -> list[str]:
    found: Any = value.content.get(key) or []
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise InputError(f"{value.where}: '{key}' is no list of texts.")
    return found


def _video_id(task: Entry) -> str:
    data = task.entry("data").content if "data" in task else {}
    videos = [text for text in data.values() if isinstance(text, str) and _has_video_ending(text)]
    if len(videos) != 1 and "file_upload" in task:
        videos = [task.text("file_upload")]
    if len(videos) != 1:
        found = f"{len(videos)} videos in 'data'" if videos else "no video in 'data' and no 'file_upload'"
        raise InputError(f"{task.where}: {found}; name the video with --video.")
    uploaded = "/upload/" in videos[0] or videos[0] == task.content.get("file_upload")
    video_id = video_id_of(videos[0], task.where)
    return _UPLOADED.sub("", video_id) if uploaded else video_id


def _has_video_ending(text: str) -> bool:
    return text.partition("?X-Amz")[0].lower().endswith(_VIDEO_ENDINGS)
