"""Writing mini-Charades: videos, the two csvs with Windows line ends, and the class list.

Every video has a random generator of its own, seeded by (seed, split, number). `mini_charades.json` is written last; a folder
that has one is finished and left as it is.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.mini_ava.encoding import encode_video
from lfb_lightning.mini_ava.writing import OnVideo, no_progress, write_set
from lfb_lightning.mini_charades.drawing import draw_frame
from lfb_lightning.mini_charades.scenario import CLASS_NAMES, EVENT_SECONDS, Scene, draw_scene

_SPLITS = ("train", "test")
_COLUMNS = ["id", "subject", "scene", "quality", "relevance", "verified"]
_COLUMNS += ["script", "objects", "descriptions", "actions", "length"]
_BEYOND_SECONDS = 1.35  # by which an interval that lasts to the end ends after it, as a third of Charades' do
_LEAST_SECONDS = 11  # two cues, a pulse, and what lies between


@dataclass(frozen=True, slots=True)
class MiniCharades:
    """What a mini-Charades is made of; equal recipes give equal bytes with the same release of FFmpeg.

    Args:
        seed: Seed of everything that is drawn at random.
        num_train: Number of training videos.
        num_test: Number of test videos.
        seconds: Length of each video, 11 at least.
        fps: Frames per second.

    Raises:
        InputError: The videos are too short.
    """

    seed: int = 0
    num_train: int = 150
    num_test: int = 40
    seconds: int = 12
    fps: int = 12

    def __post_init__(self) -> None:
        if self.seconds < _LEAST_SECONDS:
            raise InputError(f"mini-Charades: videos of {self.seconds} s, expected at least {_LEAST_SECONDS}.")

    def videos(self, split: str) -> list[str]:
        """Return the ids of a split's videos; `split` is `train` or `test`."""
        count = self.num_train if split == "train" else self.num_test
        return [f"MC{split[:2].upper()}{number:03d}" for number in range(count)]


def generate(
    out_dir: str | Path,
    recipe: MiniCharades,
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
        InputError: The folder holds a finished mini-Charades of another recipe.
    """
    out_dir = Path(out_dir)

    def write_tables() -> None:
        classes = "".join(f"c{number:03d} {name}\n" for number, name in enumerate(CLASS_NAMES))
        write_durably(out_dir / "Charades_v1_classes.txt", classes.encode())
        for split in _SPLITS:
            write_durably(out_dir / f"Charades_v1_{split}.csv", _table(recipe, split).encode())

    write_set(
        out_dir,
        name="mini-Charades",
        recipe=asdict(recipe),
        videos=[(recipe, split, number) for split in _SPLITS for number in range(len(recipe.videos(split)))],
        write_video=_write_video,
        write_tables=write_tables,
        processes=processes,
        on_video=on_video,
    )


def scene_of(recipe: MiniCharades, split: str, number: int) -> Scene:
    """Draw a video.

    Args:
        recipe: The recipe of the data set.
        split: `train` or `test`.
        number: The video's number within its split, from 0.
    """
    return draw_scene(np.random.default_rng([recipe.seed, _SPLITS.index(split), number]), seconds=recipe.seconds)


def _write_video(folder: Path, recipe: MiniCharades, split: str, number: int) -> None:
    scene = scene_of(recipe, split, number)
    frames = (draw_frame(scene, index / recipe.fps) for index in range(recipe.seconds * recipe.fps))
    encode_video(folder / f"{recipe.videos(split)[number]}.mp4", frames, fps=recipe.fps)


def _table(recipe: MiniCharades, split: str) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS, restval="", lineterminator="\r\n")
    table.writeheader()
    for number, video_id in enumerate(recipe.videos(split)):
        table.writerow(
            {
                "id": video_id,
                "subject": f"S{number % 10:03d}",
                "scene": "Canvas",
                "verified": "Yes",
                "script": "Shapes appear, one after the other.",
                "actions": _actions(scene_of(recipe, split, number), recipe.seconds),
                "length": f"{recipe.seconds:.2f}",
            }
        )
    return text.getvalue()


def _actions(scene: Scene, seconds: int) -> str:
    rows = []
    for event in scene.events:
        start, end = event.second - EVENT_SECONDS / 2, event.second + EVENT_SECONDS / 2
        if end > seconds - 0.01:
            end += _BEYOND_SECONDS
        rows += [f"c{number:03d} {max(start, 0.0):.2f} {end:.2f}" for number in event.classes]
    return ";".join(rows)
