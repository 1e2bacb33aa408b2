"""What a command does where there is no data: generate what can be generated, else say where data is to be had."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import Progress

from lfb_lightning import mini_ava, mini_charades, mini_epic
from lfb_lightning.errors import InputError
from lfb_lightning.files.run_lock import waiting_lock
from lfb_lightning.mini_ava import HARD, MiniAVA
from lfb_lightning.mini_charades import MiniCharades
from lfb_lightning.mini_epic import MiniEPIC

RECIPE = MiniAVA()
HARD_RECIPE = HARD
CHARADES_RECIPE = MiniCharades()
EPIC_RECIPE = MiniEPIC()
_AVA = ("ava_v2_1", "ava_v2_2", "ava_kinetics")
_LIKE = {
    "charades": "mini_charades",
    "epic55": "mini_epic",
    "epic100": "mini_epic",
}  # generated in these data sets' files
_LOCK = ".generating.lock"


class _Mini(NamedTuple):
    """A generated data set: how it is called, what it is made of and how, how its files begin, and its stamp's name."""

    title: str
    recipe: Any
    generate: Callable[..., None]
    begins: str

    @property
    def stamp(self) -> str:
        return f"{self.title.lower().replace('-', '_')}.json"


def _minis() -> dict[str, _Mini]:
    """The generated data sets by their options of the group `data`."""
    return {
        "mini_ava": _Mini("mini-AVA", RECIPE, mini_ava.generate, "mini_ava"),
        "mini_ava_hard": _Mini("mini-AVA", HARD_RECIPE, mini_ava.generate, "mini_ava"),
        "mini_charades": _Mini("mini-Charades", CHARADES_RECIPE, mini_charades.generate, "Charades_v1"),
        "mini_epic": _Mini("mini-EPIC", EPIC_RECIPE, mini_epic.generate, "EPIC_100"),
    }


def provide_data(cfg: DictConfig) -> None:
    """Generate a data set in `paths.data_dir` where one that can be was chosen (`data=mini_...`) and it is not there.

    Other ranks, and other runs, wait until it is whole. What was begun and not finished is made anew.

    Raises:
        InputError: The folder holds something else, or cannot be written.
    """
    folder = Path(cfg.paths.data_dir)
    chosen = _chosen()
    mini = _minis().get(chosen or "")
    if mini is None or (folder / mini.stamp).is_file():
        return
    try:
        there = [path.name for path in folder.iterdir()] if folder.exists() else []
    except OSError as error:
        raise InputError(f"paths.data_dir={folder}: cannot be read ({error.strerror}).") from error
    if _LOCK not in there:
        if any(name.startswith(mini.begins) for name in there):
            return  # tables that somebody has put there: whether they will do is said where they are read
        if there:
            raise InputError(
                f"data={chosen}: {folder} holds {there[0]} and no {mini.title}; choose another one, paths.data_dir=FOLDER."
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with waiting_lock(folder / _LOCK):
            if not (folder / mini.stamp).is_file():
                _generate(folder, mini, f"data={chosen}")
    except OSError as error:
        raise InputError(f"paths.data_dir={folder}: cannot be written ({error.strerror or error}).") from error


def refuse_without_data(cfg: DictConfig) -> None:
    """Raise InputError where the folder of the chosen data set is not there, with what there is to do for a newcomer."""
    folder, chosen = Path(cfg.paths.data_dir), _chosen() or ""
    if folder.exists() or not str(cfg.data.get("annotations", "")).startswith(str(cfg.paths.data_dir)):
        return
    if chosen in _LIKE:
        like = _LIKE[chosen]
        raise InputError(
            f"there is no folder {folder} (paths.data_dir), where data={chosen} is looked for. To see everything work on "
            f"videos that are generated in its files: `bash scripts/quickstart.sh --data {like}`."
        )
    if chosen not in _AVA:
        return
    raise InputError(
        f"there is no folder {folder} (paths.data_dir), where data={_chosen()} is looked for. To see everything work on "
        "generated videos: `bash scripts/quickstart.sh`, or `lfb-train experiment=mini_ava fbo=none`, which generates "
        "data=mini_ava; to begin with videos of your own: `lfb-new NAME`; to fetch AVA: `lfb-data download --help`."
    )


def _chosen() -> str | None:
    """Name the option of the group `data`."""
    return HydraConfig.get().runtime.choices.get("data")


def _generate(folder: Path, mini: _Mini, option: str) -> None:
    number = sum(count for name, count in asdict(mini.recipe).items() if name.startswith("num_"))
    print(f"{option}: {folder} has no {mini.title} yet; its {number} videos are generated now", file=sys.stderr)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{mini.title}: videos", total=number)
        mini.generate(
            folder,
            mini.recipe,
            processes=os.cpu_count() or 1,
            on_video=lambda done, total: progress.update(task, completed=done, total=total),
        )
