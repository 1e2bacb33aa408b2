"""Reading CVAT's XML: "CVAT for video 1.1" of a task, a job or a project, and "CVAT for images 1.1" of video tasks.

In the form for video, a track has an id and a box for every frame, interpolated by CVAT between its keyframes;
`outside="1"` means that the person is not in the picture. In the form for images, a picture has boxes without identities,
and its name is that of a frame, such as `frame_000025`.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lfb_lightning.converters.actions import actions_of, person_in
from lfb_lightning.converters.annotated_box import Action, AnnotatedBox, Notes
from lfb_lightning.converters.cvat_tasks import Task, frame_ranges, read_tasks, with_offsets
from lfb_lightning.converters.geometry import Corners, fractions_of, hull_of_rotated
from lfb_lightning.converters.options import FRAME_NAME_HINT, Options, video_id_of
from lfb_lightning.converters.xml_parts import xml_parts
from lfb_lightning.errors import InputError

_OTHER_SHAPES = frozenset({"polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton"})
_VIDEO_FRAME = re.compile(r"(?:^|/)frame_(\d{6,9})(?:\.\w+)?$")


@dataclass(frozen=True, slots=True)
class _Box:
    """A `<box>` with the `<track>` or `<image>` around it, its task and its frame's number in the file."""

    element: ET.Element
    holder: ET.Element
    task: Task
    frame: int
    where: str


def read_cvat(path: Path, options: Options, notes: Notes) -> Iterator[AnnotatedBox]:
    """Yield the boxes of a file on whole seconds.

    Args:
        path: The XML file.
        options: How it is read.
        notes: Collects what the user is told afterwards.

    Raises:
        InputError: The file is not an export of CVAT, or something that is needed is missing.
    """
    tasks = _tasks(path, options)
    if len(tasks) > 1:
        frames = frame_ranges((box.task.id, box.frame) for box in _boxes(path, tasks, options, Notes()))
        tasks = with_offsets(tasks, frames, path, notes)
    for box in _boxes(path, tasks, options, notes):
        second = options.clock.second_of_frame(box.frame - box.task.offset, str(path))
        if second is not None:
            yield _annotated(box, second, path, len(tasks) > 1, options, notes)


def _tasks(path: Path, options: Options) -> list[Task]:
    for _, meta in xml_parts(path, root="annotations", wanted=frozenset({"meta"})):
        return read_tasks(meta, path, options)
    raise InputError(f"{path}: no 'meta' with the task's name and size; expected an export of CVAT.")


def _boxes(path: Path, tasks: list[Task], options: Options, notes: Notes) -> Iterator[_Box]:
    """Yield every box of a person who is in the picture."""
    task_of = {task.id: task for task in tasks}
    for ancestors, element in xml_parts(path, root="annotations", wanted=frozenset({"box"}) | _OTHER_SHAPES):
        if element.tag in _OTHER_SHAPES:
            notes.count(f"shapes of the kind '{element.tag}', left out")
        elif ancestors[-1].tag in ("track", "image") and element.get("outside") != "1":
            yield _box(element, ancestors[-1], path, task_of, options)


def _box(element: ET.Element, holder: ET.Element, path: Path, task_of: dict[str, Task], options: Options) -> _Box:
    where = f"{path}, {holder.tag} {holder.get('id', '?')}"
    if len(task_of) > 1:
        task_id = _value(holder, "task_id", f"{where} (the file has {len(task_of)} tasks)")
        if task_id not in task_of:
            raise InputError(f"{where}: 'task_id' is {task_id[:30]!r}, which is no task of the file's 'meta'.")
        task = task_of[task_id]
    else:
        task = next(iter(task_of.values()))
    if holder.tag == "track":
        return _Box(element, holder, task, _whole(element, "frame", where), where)
    name = _value(holder, "name", where)
    if options.frame_name is not None:
        return _Box(element, holder, task, options.frame_in_name(name, where)[0], where)
    match = _VIDEO_FRAME.search(name)
    if match is None or task.size is None:  # CVAT writes a task's size for videos, and then names frames so
        raise InputError(
            f"{where}: no frame number: {name[:100]!r} is a picture and no frame of a video; {FRAME_NAME_HINT}."
        )
    return _Box(element, holder, task, int(match[1]), where)


def _annotated(box: _Box, second: int, path: Path, several: bool, options: Options, notes: Notes) -> AnnotatedBox:
    where = f"{box.where}, frame {box.frame}"
    attributes = [(_value(entry, "name", where), entry.text or "") for entry in box.element.iterfind("attribute")]
    acting = [(name, value) for name, value in attributes if name != options.person_from]
    label = box.holder.get("label") or box.element.get("label")
    video_id = box.task.video_id
    if box.holder.tag == "image" and options.frame_name is not None:
        named = options.frame_in_name(_value(box.holder, "name", where), where)[1]
        video_id = video_id_of(named, where) if named else video_id
    return AnnotatedBox(
        video_id,
        second,
        fractions_of(_upright(box, where), _size(box, where), where),
        actions_of([label] if label else [], acting, action_from=options.action_from, where=where, notes=notes),
        _track(box, attributes, options, where),
        f"{path}, task {box.task.id}" if several else str(path),
    )


def _upright(box: _Box, where: str) -> Corners:
    x1, y1, x2, y2 = (_number(box.element, side, where) for side in ("xtl", "ytl", "xbr", "ybr"))
    degrees = _number(box.element, "rotation", where) if box.element.get("rotation") else 0.0
    return hull_of_rotated((x1, y1, x2, y2), degrees, ((x1 + x2) / 2, (y1 + y2) / 2)) if degrees else (x1, y1, x2, y2)


def _size(box: _Box, where: str) -> tuple[float, float]:
    if box.holder.tag == "image":
        return _number(box.holder, "width", where), _number(box.holder, "height", where)
    if box.task.size is None:
        raise InputError(
            f"{where}: task {box.task.id} has no 'original_size' in the file's meta; export it from CVAT anew."
        )
    return box.task.size


def _track(box: _Box, attributes: list[tuple[str, str]], options: Options, where: str) -> Action | None:
    if options.person_from is not None:
        return person_in(dict(attributes), options.person_from)
    return _whole(box.holder, "id", where) if box.holder.tag == "track" else None


def _value(element: ET.Element, key: str, where: str) -> str:
    value = element.get(key)
    if value is None:
        raise InputError(f"{where}: <{element.tag}> has no '{key}'.")
    return value


def _whole(element: ET.Element, key: str, where: str) -> int:
    text = _value(element, key, where).strip()
    if not text.isdecimal() or len(text) > 9:
        raise InputError(f"{where}: '{key}' is {text[:30]!r}, expected a whole number.")
    return int(text)


def _number(element: ET.Element, key: str, where: str) -> float:
    text = _value(element, key, where)
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{where}: '{key}' is {text[:30]!r}, expected a number.") from error
