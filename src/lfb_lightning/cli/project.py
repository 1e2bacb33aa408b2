"""The files of a project folder, as `lfb-new` writes them: configurations, tables and a README with the commands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lfb_lightning.converters.geometry import Corners
from lfb_lightning.files.plain_yaml import write_plain
from lfb_lightning.structures import Keyframe

Row = tuple[Keyframe, Corners, int, int]  # keyframe, box, action, person
_VAL_SHARE = 5  # every fifth video
_EXAMPLE_NAMES = {1: "stand", 2: "walk", 3: "wave"}
_EXAMPLE = (  # video, second, x1, actions
    ("example_train", 2, 0.20, (1,)),
    ("example_train", 3, 0.20, (1, 3)),
    ("example_train", 4, 0.25, (2,)),
    ("example_train", 5, 0.35, (2,)),
    ("example_train", 6, 0.45, (1,)),
    ("example_val", 2, 0.50, (1,)),
    ("example_val", 3, 0.45, (2, 3)),
    ("example_val", 4, 0.30, (2,)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What a project is about.

    Args:
        name: Its name, which is also that of its configurations.
        rows: The annotation rows of `train` and of `val`.
        names: The action names by id.
        video_dir: The folder of the videos, as the configuration names it.
        origin_second: Timestamp of a video's first frame.
        used: The first and the last second that are used; None: those of the rows.
    """

    name: str
    rows: Mapping[str, Sequence[Row]]
    names: Mapping[int, str]
    video_dir: str = "videos"
    origin_second: float = 0.0
    used: tuple[int, int] | None = None

    @property
    def modules(self) -> str:
        """The name of the package for modules of one's own."""
        return f"{self.name.replace('-', '_')}_modules"

    def files(self) -> dict[str, str]:
        """Return the text of every file by its path within the project, without the label map and the annotations."""
        seconds = self.used or [keyframe.timestamp for rows in self.rows.values() for keyframe, *_ in rows]
        facts = {
            "name": self.name,
            "modules": self.modules,
            "videos": write_plain({"video_dir": self.video_dir}).strip(),
            "video_dir": self.video_dir,
            "origin": repr(self.origin_second),
            "first": min(seconds),
            "last": max(seconds),
        }
        texts = {
            f"conf/data/{self.name}.yaml": _DATA,
            f"conf/experiment/{self.name}.yaml": _EXPERIMENT,
            "README.md": _README,
            f"{self.modules}/__init__.py": _MODULES,
            "videos/README.md": _VIDEOS,
        }
        persons = {f"annotations/{split}_persons.csv": persons_text(rows) for split, rows in self.rows.items()}
        return {path: text.format(**facts) for path, text in texts.items()} | persons


def example(first: int) -> tuple[dict[str, list[Row]], dict[int, str]]:
    """Make the ten example rows by split, and the example actions; `first` is a video's first whole second."""
    rows: dict[str, list[Row]] = {"train": [], "val": []}
    for video_id, second, left, actions in _EXAMPLE:
        box = (left, 0.25, left + 0.2, 0.9)
        split = video_id.removeprefix("example_")
        rows[split] += [(Keyframe(video_id, first + second), box, action, 0) for action in actions]
    return rows, dict(_EXAMPLE_NAMES)


