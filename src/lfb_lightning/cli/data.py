"""`lfb-data ACTION`: download AVA, cut its movies, and convert annotations of other tools."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig

from lfb_lightning.ava.downloading import ANNOTATION_FILES, VIDEOS, download, video_addresses
from lfb_lightning.cli.actions import launch_action
from lfb_lightning.cli.option_names import in_keys
from lfb_lightning.converters.command_line import convert
from lfb_lightning.converters.forms import READERS
from lfb_lightning.errors import InputError

_FORMS = {"labelstudio" if form == "label-studio" else form: form for form in (*READERS, "boxes")}
_OPTIONS = ("fps", "label_map", "video", "origin_second", "first_frame", "frame_name", "person_from", "size")


def download_ava(cfg: DictConfig, run_dir: Path) -> int:
    """Download AVA's annotations or videos, or print their addresses; returns 1 if a file failed, else 0."""
    if cfg.what == "annotations":
        addresses, folder = list(ANNOTATION_FILES), Path(cfg.to)
    else:
        names = None if cfg.names is None else Path(cfg.names)
        addresses = video_addresses(cfg.split, base=VIDEOS if cfg.base is None else cfg.base, names=names)
        folder = Path(cfg.to) / "movies"
    if cfg.list:
        print("\n".join(addresses))
        return 0
    failed = _said(download(addresses, folder, jobs=cfg.jobs), len(addresses))
    print(f"{folder}: {len(addresses) - failed} files, {failed} failed; check them with lfb-check")
    if cfg.what == "videos":
        cut = ["lfb-data", "cut", f"movies={folder}", f"to={folder.with_name('videos')}"]
        print(f"next: {shlex.join(cut)}")
        print(f"or, to read the whole movies: data.video_dir={folder} data.origin_second=0 in every command")
    return 1 if failed else 0


def cut_movies(cfg: DictConfig, run_dir: Path) -> int:
    """Cut movies, and extract frames of the cuts if asked to; returns 1 if a movie failed, else 0."""
    # PyAV, which nothing else here needs.
    from lfb_lightning.video.cutting import CutSettings, cut_movies, movies_in

    settings = CutSettings(
        cuts=Path(cfg.to),
        start=float(cfg.start),
        length=_positive(cfg.length, "length"),
        frames=None if cfg.frames is None else Path(cfg.frames),
        fps=_positive(cfg.fps, "fps"),
    )
    movies = movies_in(Path(cfg.movies))
    failed = _said(cut_movies(movies, settings, jobs=cfg.jobs), len(movies))
    print(f"{len(movies) - failed} movies done, {failed} failed")
    return 1 if failed else 0


def convert_annotations(cfg: DictConfig, run_dir: Path) -> int:
    """Turn another tool's annotations into AVA's files; returns the exit status 0."""
    if cfg["from"] not in _FORMS:
        raise InputError(f"from is {cfg['from']!r}, expected one of {', '.join(_FORMS)}.")
    files = [cfg.annotations] if isinstance(cfg.annotations, str) else list(cfg.annotations)
    if not files:
        raise InputError("annotations is empty, expected a file or [file,file,...].")
    arguments = [f"--{name.replace('_', '-')}={cfg[name]}" for name in _OPTIONS if cfg[name] is not None]
    arguments += [f"--action-from={name}" for name in cfg.action_from]
    if cfg.columns is not None:
        names = cfg.columns if isinstance(cfg.columns, str) else ",".join(cfg.columns)
        arguments.append(f"--columns={names}")
    try:
        lines = convert([*arguments, "--", _FORMS[cfg["from"]], *files, cfg.to])
    except InputError as error:
        raise InputError(in_keys(str(error))) from error
    print("\n".join(map(in_keys, lines)))
    return 0


ACTIONS = {"download": download_ava, "cut": cut_movies, "convert": convert_annotations}


def _said(outcomes: Iterator[tuple[str, str | None]], total: int) -> int:
    """Print a line per file as it is done; returns how many failed."""
    failed = 0
    for number, (name, problem) in enumerate(outcomes, 1):
        print(f"[{number}/{total}] {name}: {problem or 'ok'}", flush=True)
        failed += problem is not None
    return failed


def _positive(value: int | float | str, key: str) -> float:
    if isinstance(value, str) or not 0 < value < float("inf"):
        raise InputError(f"{key} is {value}, expected a number above 0.")
    return float(value)


def main() -> None:
    """Run `lfb-data` with the arguments that the user typed."""
    launch_action("data", ACTIONS)


if __name__ == "__main__":
    main()
