"""Converting a csv of person boxes to proposals in the csv form of FAIR's LFB and PySlowFast, which `data.proposals` reads.

A header or the user names the columns: `video_id`, `frame` or `second`, `x1,y1,x2,y2`, and optionally `score`. Boxes are
fractions of the picture, or pixels in pictures that all have one size.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.converters.annotated_box import Notes
from lfb_lightning.converters.clock import Clock
from lfb_lightning.converters.geometry import Corners, fractions_of
from lfb_lightning.converters.options import Options, video_id_of
from lfb_lightning.converters.tables import clip_to_picture, is_in_picture, make_folder, scratch_folder
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.structures import Keyframe

PROPOSALS = "proposals.csv"
_CORNERS = ("x1", "y1", "x2", "y2")
_TOLERANCE = 0.01  # of the picture, by which a box may reach over its edge
_LARGEST = 1e9
Proposal = tuple[Keyframe, Corners, float]


class Row(NamedTuple):
    """A row of a csv.

    Args:
        where: File and row, for messages.
        values: Text by the column's name.
    """

    where: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvForm:
    """Which columns a csv has.

    Args:
        known: Names of columns that are read, for messages.
        needed: Those that must be there.
        times: Columns of which one must be there.
        other_names: Names that are read as another one.
        without_header: Columns of files whose first line names none: those of as many columns.
    """

    known: Sequence[str]
    needed: Sequence[str] = _CORNERS
    times: Sequence[str] = ("frame", "second")
    other_names: Mapping[str, str] = field(default_factory=dict)
    without_header: Sequence[tuple[str, ...]] = ()

    def rows(self, path: Path, options: Options) -> Iterator[Row]:
        """Yield the rows of a file.

        Raises:
            InputError: It is not readable, or lacks a column.
        """
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                lines = csv.reader(file)
                first = [] if options.columns is not None else next(lines, [])
                bare = next((form for form in self.without_header if _fits(first, form)), None)
                names = bare or self._names(options.columns or first)
                self._check(path, names, given=options.columns is not None)
                if options.video is not None and "video_id" in names:
                    raise InputError(
                        f"--video {options.video}: {path} names the videos in 'video_id'; leave --video out."
                    )
                if bare is not None:
                    yield Row(f"{path}, row 1", dict(zip(names, first, strict=True)))
                for values in lines:
                    where = f"{path}, row {lines.line_num}"
                    if len(values) != len(names) and any(values):
                        raise InputError(f"{where}: {len(values)} columns, expected {','.join(names)}.")
                    if any(values):
                        yield Row(where, dict(zip(names, values, strict=True)))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: not a readable csv ({error}).") from error

    def _names(self, columns: Sequence[str]) -> tuple[str, ...]:
        return tuple(self.other_names.get(name.strip(), name.strip()) for name in columns)

    def _check(self, path: Path, names: tuple[str, ...], *, given: bool) -> None:
        missing = [name for name in self.needed if name not in names]
        if not missing and not set(self.times) & set(names):
            missing = ["frame' or 'second"]
        if missing or len(set(names)) < len(names):
            found = "--columns" if given else "the first line"
            raise InputError(
                f"{path}: no column '{(missing or ['x'])[0]}' in {found} {','.join(names)[:100]!r}; expected names such as "
                f"{','.join(self.known)}; a file without a header: --columns video_id,frame,{','.join(self.needed)}."
            )


_FORM = CsvForm(known=("video_id", "frame", "second", *_CORNERS, "score"))


def write_proposals(paths: list[Path], folder: Path, options: Options, notes: Notes) -> int:
    """Write the boxes of csv files on whole seconds as `proposals.csv`, whole or not at all.

    Args:
        paths: The csv files.
        folder: The folder to write into.
        options: How the files are read.
        notes: Collects what the user is told afterwards.

    Returns:
        How many boxes were written.

    Raises:
        InputError: A file is not such a csv, a row is wrong, or the proposals cannot be written.
    """
    lines = [
        f"{keyframe},{','.join(f'{value:.3f}' for value in box)},-1,{score:.6g}\n"
        for path in paths
        for keyframe, box, score in read_boxes(path, options, notes)
    ]
    if not lines:
        raise InputError(f"{paths[0]}: no box lies on a whole second{options.clock.words()}.")
    make_folder(folder)
    with scratch_folder() as scratch:
        (scratch / PROPOSALS).write_text("".join(lines), encoding="utf-8")
        try:
            read_proposals(scratch / PROPOSALS)
        except InputError as error:
            raise InputError(f"{folder}: the result cannot be read back ({error})") from error
        write_durably(folder / PROPOSALS, (scratch / PROPOSALS).read_bytes())
    return len(lines)


def read_boxes(path: Path, options: Options, notes: Notes) -> Iterator[Proposal]:
    """Yield keyframe, box (cut to the picture) and score of each row on a whole second; see `write_proposals`."""
    largest = 0.0
    for row in _FORM.rows(path, options):
        second = second_in(row, options.clock)
        box, farthest = box_in(row, options)
        largest = max(largest, farthest)
        if "score" not in row.values:
            notes.say(f"{path}: no column 'score': every box gets score 1, so no threshold drops any")
        score = _number(row, "score") if "score" in row.values else 1.0
        if not 0 <= score <= 1:
            raise InputError(f"{row.where}: score is {score:g}, expected 0 to 1.")
        if second is not None and is_in_picture(box, notes):
            video_id = options.video or video_id_of(text_in(row, "video_id"), row.where)
            yield Keyframe(video_id, second), clip_to_picture(box), score
    if options.size is not None and 0 < largest <= 1:
        raise InputError(
            f"{path}: all boxes lie within 0..1: they are fractions of the picture already; leave --size out."
        )


def box_in(row: Row, options: Options) -> tuple[Corners, float]:
    """Read the box of a row as fractions of the picture, and its largest number as it is written.

    Raises:
        InputError: It is no box, or in pixels of a picture whose size is not known.
    """
    x1, y1, x2, y2 = (_number(row, column) for column in _CORNERS)
    box = fractions_of((x1, y1, x2, y2), options.size or (1.0, 1.0), row.where)
    if options.size is None and not -_TOLERANCE <= min(box) <= max(box) <= 1 + _TOLERANCE:
        raise InputError(
            f"{row.where}: box {[x1, y1, x2, y2]} is in pixels; give the pictures' size with --size WIDTHxHEIGHT."
        )
    return box, max(map(abs, (x1, y1, x2, y2)))


def second_in(row: Row, clock: Clock) -> int | None:
    """Return the whole second of a row's `frame` or `second`, or None where it is the nearest frame of none."""
    time = _number(row, "frame" if "frame" in row.values else "second")
    if "frame" not in row.values:
        return clock.second_of_time(time, row.where)
    if not time.is_integer():
        raise InputError(f"{row.where}: frame is {time:g}, expected a whole number.")
    return clock.second_of_frame(int(time), row.where)


def text_in(row: Row, column: str) -> str:
    """Return the text of a column; raises InputError where it is empty."""
    if not (text := row.values.get(column, "").strip()):
        hint = "; a file of one video: --video NAME" if column == "video_id" else ""
        raise InputError(f"{row.where}: no '{column}'{hint}.")
    return text


def _number(row: Row, column: str) -> float:
    text = row.values[column]
    number = float(text) if _is_number(text) else math.nan
    if not math.isfinite(number) or abs(number) > _LARGEST:
        raise InputError(f"{row.where}: {column} is {text[:30]!r}, expected a number.")
    return number


def _fits(first: Sequence[str], columns: Sequence[str]) -> bool:
    """Whether a first line is a row of these columns: it has as many, and a number where the time belongs."""
    return len(first) == len(columns) and _is_number(first[1])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
