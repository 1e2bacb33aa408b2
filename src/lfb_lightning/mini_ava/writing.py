"""Writing a generated data set: its videos on several processes, its tables, and last a stamp that says that it is whole."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.progress import Progress

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.files.json_file import read_json_object

OnVideo = Callable[[int, int], None]
"""Called with the number of finished videos and that of all videos after each one."""


def no_progress(done: int, total: int) -> None:
    """Show nothing: an `OnVideo` for who does not look."""


def write_set(
    out_dir: Path,
    *,
    name: str,
    recipe: Mapping[str, Any],
    videos: Sequence[tuple[Any, ...]],
    write_video: Callable[..., None],
    write_tables: Callable[[], None],
    processes: int,
    on_video: OnVideo,
) -> None:
    """Write a data set, unless the folder holds it already.

    Args:
        out_dir: The folder to write into.
        name: Of the data set; `mini-AVA` has the stamp `mini_ava.json`.
        recipe: What it is made of, for the stamp.
        videos: What `write_video` is given beside the folder of the videos, for each of them.
        write_video: Writes one video; a function of a module, since it is sent to processes.
        write_tables: Writes everything else but the stamp.
        processes: How many videos are encoded at the same time; with 1, in this process.
        on_video: Called after each video.

    Raises:
        InputError: The folder holds a finished one of another recipe.
    """
    stamp = out_dir / f"{name.lower().replace('-', '_')}.json"
    if stamp.is_file():
        found = read_json_object(stamp, what=name, remedy="choose another folder")
        if found != recipe:
            raise InputError(f"{out_dir} holds a {name} made with {found}, not {dict(recipe)}: choose another folder.")
        return
    folder = out_dir / "videos"
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [[folder] * len(videos), *zip(*videos, strict=True)]
    if processes == 1:
        for done, _ in enumerate(map(write_video, *arguments), 1):
            on_video(done, len(videos))
    else:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            for done, _ in enumerate(pool.map(write_video, *arguments), 1):
                on_video(done, len(videos))
    write_tables()
    write_durably(stamp, json.dumps(dict(recipe)).encode())


def recipe_parser(program: str, about: str | None, usual: object, described: Mapping[str, str]) -> ArgumentParser:
    """Make a command line of a folder, numbers of a recipe, and processes.

    Args:
        program: The command.
        about: What it does.
        usual: A recipe, whose numbers are the defaults.
        described: What the numbers are that can be given, by their names in the recipe.
    """
    parser = ArgumentParser(prog=program, description=about)
    parser.add_argument("out_dir", type=Path, help="folder to write; a finished one of the same recipe is kept")
    for name, what in described.items():
        default = getattr(usual, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"{what} ({default})")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="videos encoded at the same time")
    return parser


def show_writing(name: str, write: Callable[[OnVideo], None], out_dir: Path) -> None:
    """Write a data set with a progress bar, and say where it is.

    Args:
        name: Of the data set.
        write: Writes it, and calls what it is given after each video.
        out_dir: Where it writes.
    """
    with Progress() as progress:
        task = progress.add_task(f"{name}: videos", total=None)
        write(lambda done, total: progress.update(task, completed=done, total=total))
    print(f"{name} is in {out_dir}")
