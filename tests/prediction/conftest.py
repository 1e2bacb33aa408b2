"""A detector whose FBO reads its memory, a video of mini-AVA, and somebody to find persons in it."""

import numpy as np
import pytest
import torch
import yaml

from lfb_lightning.models import build_detector
from lfb_lightning.structures import Proposals

MODEL = {
    "_target_": "lfb_lightning.models.assemble_detector",
    "backbone": {
        "_target_": "lfb_lightning.models.ResNet3d",
        "stage_blocks": [1, 1],
        "base_channels": 4,
        "temporal_kernels": [1, 3],
        "spatial_strides": [1, 2],
        "spatial_dilations": [1, 1],
    },
    "roi_features": {"_target_": "lfb_lightning.models.RoIFeatures", "output_size": 4},
    "num_classes": 6,
    "dropout": 0.0,
}
FBOS = {
    "nl": {"_target_": "lfb_lightning.models.FBONonLocal", "_partial_": True, "latent_channels": 8, "num_layers": 2},
    "none": {"_target_": "lfb_lightning.models.FBONone", "_partial_": True},
    "identity": {
        "_target_": "lfb_lightning.models.FBOCrossAttention",
        "_partial_": True,
        "latent_channels": 8,
        "num_heads": 2,
        "norm_inputs": False,
        "identity": True,
    },
}
DATA = {"num_frames": 4, "frame_stride": 4, "fps": 25.0, "eval_short_side": 64, "ticks_per_second": 2}
BANK = {
    "dir": "unused",
    "window_seconds": 6,
    "window_before": 3,
    "window_after": "5/2",
    "slots": 36,
    "features_per_second": 3,
    "precision": "fp32",
}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Writes a checkpoint with random weights, as `lfb-train` would: `checkpoint("nl", seed=1, data={...})`."""
    folder = tmp_path_factory.mktemp("checkpoints")

    def write(fbo, *, seed=0, data=DATA, bank=BANK, model=None, **more):
        spec = {**MODEL, "fbo": FBOS[fbo], **(model or {})}
        torch.manual_seed(seed)
        detector = build_detector(spec)
        for parameter in detector.parameters():  # a new FBO-NL adds nothing, and a new head tells little
            torch.nn.init.normal_(parameter, std=0.3)
        config = {"model": spec, "data": data, "bank": bank, **more}
        path = folder / f"{fbo}_{seed}_{abs(hash(str(config)))}.ckpt"
        weights = {f"detector.{name}": value for name, value in detector.state_dict().items()}
        torch.save({"state_dict": weights, "hyper_parameters": {"config": yaml.safe_dump(config)}}, path)
        return path

    return write


@pytest.fixture(scope="session")
def video(mini_dir):
    return sorted((mini_dir / "videos").glob("*val*"))[0]


class Walkers:
    """Finds two persons who walk, and nobody in every fifth second: as a detector of persons does, from the frame's time."""

    def __init__(self):
        self.asked = []

    def find(self, frames, seconds, video_id):
        self.asked += list(seconds)
        return [self.at(second) for second in seconds]

    def at(self, second):
        if int(second) % 5 == 4:
            return Proposals(np.zeros((0, 4)), np.zeros(0))
        x = 0.02 * second
        return Proposals(np.array([[0.1 + x, 0.1, 0.4 + x, 0.9], [0.6 - x, 0.3, 0.8 - x, 0.7]]), np.array([0.9, 0.7]))

    def describe(self):
        return {"persons": "walkers"}


@pytest.fixture
def walkers():
    return Walkers()
