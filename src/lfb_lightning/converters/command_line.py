"""Turn another tool's annotations into AVA's files.

    python -m lfb_lightning.converters FORM FILE... OUT --fps 25

Forms:
  cvat          "CVAT for video 1.1" of a task or a whole project, or "CVAT for images 1.1" of a video task (XML)
  coco          COCO's JSON whose images are frames of videos (video_id and frame_id, or --frame-name)
  label-studio  Label Studio's JSON export of video tracks (videorectangle)
  via           VGG Image Annotator's JSON, version 3 (videos, pictures) and 2 (pictures); needs --size
  csv           a csv of boxes with their actions (video_id,second,x1,y1,x2,y2,action,person), or one of AVA's form
  boxes         a csv of person boxes, which becomes proposals.csv

OUT gets annotations.csv and action_list.pbtxt (boxes: proposals.csv); check them with `lfb-check data=ava_custom`. A key
frame is a whole second: the frame nearest to it is taken. An action has one id in all files of a call; for files to come,
pass the label map that was written with --label-map, and the ids stay.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.converters.annotated_box import Notes
from lfb_lightning.converters.boxes_csv import PROPOSALS, write_proposals
from lfb_lightning.converters.clock import Clock, parse_rate
from lfb_lightning.converters.forms import READERS, refuse_unreadable
from lfb_lightning.converters.options import Options, checked_video_id, parse_frame_name, parse_size
from lfb_lightning.converters.tables import ANNOTATIONS, LABEL_MAP, Tables, tables_of, write_tables
from lfb_lightning.errors import InputError, one_line

_PROGRAM = "annotations_to_ava"
_BAD_INPUT = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What stands after the command's name; by default what the user typed.

    Returns:
        The exit status: 0, or 1 if an input was refused.
    """
    try:
        for line in convert(sys.argv[1:] if arguments is None else arguments):
            print(line)
    except InputError as error:
        print(f"{_PROGRAM}: {error}", file=sys.stderr)
        return _BAD_INPUT
    return 0


def convert(arguments: Sequence[str]) -> list[str]:
    """Convert files.

    Args:
        arguments: What stands after the command's name.

    Returns:
        Lines that say what was written and what was noted.

    Raises:
        InputError: A file or an option cannot be used.
    """
    parsed = _parser().parse_args([_as_option(word) for word in arguments])
    notes = Notes()
    refuse_unreadable(parsed.files)
    done = _convert(parsed, _options(parsed), notes)
    return [done, *(one_line(f"note: {line}") for line in notes.lines())]


def _convert(parsed: argparse.Namespace, options: Options, notes: Notes) -> str:
    if parsed.form == "boxes":
        count = write_proposals(parsed.files, parsed.out, options, notes)
        return f"{count} boxes: {parsed.out / PROPOSALS}"
    reader = READERS[parsed.form]
    known = {} if parsed.label_map is None else read_label_map(parsed.label_map).names
    tables = tables_of((box for path in parsed.files for box in reader(path, options, notes)), known, notes)
    if not tables.rows:
        reasons = "; ".join(notes.lines())
        raise InputError(
            f"{parsed.files[0]}: no box with an action lies on a whole second{options.clock.words()}"
            f"{f' ({reasons})' if reasons else ''}."
        )
    if (parsed.out / ANNOTATIONS).exists():
        notes.say(f"{parsed.out / ANNOTATIONS} was there and is replaced: the rows that it had are no longer in it")
    write_tables(parsed.out, tables)
    _say_ids(tables, known, parsed, notes)
    return (
        f"{len(tables.rows)} rows, {tables.num_actions} actions, {tables.num_videos} videos: {parsed.out / ANNOTATIONS}"
    )


def _say_ids(tables: Tables, known: dict[int, str], parsed: argparse.Namespace, notes: Notes) -> None:
    new = [f"{number} {name!r}" for number, name in sorted(tables.names.items()) if number not in known]
    if new and known:
        notes.say(f"new in the label map: {', '.join(new)}")
    elif new:
        written = parsed.out / LABEL_MAP
        notes.say(f"ids: {', '.join(new)}; to keep them in the next files' conversion: --label-map={written}")


def _options(parsed: argparse.Namespace) -> Options:
    if parsed.first_frame < 0:
        raise InputError(f"--first-frame: {parsed.first_frame} found, expected 0 or more.")
    rate = None if parsed.fps is None else parse_rate(parsed.fps)
    frame_name = None if parsed.frame_name is None else parse_frame_name(parsed.frame_name)
    if parsed.video is not None and frame_name is not None and "video" in frame_name.groupindex:
        raise InputError(f"--video {parsed.video}: --frame-name has a group (?P<video>...) too; give one of them.")
    return Options(
        clock=Clock(rate=rate, origin=_origin(parsed.origin_second), first_frame=parsed.first_frame),
        video=None if parsed.video is None else checked_video_id(parsed.video, "--video"),
        frame_name=frame_name,
        action_from=tuple(parsed.action_from),
        person_from=parsed.person_from,
        size=None if parsed.size is None else parse_size(parsed.size),
        columns=None if parsed.columns is None else tuple(name.strip() for name in parsed.columns.split(",")),
    )


def _origin(second: float) -> Fraction:
    if not abs(second) < 1e9:
        raise InputError(f"--origin-second: {second} found, expected seconds.")
    return Fraction(second)


def _as_option(word: str) -> str:
    """Read `label_map=FILE`, as the other commands of this package write it, as `--label-map=FILE`."""
    return f"--label-map={word.partition('=')[2]}" if word.startswith("label_map=") else word


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("form", choices=(*READERS, "boxes"))
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    add = parser.add_argument
    add("--fps", help="annotated frames per second: 25, 29.97 or 30000/1001 (label-studio: stands in the file)")
    add(
        "--label-map",
        type=Path,
        metavar="FILE",
        help="label map to extend: its ids stay",
    )
    add("--video", metavar="ID", help="video id, for files of one video (default: the one in the file)")
    add("--origin-second", type=float, default=0.0, metavar="S", help="timestamp of the first frame (default 0)")
    add("--first-frame", type=int, default=0, metavar="N", help="number of the first frame (default 0)")
    add("--frame-name", metavar="REGEX", help="where a picture's name holds (?P<frame>...) and (?P<video>...)")
    add(
        "--action-from",
        action="append",
        default=[],
        metavar="NAME",
        help="attribute that holds actions, or label",
    )
    add("--person-from", metavar="NAME", help="attribute that holds the person's identity, in forms without tracks")
    add("--size", metavar="WxH", help="the picture's size in pixels, in forms that do not hold it (via, boxes)")
    add("--columns", metavar="NAMES", help="column names of a boxes csv without a header")
    return parser
