"""Converting a csv of person boxes to proposals in the csv form of FAIR's LFB and PySlowFast, which `data.proposals` reads.

A header or the user names the columns: `video_id`, `frame` or `second`, `x1,y1,x2,y2`, and optionally `score`. Boxes are
fractions of the picture, or pixels in pictures that all have one size.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.converters.annotated_box import Notes
from lfb_lightning.converters.geometry import Corners, fractions_of
from lfb_lightning.converters.options import Options, video_id_of
from lfb_lightning.converters.tables import clip_to_picture, is_in_picture, make_folder, scratch_folder
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.structures import Keyframe

PROPOSALS = "proposals.csv"
_CORNERS = ("x1", "y1", "x2", "y2")
_KNOWN = ("video_id", "frame", "second", *_CORNERS, "score")
_TOLERANCE = 0.01  # of the picture, by which a box may reach over its edge
_LARGEST = 1e9
Row = tuple[Keyframe, Corners, float]


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


def read_boxes(path: Path, options: Options, notes: Notes) -> Iterator[Row]:
    """Yield keyframe, box (cut to the picture) and score of each row on a whole second; see `write_proposals`."""
    largest = 0.0
    for where, row in _rows(path, options):
        second = _second(row, options, where)
        values = [_number(row, column, where) for column in _CORNERS]
        largest = max(largest, *map(abs, values))
        box = fractions_of((values[0], values[1], values[2], values[3]), options.size or (1.0, 1.0), where)
        if options.size is None and not -_TOLERANCE <= min(box) <= max(box) <= 1 + _TOLERANCE:
            raise InputError(f"{where}: box {values} is in pixels; give the pictures' size with --size WIDTHxHEIGHT.")
        if "score" not in row:
            notes.say(f"{path}: no column 'score': every box gets score 1, so no threshold drops any")
        score = _number(row, "score", where) if "score" in row else 1.0
        if not 0 <= score <= 1:
            raise InputError(f"{where}: score is {score:g}, expected 0 to 1.")
        if second is not None and is_in_picture(box, notes):
            video_id = options.video or video_id_of(_text(row, "video_id", where), where)
            yield Keyframe(video_id, second), clip_to_picture(box), score
    if options.size is not None and 0 < largest <= 1:
        raise InputError(
            f"{path}: all boxes lie within 0..1: they are fractions of the picture already; leave --size out."
        )


def _rows(path: Path, options: Options) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            names = options.columns or tuple(name.strip() for name in next(lines, []))
            _check_columns(path, names, given=options.columns is not None)
            if options.video is not None and "video_id" in names:
                raise InputError(f"--video {options.video}: {path} names the videos in 'video_id'; leave --video out.")
            for values in lines:
                where = f"{path}, row {lines.line_num}"
                if len(values) != len(names) and any(values):
                    raise InputError(f"{where}: {len(values)} columns, expected {','.join(names)}.")
                if any(values):
                    yield where, dict(zip(names, values, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable csv ({error}).") from error


def _check_columns(path: Path, names: tuple[str, ...], *, given: bool) -> None:
    missing = [name for name in _CORNERS if name not in names]
    if not missing and not {"frame", "second"} & set(names):
        missing = ["frame' or 'second"]
    if missing or len(set(names)) < len(names):
        found = "--columns" if given else "the first line"
        raise InputError(
            f"{path}: no column '{(missing or ['x'])[0]}' in {found} {','.join(names)[:100]!r}; expected names such as "
            f"{','.join(_KNOWN)}; a file without a header: --columns video_id,frame,x1,y1,x2,y2."
        )


def _second(row: dict[str, str], options: Options, where: str) -> int | None:
    time = _number(row, "frame" if "frame" in row else "second", where)
    if "frame" not in row:
        return options.clock.second_of_time(time, where)
    if not time.is_integer():
        raise InputError(f"{where}: frame is {time:g}, expected a whole number.")
    return options.clock.second_of_frame(int(time), where)


def _text(row: dict[str, str], column: str, where: str) -> str:
    if not row.get(column, "").strip():
        raise InputError(f"{where}: no '{column}'; a file of one video: --video NAME.")
    return row[column].strip()


def _number(row: dict[str, str], column: str, where: str) -> float:
    try:
        number = float(row[column])
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or abs(number) > _LARGEST:
        raise InputError(f"{where}: {column} is {row[column][:30]!r}, expected a number.")
    return number
