"""A small AVA-Kinetics on disk: mini-AVA as AVA, and generated clips of ten seconds, named as downloaders do."""

import pickle
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from lfb_lightning.mini_ava.drawing import SIZE, actor_box, draw_frame
from lfb_lightning.mini_ava.scenario import draw_scenario

SECONDS, FPS = 10, 10
# YouTube's id, start and end of each clip, the folder that it lies in, and the annotated seconds of the YouTube video.
CLIPS = [
    ("aaaaaaaaaaa", 12, 22, "", ["17.25", "21.9"]),
    ("b-b_b_b_b-b", 3, 13, "", ["8"]),
    ("ccccccccccc", 0, 10, "washing hands", ["0.004"]),
    ("ccccccccccc", 950, 960, "washing hands", ["955.125"]),
]
GONE = ("ddddddddddd", "5.5")  # annotated, and no longer on YouTube
NAMES = [f"{video}_{start:06d}_{end:06d}" for video, start, end, *_ in CLIPS]


@dataclass(frozen=True)
class KineticsSet:
    """Where it lies, and the overrides that choose it."""

    folder: Path
    mini_dir: Path

    @property
    def section(self):
        """The keys of the `data` section in which it differs from AVA-Kinetics' defaults."""
        mini, own = self.mini_dir, self.folder
        return {
            "video_dir": str(mini / "videos"),
            "label_map": str(mini / "mini_ava_action_list.pbtxt"),
            "annotations": str(mini / "mini_ava_{split}.csv"),
            "excluded": str(mini / "mini_ava_{split}_excluded_timestamps.csv"),
            "proposals": str(mini / "mini_ava_{split}_proposals.pkl"),
            "kinetics_annotations": str(own / "kinetics_{split}_v1.0.csv"),
            "kinetics_video_dir": str(own / "clips"),
            "kinetics_proposals": str(own / "merged_{split}_proposals.pkl"),
            "cache_dir": str(own / "cache"),
            "fps": 10.0,
            "first_second": 901,
            "last_second": 904,
            "ticks_per_second": 1000,
            "key_step": 1000,
            "match_iou": 0.75,
            "eval_threshold": 0.9,
        }

    @property
    def overrides(self):
        """The command line of a user who has it, beside `experiment=mini_ava` where something is trained."""
        clips = {"frame_stride": 3, "train_short_side": "null", "train_crop": "null", "eval_short_side": "null"}
        loading = {"batch_size": 8, "num_workers": 0}
        section = {**self.section, **clips, **loading}
        chosen = [f"data.{key}={_quoted(value)}" for key, value in section.items()]
        return ["data=ava_kinetics", f"paths.data_dir={self.folder}", *chosen, "~data.expected_counts"]


def write_kinetics_set(folder, mini_dir):
    """Write clips, the official csv, and mmaction2's merged csv and pickle."""
    official = [f"{GONE[0]},{GONE[1]},0.1,0.1,0.5,0.5,1", "eeeeeeeeeee,3.25"]  # the second: a frame without people
    merged, proposed = [], pickle.loads((mini_dir / "mini_ava_train_proposals.pkl").read_bytes())
    for number, (name, (video, start, _, below, seconds)) in enumerate(zip(NAMES, CLIPS, strict=True)):
        actors = draw_scenario(np.random.default_rng(number), seconds=SECONDS)
        (folder / "clips" / below).mkdir(parents=True, exist_ok=True)
        _write_clip(folder / "clips" / below / f"{name}.mp4", actors)
        for second in seconds:
            inside = float(second) - start
            boxes = [actor_box(actor, inside) for actor in actors]
            for actor, box in zip(actors, boxes, strict=True):
                corners = ",".join(f"{corner:.3f}" for corner in box)
                for action in actor.action_ids(round(inside)):
                    official.append(f"{video},{second},{corners},{action}")
                    merged.append(f"{name},{int(float(second))},{corners},{action},-1")
            proposed[f"{video},{int(float(second)):04d}"] = np.array([[*box, 0.95] for box in boxes])
    (folder / "kinetics_train_v1.0.csv").write_text("\n".join(official) + "\n")
    ava = (mini_dir / "mini_ava_train.csv").read_text()
    (folder / "merged_train.csv").write_text("\n".join(merged) + "\n" + ava)
    (folder / "merged_train_proposals.pkl").write_bytes(pickle.dumps(proposed, protocol=4))
    return KineticsSet(folder, mini_dir)


def _write_clip(path, actors):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "bf": "2", "g": "15"})
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        for index in range(SECONDS * FPS):
            frame = av.VideoFrame.from_ndarray(draw_frame(actors, index / FPS), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _quoted(value):
    return f'"{value}"' if isinstance(value, str) and "{split}" in value else value
