"""Files of a tiny result whose figures are computed by hand, run folders around it, and the data of a written page.

Result `first` finds, of three labels of class 1, two at scores 0.9 and 0.5; of one of class 2, that one at 0.6, below a
false 0.8; of one of class 4 none; class 3 has no label. So AP is 2/3, 1/2, none, 0. Result `second` finds that of class 4
too, at 0.9.
"""

import json
import re
from fractions import Fraction

import av
import numpy as np

from lfb_lightning.ava.label_map import write_label_map
from lfb_lightning.files.plain_yaml import write_plain

HOSTILE = "</script><script>alert(1)</script> \u202eabc'\"& <b>"
LONG = "long " * 2000
NAMES = {1: "stand", 2: HOSTILE, 3: "talk", 4: LONG}
LEFT, RIGHT = "0.1,0.1,0.4,0.9", "0.5,0.1,0.9,0.9"
TRUTH = f"v,0902,{LEFT},1,0\nv,0902,{LEFT},2,0\nv,0902,{RIGHT},1,1\nv,0910,{LEFT},1,0\nw,0902,{LEFT},4,0\n"
FIRST = (
    f"v,0902,{LEFT},1,0.9\nv,0902,{LEFT},2,0.6\nv,0902,{LEFT},3,0.7\n"
    f"v,0902,{RIGHT},2,0.8\nv,0902,{RIGHT},3,0.1\nv,0910,{LEFT},1,0.5\n"
)
SECOND = FIRST + f"w,0902,{LEFT},4,0.9\n"
LOG = """epoch,lr-SGD,step,train/loss_epoch,train/loss_step,val/mAP
,0.1,9,,,
,,9,,0.8,
0,,19,,,0.25
0,,19,0.75,,
,0.01,29,,,
,,29,,0.5,
1,,39,,,0.375
1,,39,0.5,,
"""


def write_files(folder):
    """Write label map, ground truth and two results; returns the arguments of `lfb-report` for the first."""
    write_label_map(folder / "labels.pbtxt", NAMES)
    (folder / "truth.csv").write_text(TRUTH)
    (folder / "first.csv").write_text(FIRST)
    (folder / "second.csv").write_text(SECOND)
    return {"truth": folder / "truth.csv", "labels": folder / "labels.pbtxt"}


def write_videos(folder):
    """Write the video `v`, 12 seconds of gray that grows brighter; there is none of `w`."""
    folder.mkdir()
    with av.open(str(folder / "v.avi"), "w") as container:
        stream = container.add_stream("mpeg4", rate=2)
        stream.width, stream.height = 160, 96
        for number in range(24):
            frame = av.VideoFrame.from_ndarray(np.full((96, 160, 3), 20 + 8 * number, np.uint8))
            frame.pts, frame.time_base = number, Fraction(1, 2)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_test_run(folder, files, results, **data):
    """Write the folder of a test run."""
    folder.mkdir()
    section = {"annotations": str(files / "{split}.csv"), "label_map": str(files / "labels.pbtxt"), "excluded": None}
    section |= {"video_dir": str(files / "videos"), "source": "video", "origin_second": 900.0, **data}
    config = {"split": "truth", "data": section, "ckpt_path": "best.ckpt", "seed": 0}
    (folder / "config.yaml").write_text(write_plain(config))
    (folder / "results.csv").write_text(results)
    return folder


def write_training_run(folder, *, log=LOG, **metrics):
    """Write the folder of a training run."""
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "metrics.csv").write_text(log)
    (folder / "config.yaml").write_text(write_plain({"seed": 1, "data": {"fps": 30.0}, "odd": HOSTILE}))
    figures = {"main_figure": "mAP", "mAP": 0.375, "best_mAP": 0.375, "epochs": 2, "steps": 40}
    classes = {
        "per_class": {"1": 0.5, "2": 0.25, "3": None, "4": 0.375},
        "names": {str(key): name for key, name in NAMES.items()},
        "num_ground_truth": {"1": 3, "2": 1, "3": 0, "4": 1},
        "num_detections": {"1": 9, "2": 9, "3": 9, "4": 9},
        "groups": {"own group": 0.375},
    }
    (folder / "metrics.json").write_text(json.dumps({**figures, **classes, **metrics}))
    return folder


def data_of(path):
    """Read the data inside a page."""
    text = path.read_text("utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])
