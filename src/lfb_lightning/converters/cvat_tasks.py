"""The tasks of a CVAT export: the video of each, its picture size, and which frames in the file belong to it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from lfb_lightning.converters.annotated_box import Notes
from lfb_lightning.converters.options import Options, video_id_of
from lfb_lightning.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task of CVAT, which is one video.

    Args:
        id: CVAT's number of the task, as text.
        video_id: The video's id.
        size: Width and height in pixels; None for a task of pictures, each of which has its own.
        first: Number of the first annotated frame in the video.
        end: The number after that of the last one, None where the file does not say how many there are.
        subset: The part of a project that it is in.
        offset: What CVAT has added to the video's frame numbers in this file.
    """

    id: str
    video_id: str
    size: tuple[float, float] | None
    first: int
    end: int | None
    subset: str
    offset: int = 0


def read_tasks(meta: ET.Element, path: Path, options: Options) -> list[Task]:
    """Read the tasks from a file's `<meta>`: those of a project, or the one task or job.

    Args:
        meta: The XML element.
        path: The file, for messages.
        options: How the file is read.

    Raises:
        InputError: There is no task, or one of them is not described as CVAT describes it.
    """
    of_project = meta.findall("project/tasks/task")
    found = of_project or meta.findall("task") or meta.findall("job")
    if not found:
        raise InputError(f"{path}, meta: no 'task', 'job' or 'project'; expected an export of CVAT.")
    if options.video is not None and len(found) > 1:
        raise InputError(
            f"--video {options.video}: {path} has {len(found)} tasks, each of its own video; leave --video out."
        )
    return [_read_task(task, meta, path, options) for task in found]


def with_offsets(tasks: list[Task], frames: dict[str, tuple[int, int]], path: Path, notes: Notes) -> list[Task]:
    """Find out from which frame the frames of each task are counted.

    In the export of a project, CVAT counts frames on from one task of a subset to the next; other programs keep each
    video's own numbers. Which of the two it is can be seen from the frames: only one of them puts all into their tasks'
    ranges.

    Args:
        tasks: The tasks in the file's order, without offsets.
        frames: Smallest and largest frame with a box, by task id.
        path: The file, for messages.
        notes: Collects what the user is told about offsets that are subtracted.

    Returns:
        The tasks with their offsets.

    Raises:
        InputError: The frames fit neither way of counting.
    """
    shifted = _with_running_offsets(tasks)
    if all(_lies_in(task, frames) for task in shifted):
        for task in shifted:
            if task.offset and task.id in frames:
                notes.say(
                    f"{path}, task {task.id}: frames are counted on from the tasks before it; {task.offset} taken off"
                )
        return shifted
    if all(_lies_in(task, frames) for task in tasks):
        return tasks
    task = next(task for task in tasks if not _lies_in(task, frames))
    raise InputError(
        f"{path}, task {task.id}: boxes on frames {frames[task.id][0]} to {frames[task.id][1]}, but it has {task.first} to "
        f"{(task.end or 0) - 1}; export it by itself ('Export task dataset')."
    )


def _read_task(task: ET.Element, meta: ET.Element, path: Path, options: Options) -> Task:
    task_id = task.findtext("id") or ""
    where = f"{path}, task {task_id}"
    name = task.findtext("source") or meta.findtext("source") or task.findtext("name") or path.name
    size = task.find("original_size")
    first, count = _whole(task, "start_frame", where) or 0, _whole(task, "size", where)
    step = re.search(r"step\s*=\s*([1-9]\d{0,8})", task.findtext("frame_filter") or "")
    return Task(
        id=task_id,
        video_id=options.video or video_id_of(name, where),
        size=None if size is None else (_pixels(size, "width", where), _pixels(size, "height", where)),
        first=first,
        end=None if count is None else first + count * int(step[1] if step else 1),
        subset=task.findtext("subset") or "",
    )


def _with_running_offsets(tasks: list[Task]) -> list[Task]:
    shifted: list[Task] = []
    offset, subset = 0, None
    for task in tasks:
        if task.end is None:
            return tasks
        if task.subset != subset:
            offset, subset = 0, task.subset
        shifted.append(replace(task, offset=offset))
        offset += task.end
    return shifted


def _lies_in(task: Task, frames: dict[str, tuple[int, int]]) -> bool:
    smallest, largest = frames.get(task.id, (task.first + task.offset, task.first + task.offset))
    return smallest - task.offset >= task.first and (task.end is None or largest - task.offset < task.end)


def _whole(task: ET.Element, key: str, where: str) -> int | None:
    text = (task.findtext(key) or "").strip()
    if text and not (text.isdecimal() and len(text) < 10):
        raise InputError(f"{where}: '{key}' is {text[:30]!r}, expected a whole number.")
    return int(text) if text else None


def _pixels(size: ET.Element, key: str, where: str) -> float:
    text = size.findtext(key) or ""
    if not text.strip().isdecimal() or len(text) > 9:
        raise InputError(f"{where}, original_size: '{key}' is {text[:30]!r}, expected pixels.")
    return float(text)


def frame_ranges(found: Iterable[tuple[str, int]]) -> dict[str, tuple[int, int]]:
    """Return the smallest and largest frame of each task, from pairs of task id and frame."""
    ranges: dict[str, tuple[int, int]] = {}
    for task_id, frame in found:
        smallest, largest = ranges.get(task_id, (frame, frame))
        ranges[task_id] = min(smallest, frame), max(largest, frame)
    return ranges
