"""Reading a csv of boxes with their actions, which a spreadsheet or a script writes, or an annotation csv of AVA's form.

The first line names the columns: `video_id`, `second` or `frame` or `timestamp`, `x1,y1,x2,y2`, `action` (a name, or an id
of the label map), and `person` if persons are told apart. A file without such a line is read as AVA's: `video_id, timestamp,
x1, y1, x2, y2, action_id, person_id`. Seconds count from the video's start; timestamps are taken as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from lfb_lightning.converters.annotated_box import Action, AnnotatedBox, Notes
from lfb_lightning.converters.boxes_csv import CsvForm, Row, box_in, second_in, text_in
from lfb_lightning.converters.options import Options, video_id_of
from lfb_lightning.errors import InputError

_AVA = ("video_id", "timestamp", "x1", "y1", "x2", "y2", "action", "person")
_OTHER_NAMES = {"action_id": "action", "person_id": "person", "track": "person", "track_id": "person"}
_FORM = CsvForm(
    known=("video_id", "second", *_AVA[2:]),
    needed=_AVA[2:7],
    times=("frame", "second", "timestamp"),
    other_names=_OTHER_NAMES,
    without_header=(_AVA, _AVA[:7]),
)


def read_actions_csv(path: Path, options: Options, notes: Notes) -> Iterator[AnnotatedBox]:
    """Yield the box of each row that lies on a whole second.

    Args:
        path: The csv.
        options: How it is read; `size` says that boxes are pixels.
        notes: Collects what the user is told afterwards.

    Raises:
        InputError: The file is not such a csv, or a row is wrong.
    """
    largest = 0.0
    for row in _FORM.rows(path, options):
        corners, farthest = box_in(row, options)
        largest = max(largest, farthest)
        second = _second(row, options)
        if second is None:
            notes.count("rows that lie on no whole second, left out")
            continue
        person = row.values.get("person", "").strip()
        yield AnnotatedBox(
            video_id=options.video or video_id_of(text_in(row, "video_id"), row.where),
            second=second,
            corners=corners,
            actions=_actions(row),
            track=int(person) if person.isdecimal() and len(person) < 10 else person or None,
            part=str(path),
        )
    if options.size is not None and 0 < largest <= 1:
        raise InputError(f"{path}: all boxes lie within 0..1: they are fractions already; leave --size out.")


def _second(row: Row, options: Options) -> int | None:
    if "timestamp" not in row.values:
        return second_in(row, options.clock)
    as_it_is = replace(options.clock, rate=None, origin=Fraction(0))
    return second_in(Row(row.where, {"second": row.values["timestamp"]}), as_it_is)


def _actions(row: Row) -> tuple[Action, ...]:
    action = " ".join(text_in(row, "action").split())
    return (int(action) if action.isdecimal() and len(action) < 5 else action,)
