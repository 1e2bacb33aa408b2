"""Writing mini-EPIC: videos, the lists of segments, classes and videos as EPIC-Kitchens has them, and boxes of objects.

Every video has a random generator of its own, seeded by (seed, split, number), so that both flavors show the same. The
file `mini_epic.json` is written last; a folder that has one is finished and left as it is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.mini_ava.encoding import encode_video
from lfb_lightning.mini_ava.writing import OnVideo, no_progress, write_set
from lfb_lightning.mini_epic.drawing import draw_frame
from lfb_lightning.mini_epic.objects import object_rows
from lfb_lightning.mini_epic.scenario import FIRST_HANDLING, Scene, draw_scene
from lfb_lightning.mini_epic.tables import EPIC55, EPIC100, ListedVideo, tables
from lfb_lightning.ranges import refuse_unknown

_SPLITS = ("train", "val")
_LEAST_SECONDS = int(FIRST_HANDLING) + 6
_FLAVORS = {flavor.name: flavor for flavor in (EPIC100, EPIC55)}


@dataclass(frozen=True, slots=True)
class MiniEPIC:
    """What a mini-EPIC is made of; equal recipes give equal bytes with the same release of FFmpeg.

    Args:
        seed: Seed of everything that is drawn at random.
        num_train: Number of training videos.
        num_val: Number of validation videos.
        seconds: Length of each video, 100 at least.
        fps: Frames per second.
        flavor: Whose file formats: `epic100`, or `epic55`, whose frame numbers count 60 per second and whose validation
            videos are told by their participants.

    Raises:
        InputError: The videos are too short, or there is no such flavor.
    """

    seed: int = 0
    num_train: int = 60
    num_val: int = 20
    seconds: int = 240
    fps: int = 6
    flavor: str = "epic100"

    def __post_init__(self) -> None:
        if self.seconds < _LEAST_SECONDS:
            raise InputError(f"mini-EPIC: videos of {self.seconds} s, expected at least {_LEAST_SECONDS}.")
        refuse_unknown("mini-EPIC", self, {"flavor": tuple(_FLAVORS)})

    def videos(self, split: str) -> list[str]:
        """Return the ids of a split's videos; `split` is `train` or `val`."""
        return _FLAVORS[self.flavor].video_ids(split, self.num_train, self.num_val)


def generate(
    out_dir: str | Path,
    recipe: MiniEPIC,
    *,
    processes: int = 1,
    on_video: OnVideo = no_progress,
) -> None:
    """Write the data set, unless the folder holds it already.

    Args:
        out_dir: The folder to write into.
        recipe: What to write.
        processes: How many videos are encoded at the same time; with 1, in this process.
        on_video: Called after each video.

    Raises:
        InputError: The folder holds a finished mini-EPIC of another recipe.
    """
    out_dir = Path(out_dir)

    def write_tables() -> None:
        listed = {split: _listed(recipe, split) for split in _SPLITS}
        for name, text in tables(_FLAVORS[recipe.flavor], listed, seconds=recipe.seconds, fps=recipe.fps).items():
            write_durably(out_dir / name, text.encode())
        for split in _SPLITS:
            write_durably(out_dir / f"mini_epic_{split}_objects.csv", _objects(recipe, split).encode())

    write_set(
        out_dir,
        name="mini-EPIC",
        recipe=asdict(recipe),
        videos=[(recipe, split, number) for split in _SPLITS for number in range(len(recipe.videos(split)))],
        write_video=_write_video,
        write_tables=write_tables,
        processes=processes,
        on_video=on_video,
    )


def scene_of(recipe: MiniEPIC, split: str, number: int) -> Scene:
    """Draw a video.

    Args:
        recipe: The recipe of the data set.
        split: `train` or `val`.
        number: The video's number within its split, from 0.
    """
    return draw_scene(np.random.default_rng([recipe.seed, _SPLITS.index(split), number]), seconds=recipe.seconds)


def _write_video(folder: Path, recipe: MiniEPIC, split: str, number: int) -> None:
    scene = scene_of(recipe, split, number)
    frames = (draw_frame(scene, index / recipe.fps) for index in range(recipe.seconds * recipe.fps))
    encode_video(folder / f"{recipe.videos(split)[number]}.mp4", frames, fps=recipe.fps)


def _listed(recipe: MiniEPIC, split: str) -> list[ListedVideo]:
    return [
        ListedVideo(video_id, scene_of(recipe, split, number).actions)
        for number, video_id in enumerate(recipe.videos(split))
    ]


def _objects(recipe: MiniEPIC, split: str) -> str:
    rows = []
    for number, video_id in enumerate(recipe.videos(split)):
        rng = np.random.default_rng([recipe.seed, _SPLITS.index(split), number, 1])
        rows += object_rows(video_id, scene_of(recipe, split, number), rng, seconds=recipe.seconds)
    return "".join(f"{row}\n" for row in rows)
