"""Writing annotated boxes as an annotation csv and a label map, which are kept only if they can be read back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lfb_lightning.ava.annotations import read_annotations, write_annotations
from lfb_lightning.ava.label_map import read_label_map, write_label_map
from lfb_lightning.converters.annotated_box import AnnotatedBox, Notes
from lfb_lightning.converters.geometry import Corners
from lfb_lightning.converters.numbering import number_actions, number_persons
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.structures import Keyframe

ANNOTATIONS, LABEL_MAP = "annotations.csv", "action_list.pbtxt"
_MOST_BOXES = 2_000_000  # AVA has 600,000
_NOTEWORTHY = 0.01  # of the picture; a box that reaches further outside of it is told to the user
_DECIMALS = 3  # that `write_annotations` writes
Row = tuple[Keyframe, Corners, int, int]


@dataclass(frozen=True, slots=True)
class Tables:
    """The content of an annotation csv and its label map.

    Args:
        rows: The rows, in the order of the file.
        names: The name of each action id.
    """

    rows: list[Row]
    names: dict[int, str]

    @property
    def num_actions(self) -> int:
        """The number of actions that have a row."""
        return len({action for _, _, action, _ in self.rows})

    @property
    def num_videos(self) -> int:
        """The number of videos that have a row."""
        return len({keyframe.video_id for keyframe, *_ in self.rows})


def tables_of(found: Iterable[AnnotatedBox], known: Mapping[int, str], notes: Notes) -> Tables:
    """Give the actions and persons of boxes their ids.

    Args:
        found: The boxes.
        known: The label map to extend, as names by id.
        notes: Collects what the user is told about boxes that are cut or left out.

    Raises:
        InputError: There are too many boxes, or the boxes of two files contradict each other.
    """
    boxes = list(islice(found, _MOST_BOXES + 1))
    if len(boxes) > _MOST_BOXES:
        raise InputError(
            f"more than {_MOST_BOXES} boxes: convert fewer files per call, with --label-map for the next ones."
        )
    boxes = [box for box in boxes if _is_kept(box, notes)]
    ids, names = number_actions((action for box in boxes for action in box.actions), known)
    persons = number_persons(boxes, notes)
    rows = {
        (Keyframe(box.video_id, box.second), clip_to_picture(box.corners), ids[action], person)
        for box, person in zip(boxes, persons, strict=True)
        for action in box.actions
    }
    return Tables(sorted(rows, key=lambda row: (row[0], row[3], row[2], row[1])), names)


def write_tables(folder: Path, tables: Tables) -> None:
    """Write `annotations.csv` and `action_list.pbtxt` into a folder, whole or not at all, after reading them back."""
    make_folder(folder)
    with scratch_folder() as scratch:
        label_map, annotations = scratch / LABEL_MAP, scratch / ANNOTATIONS
        write_label_map(label_map, tables.names)
        write_annotations(annotations, tables.rows)
        try:
            read_back = read_label_map(label_map)
            changed = [name for number, name in tables.names.items() if read_back.names.get(number) != name]
            read_annotations(annotations, read_back)
        except InputError as error:
            raise InputError(f"{folder}: the result cannot be read back ({error})") from error
        if changed or len(read_back.names) != len(tables.names):
            raise InputError(f"action {(changed or ['?'])[0]!r}: a label map cannot hold this name; rename it.")
        write_durably(folder / LABEL_MAP, label_map.read_bytes())
        write_durably(folder / ANNOTATIONS, annotations.read_bytes())


def clip_to_picture(corners: Corners) -> Corners:
    """Return the part of a box that lies inside the picture; corners are fractions."""
    x1, y1, x2, y2 = (min(1.0, max(0.0, value)) for value in corners)
    return x1, y1, x2, y2


def is_in_picture(corners: Corners, notes: Notes) -> bool:
    """Tell whether a box has an area inside the picture, to a csv's decimals; notes boxes that are cut or left out."""
    inside = clip_to_picture(corners)
    x1, y1, x2, y2 = (round(value, _DECIMALS) for value in inside)
    if x2 <= x1 or y2 <= y1:
        notes.count("boxes outside the picture or without an area, left out (is the picture's size right?)")
        return False
    if max(abs(value - kept) for value, kept in zip(corners, inside, strict=True)) > _NOTEWORTHY:
        notes.count("boxes reaching outside the picture, cut at its edge (is the picture's size right?)")
    return True


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; raises InputError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror or error}).") from error


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a temporary folder for files that are read back before they are kept, and remove it at the end."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    except OSError as error:
        raise InputError(f"{tempfile.gettempdir()}: cannot be written ({error.strerror or error}).") from error


def _is_kept(box: AnnotatedBox, notes: Notes) -> bool:
    if not is_in_picture(box.corners, notes):
        return False
    if not box.actions:
        notes.count(
            "boxes without an action, left out (a label says what a box is if it has attributes; see --action-from)"
        )
    return bool(box.actions)
