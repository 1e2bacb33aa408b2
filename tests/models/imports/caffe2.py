"""Synthetic files of the original Caffe2 release: a small detector of ours under the names that its code gives to blobs."""

import pickle

import numpy as np
import torch

from lfb_lightning.models import build_detector
from tests.models.imports.test_layouts import I3D, caffe2_name

CLIP_BLOB = "res5_2_branch2c_bn_pooled"  # what a clip model's head pools: add_basic_head names it after the last block
R101 = {
    **I3D,
    "depth": 101,
    "temporal_kernels": [3, [3, 1, 3, 1], [3, 1] * 11 + [3], [1, 3, 1]],
    "nonlocal_after": [[], [1, 3], [6, 13, 20], []],
}


def operator(kind, **keys):
    return {"_target_": f"lfb_lightning.models.FBO{kind}", "_partial_": True, **keys}


def clip_model(classes, fbo, *, depth=50, dilated=False, bank_channels=None):
    """A detector of whole clips whose values are what such a file can hold: affine norms, no weights in layer norms."""
    torch.manual_seed(1)
    backbone = {**(I3D if depth == 50 else R101), "spatial_dilations": [1, 1, 1, 2 if dilated else 1]}
    made = build_detector(
        {
            "_target_": "lfb_lightning.models.assemble_detector",
            "backbone": backbone,
            "roi_features": {"_target_": "lfb_lightning.models.GlobalMean"},
            "fbo": fbo,
            "num_classes": classes,
            "bank_channels": bank_channels,
        }
    )
    for name, value in made.state_dict().items():
        if name in ("fbo.mean", "fbo.std") or ".norm." in name or not value.is_floating_point():
            continue
        if name.endswith("running_var"):
            value.fill_(1 - 1e-5)
        elif name.endswith("running_mean"):
            value.zero_()
        else:
            value.copy_(0.1 * torch.randn_like(value) + (0.9 if name.endswith("bn.weight") else 0))
    return made.eval()


def blobs_of(detector, *, pooled=CLIP_BLOB):
    """Its blobs by name, with the momenta and the schedule's state that the release's `save_model_params` adds."""
    blobs = {}
    for key, value in detector.state_dict().items():
        name = caffe2_name(key)
        if name:
            name = name.replace("box_pooled", pooled)
            blobs[name] = value.numpy()
            if "_bn_" not in name.replace(pooled, ""):  # affine layers are not trained
                blobs[f"{name}_momentum"] = np.zeros_like(blobs[name])
    return {**blobs, "lr": np.array(0.002, np.float32), "model_iter": 12000}


def write(path, blobs):
    path.write_bytes(pickle.dumps({"blobs": blobs}, protocol=2))
    return path
