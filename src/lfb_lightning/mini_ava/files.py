"""Writing mini-AVA: videos, annotations, excluded timestamps, label map, and proposals as pickle and csv.

Every video has a random generator of its own, seeded by (seed, split, number), so the files do not depend on how many
processes write them. `mini_ava.json` is written last; a folder that has one is finished and left as it is.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lfb_lightning.ava.annotations import write_annotations
from lfb_lightning.ava.label_map import write_label_map
from lfb_lightning.files.durable import durable_file, write_durably
from lfb_lightning.mini_ava.actions import ACTION_NAMES, HARD_ACTION_NAMES
from lfb_lightning.mini_ava.drawing import actor_box, draw_frame
from lfb_lightning.mini_ava.encoding import encode_video
from lfb_lightning.mini_ava.figure import Figure
from lfb_lightning.mini_ava.hard_scenario import draw_hard_scenario
from lfb_lightning.mini_ava.scenario import draw_scenario
from lfb_lightning.mini_ava.writing import OnVideo, no_progress, write_set
from lfb_lightning.structures import Keyframe

ORIGIN_SECOND = 900  # AVA's cuts start at second 900 of the movie
_SPLITS = ("train", "val")
_PROPOSAL_JITTER = 0.008  # standard deviation of a proposal's corners, of the frame's side
_MISS_RATE, _FALSE_POSITIVE_RATE = 0.03, 0.10


@dataclass(frozen=True, slots=True)
class MiniAVA:
    """What a mini-AVA is made of; equal recipes give equal bytes with the same release of FFmpeg.

    Args:
        seed: Seed of everything that is drawn at random.
        num_train: Number of training videos.
        num_val: Number of validation videos.
        seconds: Length of each video.
        fps: Frames per second.
        hard: Whether it is mini-AVA hard, whose actors look alike and change places.
    """

    seed: int = 0
    num_train: int = 120
    num_val: int = 20
    seconds: int = 60
    fps: int = 10
    hard: bool = False

    @property
    def content(self) -> dict[str, int]:
        """The recipe as `mini_ava.json` has it."""
        content = asdict(self)
        if not content["hard"]:
            del content["hard"]  # as it was before there was a hard one
        return content

    def videos(self, split: str) -> list[str]:
        """Return the ids of a split's videos; `split` is `train` or `val`."""
        prefix = "hard" if self.hard else "mini"
        return [
            f"{prefix}-{split}-{number:03d}" for number in range(self.num_train if split == "train" else self.num_val)
        ]


HARD = MiniAVA(num_train=40, num_val=8, seconds=200, hard=True)


def generate(
    out_dir: str | Path,
    recipe: MiniAVA,
    *,
    processes: int = 1,
    on_video: OnVideo = no_progress,
) -> None:
    """Write the data set, unless the folder holds it already.

    Args:
        out_dir: The folder to write into.
        recipe: What to write.
        processes: How many videos are encoded at the same time.
        on_video: Called after each video.

    Raises:
        InputError: The folder holds a finished mini-AVA of another recipe.
    """
    out_dir = Path(out_dir)

    def write_tables() -> None:
        write_label_map(out_dir / "mini_ava_action_list.pbtxt", HARD_ACTION_NAMES if recipe.hard else ACTION_NAMES)
        for split in _SPLITS:
            _write_tables(out_dir, recipe, split)

    write_set(
        out_dir,
        name="mini-AVA",
        recipe=recipe.content,
        videos=[(recipe, split, number) for split in _SPLITS for number in range(len(recipe.videos(split)))],
        write_video=_write_video,
        write_tables=write_tables,
        processes=processes,
        on_video=on_video,
    )


def scenario_of(recipe: MiniAVA, split: str, number: int) -> tuple[Sequence[Figure], np.random.Generator]:
    """Draw the actors of a video.

    Args:
        recipe: The recipe of the data set.
        split: `train` or `val`.
        number: The video's number within its split, from 0.

    Returns:
        The actors, and the video's random generator for what is drawn after them.
    """
    rng = np.random.default_rng([recipe.seed, _SPLITS.index(split), number])
    draw: Callable[..., Sequence[Figure]] = draw_hard_scenario if recipe.hard else draw_scenario
    return draw(rng, seconds=recipe.seconds), rng


def _write_video(folder: Path, recipe: MiniAVA, split: str, number: int) -> None:
    actors, _ = scenario_of(recipe, split, number)
    path = folder / f"{recipe.videos(split)[number]}.mp4"
    frames = (draw_frame(actors, index / recipe.fps) for index in range(recipe.seconds * recipe.fps))
    encode_video(path, frames, fps=recipe.fps)


def _write_tables(out_dir: Path, recipe: MiniAVA, split: str) -> None:
    annotated, proposed, excluded = [], {}, []
    for number, video_id in enumerate(recipe.videos(split)):
        actors, rng = scenario_of(recipe, split, number)
        for second in range(1, recipe.seconds):
            keyframe = Keyframe(video_id, ORIGIN_SECOND + second)
            if rng.random() < 0.002:
                excluded.append(keyframe)
                continue
            boxes = [actor_box(actor, float(second)) for actor in actors]
            for person_id, (actor, box) in enumerate(zip(actors, boxes, strict=True)):
                annotated += [(keyframe, box, action_id, person_id) for action_id in actor.action_ids(second)]
            proposed[keyframe] = _draw_proposals(rng, boxes)
    write_annotations(out_dir / f"mini_ava_{split}.csv", annotated)
    rows = "".join(f"{keyframe}\n" for keyframe in excluded)
    write_durably(out_dir / f"mini_ava_{split}_excluded_timestamps.csv", rows.encode())
    _write_proposals(out_dir / f"mini_ava_{split}_proposals", proposed)


def _draw_proposals(rng: np.random.Generator, boxes: list[tuple[float, float, float, float]]) -> np.ndarray:
    rows = []
    for box in boxes:
        jitter = rng.normal(0, _PROPOSAL_JITTER, 4).clip(-0.03, 0.03)
        score = rng.uniform(0.3, 0.8) if rng.random() < _MISS_RATE else rng.uniform(0.92, 1.0)
        rows.append([*(np.array(box) + jitter), score])
    if rng.random() < _FALSE_POSITIVE_RATE:
        x, y = rng.uniform(0, 0.7, 2)
        rows.append([x, y, x + 0.29, y + 0.29, rng.uniform(0.05, 0.7)])
    return np.array(rows).clip(0, 1).round(6)


def _write_proposals(stem: Path, proposed: dict[Keyframe, np.ndarray]) -> None:
    with durable_file(stem.with_suffix(".pkl")) as file:
        pickle.dump({str(keyframe): rows for keyframe, rows in proposed.items()}, file, protocol=4)
    with durable_file(stem.with_suffix(".csv")) as file:
        for keyframe, rows in proposed.items():
            for *box, score in rows.tolist():
                file.write(f"{keyframe},{','.join(map(repr, box))},,{score!r}\n".encode())
