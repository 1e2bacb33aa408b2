"""`lfb-new`: begin a project of one's own, from nothing or from another tool's annotations."""

from __future__ import annotations

import math
import re
import shlex
import sys
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from omegaconf import DictConfig

from lfb_lightning.ava.annotations import write_annotations
from lfb_lightning.ava.label_map import read_label_map, write_label_map
from lfb_lightning.cli.app import launch
from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.cli.option_names import in_keys
from lfb_lightning.cli.project import Project, example, split_rows
from lfb_lightning.converters.annotated_box import Notes
from lfb_lightning.converters.clock import Clock, parse_rate
from lfb_lightning.converters.forms import READERS, refuse_unreadable
from lfb_lightning.converters.options import Options, parse_frame_name, parse_size
from lfb_lightning.converters.tables import Tables, tables_of
from lfb_lightning.errors import InputError, one_line
from lfb_lightning.files.durable import write_durably
from lfb_lightning.files.objects.url import is_url
from lfb_lightning.video import VideoLibrary

_FORMS = {"labelstudio" if form == "label-studio" else form: form for form in READERS}
_EXAMPLE_SECONDS = 600  # that are used where nothing says how long the videos are
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")


def new(cfg: DictConfig, run_dir: Path) -> int:
    """Write a project folder.

    Args:
        cfg: The composed configuration.
        run_dir: The run folder, which is not used.

    Returns:
        The exit status 0.

    Raises:
        InputError: The name cannot be used, its folder is there, or the annotations cannot be read.
    """
    name = _checked_name(cfg.name)
    folder = Path(name if cfg.out is None else cfg.out)
    if folder.exists():
        raise InputError(f"{folder}: is there already, and nothing is overwritten; choose another name, or out=FOLDER.")
    notes = Notes()
    project = _example_project(cfg, name) if cfg["from"] is None else _converted_project(cfg, name, notes)
    _write(project, folder)
    for line in notes.lines():
        print(one_line(f"note: {in_keys(line)}"))
    for split, rows in project.rows.items():
        videos = sorted({keyframe.video_id for keyframe, *_ in rows})
        more = f" and {len(videos) - 5} more" if len(videos) > 5 else ""
        print(f"{split}: {len(rows)} rows in {', '.join(videos[:5])}{more}")
    print(f"wrote {folder}; {folder / 'README.md'} has all commands, to be typed in that folder")
    if cfg["from"] is None:
        print("replace the ten rows by yours, and put your videos into videos/")
    print(f"next: cd {shlex.quote(str(folder))} && lfb-check --config-dir conf data={name}")
    return 0


def _checked_name(name: Any) -> str:
    if name is None:
        raise InputError("no name given, expected lfb-new NAME, such as lfb-new fencing.")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"name is {name!r}, expected a letter, then letters, digits, _ or -.")
    if yaml.safe_load(name) != name:  # the configurations could not be chosen by it
        raise InputError(f"name is {name}, which YAML reads as another value; choose another name.")
    for group in ("data", "experiment"):
        if (conf_dir() / group / f"{name}.yaml").exists():
            raise InputError(f"name is {name}, but {group}={name} is this package's own; choose another name.")
    return name


def _example_project(cfg: DictConfig, name: str) -> Project:
    for key in ("annotations", "label_map"):
        if cfg[key] is not None:
            raise InputError(f"{key} is given; say what wrote it: from={'|'.join(_FORMS)}.")
    first = math.ceil(cfg.origin_second)
    rows, names = example(first)
    video_dir = "videos" if cfg.videos is None else _video_dir(cfg.videos)
    used = (first, first + _EXAMPLE_SECONDS)
    return Project(
        name=name, rows=rows, names=names, video_dir=video_dir, origin_second=float(cfg.origin_second), used=used
    )


def _converted_project(cfg: DictConfig, name: str, notes: Notes) -> Project:
    if cfg["from"] not in _FORMS:
        raise InputError(f"from is {cfg['from']!r}, expected one of {', '.join(_FORMS)}.")
    if cfg.annotations is None:
        raise InputError(f"from={cfg['from']} needs the file that the tool has exported: annotations=FILE.")
    try:
        tables = _tables(cfg, notes)
    except InputError as error:
        raise InputError(in_keys(str(error))) from error
    rows = split_rows(tables.rows)
    if not all(rows.values()):
        raise InputError("all rows are of one second; expected two or more, to split them into train and val.")
    if tables.num_videos == 1:
        notes.say(
            "all rows are of one video: the last fifth of its seconds is val, which flatters; annotate a second video"
        )
    video_dir = "videos" if cfg.videos is None else _video_dir(cfg.videos)
    if cfg.videos is not None:
        library = VideoLibrary(Path(video_dir))
        for video_id in sorted({keyframe.video_id for keyframe, *_ in tables.rows}):
            library.open(video_id)
    return Project(
        name=name, rows=rows, names=tables.names, video_dir=video_dir, origin_second=float(cfg.origin_second)
    )


def _tables(cfg: DictConfig, notes: Notes) -> Tables:
    paths = [Path(path) for path in ([cfg.annotations] if isinstance(cfg.annotations, str) else cfg.annotations)]
    refuse_unreadable(paths)
    rate = None if cfg.fps is None else parse_rate(str(cfg.fps), "fps")
    options = Options(
        clock=Clock(rate=rate, origin=Fraction(cfg.origin_second), first_frame=cfg.first_frame),
        frame_name=None if cfg.frame_name is None else parse_frame_name(cfg.frame_name),
        action_from=tuple(cfg.action_from),
        person_from=cfg.person_from,
        size=None if cfg.size is None else parse_size(cfg.size),
    )
    reader = READERS[_FORMS[cfg["from"]]]
    known = {} if cfg.label_map is None else read_label_map(cfg.label_map).names
    tables = tables_of((box for path in paths for box in reader(path, options, notes)), known, notes)
    if not tables.rows:
        reasons = "; ".join(notes.lines())
        raise InputError(
            f"{paths[0]}: no box with an action lies on a whole second{options.clock.words()}"
            f"{f' ({reasons})' if reasons else ''}."
        )
    return tables


def _video_dir(videos: str) -> str:
    if is_url(videos):
        raise InputError(
            f"videos={videos}: expected a folder; leave it out, and write the URL into the data set's file afterwards."
        )
    if not Path(videos).is_dir():
        raise InputError(f"videos={videos}: no such folder.")
    return str(Path(videos).absolute())


def _write(project: Project, folder: Path) -> None:
    """Write the folder beside its place and rename it, so that it is there whole or not at all."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".lfb-new-", dir=folder.parent) as scratch:
            made = Path(scratch) / "project"
            texts = project.files()
            for path in texts:
                (made / path).parent.mkdir(parents=True, exist_ok=True)
            for path, text in texts.items():
                write_durably(made / path, text.encode())
            write_label_map(made / "annotations" / "action_list.pbtxt", dict(project.names))
            for split, rows in project.rows.items():
                write_annotations(made / "annotations" / f"{split}.csv", rows)
            made.rename(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error}).") from error


def main() -> None:
    """Run `lfb-new` with the arguments that the user typed."""
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-") and "=" not in sys.argv[1]:
        sys.argv[1] = f"name={sys.argv[1]}"
    launch("new", new)


if __name__ == "__main__":
    main()