def split_rows(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Split rows into train and val by video, or those of a single video by time.

    Videos are ordered by the SHA-256 of their id; the first fifth of them, rounded, and at least one, is val. Of a single
    video, the last fifth of the annotated seconds is val.

    Args:
        rows: Of all videos.
    """
    videos = sorted(
        {keyframe.video_id for keyframe, *_ in rows}, key=lambda name: hashlib.sha256(name.encode()).digest()
    )
    if len(videos) > 1:
        places: list[object] = list(videos)
        place = [keyframe.video_id for keyframe, *_ in rows]
        chosen = set(places[: max(1, round(len(videos) / _VAL_SHARE))])
        is_val = [one in chosen for one in place]
    else:
        seconds = sorted({keyframe.timestamp for keyframe, *_ in rows})
        first = seconds[-max(1, round(len(seconds) / _VAL_SHARE))]
        is_val = [keyframe.timestamp >= first for keyframe, *_ in rows]
    pairs = list(zip(rows, is_val, strict=True))
    return {"train": [row for row, val in pairs if not val], "val": [row for row, val in pairs if val]}


def persons_text(rows: Iterable[Row]) -> str:
    """Write the annotated boxes as proposals of score 1, so that training can begin without a person detector."""
    boxes = dict.fromkeys((keyframe, box) for keyframe, box, *_ in rows)
    return "".join(f"{keyframe},{','.join(f'{value:.3f}' for value in box)},,1\n" for keyframe, box in boxes)


_DATA = """\
# The data set {name}. Every other key has the value of ava_custom: lfb-check --config-dir conf data={name} --cfg job
defaults:
  - ava_custom
{videos} # <video id>.mp4, .mkv, .mov, ...: the ids of the tables without the ending
label_map: annotations/action_list.pbtxt # the actions: item {{ name: "walk" id: 2 }}
annotations: annotations/{{split}}.csv # video_id,second,x1,y1,x2,y2,action_id,person_id; boxes as shares of the picture
proposals: annotations/{{split}}_persons.csv # the boxes that are scored, with their scores (README.md)
fps: 30.0 # rate that num_frames and frame_stride count in; the videos may have any
origin_second: {origin} # timestamp of a video's first frame
first_second: {first} # rows before it are not used
last_second: {last} # nor are rows after it
"""
_EXPERIMENT = """\
# @package _global_
# The project {name}: what is chosen here holds for lfb-train, lfb-extract and lfb-test (--config-dir conf experiment={name}).
defaults:
  - override /data: {name}
  # - override /backbone: tiny # seconds on a CPU; without it slowonly_r50, which wants a GPU and backbone.weights=FILE
trusted_packages: [{modules}] # modules of your own: `_target_: {modules}.MyBackbone`
trainer:
  max_epochs: 20
"""
_MODULES = '''\
"""Modules of your own: a class or function in here may stand behind any `_target_` of conf/, and checkpoints may name it."""
'''
_VIDEOS = """\
The videos of {name} belong here: <video id>.mp4, .mkv, .mov, ... `video_dir` in conf/data/{name}.yaml names another folder.
"""
_README = """\
# {name}

A project for lfb-lightning, made by `lfb-new`. Type all commands in this folder.

| file | holds |
|---|---|
| `{video_dir}` | the videos |
| `annotations/train.csv`, `val.csv` | a row per action of a person in a second |
| `annotations/action_list.pbtxt` | the actions' names and ids, from 1 without gaps |
| `annotations/train_persons.csv`, `val_persons.csv` | the boxes that are scored |
| `conf/data/{name}.yaml` | where these are, and which seconds are used |
| `conf/experiment/{name}.yaml` | what every training of this project has in common |
| `{modules}/` | modules of your own |

Rows of annotations are `video_id,second,x1,y1,x2,y2,action_id,person_id`, those of scored boxes
`video_id,second,x1,y1,x2,y2,,score`. Boxes are shares of the picture's width and height; seconds count from the video's start
(`origin_second`).

## Six commands

```bash
lfb-check --config-dir conf data={name}
lfb-train --config-dir conf experiment={name} fbo=none hydra.run.dir=runs/baseline
lfb-extract --config-dir conf experiment={name} split=train ckpt_path=runs/baseline/checkpoints/best.ckpt
lfb-extract --config-dir conf experiment={name} split=val ckpt_path=runs/baseline/checkpoints/best.ckpt
lfb-train --config-dir conf experiment={name} fbo=nl init_from=runs/baseline/checkpoints/best.ckpt hydra.run.dir=runs/nl
lfb-test --config-dir conf experiment={name} ckpt_path=runs/nl/checkpoints/best.ckpt
```

In order: is the data what it says; a detector that sees a clip; what it sees of every person in every second (the bank); a
detector that reads that bank around each clip; its mAP. Then any video:

```bash
lfb-predict video=FILE ckpt_path=runs/nl/checkpoints/best.ckpt bank_ckpt_path=runs/baseline/checkpoints/best.ckpt
```

If `lfb-check` is content and training learns nothing: `lfb-train --config-dir conf experiment={name} fbo=none debug=overfit`
says in a minute whether labels, boxes and pixels belong together.

## The boxes that are scored

`annotations/*_persons.csv` holds the annotated boxes themselves, with score 1, so that you can begin at once; where rows
change, it has to change too. The mAP is then that of a perfect person detector. For the mAP of the whole chain, let a
detector look for the persons, and name its files with `data.proposals`:

```bash
lfb-detect --config-dir conf data={name} split=train out=annotations/train_detected.csv
lfb-detect --config-dir conf data={name} split=val out=annotations/val_detected.csv
```

It prints the command with which to look at them, with thresholds that fit.
"""
