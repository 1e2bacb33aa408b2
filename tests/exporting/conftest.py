"""Detectors with each FBO, exported to ONNX by one process: the tracer would have to see through the tests' type checks."""

import subprocess
import sys

import pytest
import torch
import yaml

from lfb_lightning.models import build_detector
from tests.conftest import ROOT
from tests.prediction.conftest import BANK, DATA, MODEL

FBOS = {
    "nl": {"_target_": "lfb_lightning.models.FBONonLocal", "latent_channels": 8, "num_layers": 2},
    "nl_masked": {
        "_target_": "lfb_lightning.models.FBONonLocal",
        "latent_channels": 8,
        "mask_padding": True,
        "norm_inputs": True,
        "pre_act": False,
    },
    "xattn": {"_target_": "lfb_lightning.models.FBOCrossAttention", "latent_channels": 8, "num_heads": 2},
    "xattn_timed": {
        "_target_": "lfb_lightning.models.FBOCrossAttention",
        "latent_channels": 8,
        "num_heads": 2,
        "cells": 12,
        "slots_per_cell": 3,
    },
    "xattn_identity": {
        "_target_": "lfb_lightning.models.FBOCrossAttention",
        "latent_channels": 8,
        "num_heads": 2,
        "cells": 12,
        "slots_per_cell": 3,
        "identity": True,
    },
    "avg": {"_target_": "lfb_lightning.models.FBOAvg"},
    "max": {"_target_": "lfb_lightning.models.FBOMax"},
    "none": {"_target_": "lfb_lightning.models.FBONone"},
}
TRAINED_ON = {"actions": {1: "stand", 2: "sit <b>", 4: "answer phone"}, "ticks_per_second": "2"}
EXPORT = """
import sys
from pathlib import Path

from torch import nn

from lfb_lightning.exporting.onnx_writing import write_onnx
from lfb_lightning.exporting.programs import programs
from lfb_lightning.exporting.tracing import axes_of, fixed_sizes, trace
from lfb_lightning.models import load_detector, ActionDetector, FBONone, GlobalMean
from tests.cli.in_process import run

def export(*arguments):
    done = run("export", f"ckpt_path={checkpoint}", *arguments, folder=checkpoint.parent)
    assert done.status == 0, done.stderr
    return done.stdout

for checkpoint in sorted(Path(sys.argv[1]).glob("*.ckpt")):
    folder = checkpoint.with_suffix("")
    if checkpoint.stem in ("nl", "none"):
        checkpoint.with_suffix(".txt").write_text(export("format=onnx", f"out={folder}"))
        if checkpoint.stem == "nl":
            export("format=torch_export", f"out={checkpoint.with_suffix('.pt2')}")
    else:  # the features are computed as with the others
        detector = load_detector(checkpoint)
        (scores,) = (one for one in programs(detector) if one.name == "scores")
        folder.mkdir()
        write_onnx(scores, trace(scores, num_frames=4, height=64, width=64), folder / "scores.onnx")


class FourFrames(nn.Module):
    out_channels, stride = 3, 1

    def __init__(self):
        super().__init__()
        self.over_time = nn.Linear(4, 2)

    def forward(self, clips):
        return self.over_time(clips.movedim(2, 4)).movedim(4, 2)


detector = ActionDetector(backbone=FourFrames(), roi_features=GlobalMean(), fbo=FBONone(), num_classes=2).eval()
features = programs(detector)[0]
axes = axes_of(features, trace(features, num_frames=4, height=64, width=80))
print(axes, fixed_sizes(axes, features))
"""


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """The checkpoint of a detector with each FBO, with random weights, as `lfb-train` writes it."""
    folder = tmp_path_factory.mktemp("detectors")
    paths = {}
    for seed, (name, fbo) in enumerate(FBOS.items()):
        spec = {**MODEL, "fbo": {**fbo, "_partial_": True}}
        if name == "none":  # what is exported has its boxes enlarged
            spec["roi_features"] = {**MODEL["roi_features"], "enlarge": [0.4, 0.2]}
        torch.manual_seed(seed)
        detector = build_detector(spec)
        for parameter in detector.parameters():  # a new FBO-NL adds nothing, and a new head tells little
            torch.nn.init.normal_(parameter, std=0.3)
        config = {
            "model": {**spec, "backbone_weights": "/home/somebody/k400.ckpt"},
            "data": {**DATA, "video_dir": "/home/somebody/videos"},
            "bank": {**BANK, "dir": "/home/somebody/banks"},
            "trained_on": TRAINED_ON,
        }
        weights = {f"detector.{key}": value for key, value in detector.state_dict().items()}
        paths[name] = folder / f"{name}.ckpt"
        torch.save({"state_dict": weights, "hyper_parameters": {"config": yaml.safe_dump(config)}}, paths[name])
    return paths


@pytest.fixture(scope="session")
def onnx_folders(checkpoints):
    """Each checkpoint as `lfb-export format=onnx` writes it; of all but nl and none, only what reads the bank."""
    folder = checkpoints["nl"].parent
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (folder / "fixed.txt").write_text(done.stdout)
    return {name: path.with_suffix("") for name, path in checkpoints.items()}
