"""The reference backbones' weights and inputs, rebuilt from their description (one generator per tensor)."""

import json
import math

import torch
from safetensors.torch import load_file

from tests import conftest
from tests.models.golden import BOXES, generator

GOLDEN = conftest.GOLDEN / "backbones"


def _is_norm(key):
    *modules, leaf = key.split(".")
    return leaf == "weight" and (".bn." in key or ".ln." in key or "norm" in modules[-1])


def fill(key, shape):
    """The tensor that the reference module had under this name of an mmaction2 detector."""
    g = generator(key, 0)
    if key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if key.endswith("running_var"):
        return 0.5 + torch.rand(shape, generator=g)
    r = torch.randn(shape, generator=g)
    if key.endswith(("running_mean", ".bias", ".q_bias", ".v_bias")):
        return 0.1 * r
    if _is_norm(key):
        return (0.6 if ".conv3.bn." in key else 1.0) * (1 + 0.1 * r)
    r = r - r.flatten(1).mean(dim=1).view(-1, *[1] * (r.dim() - 1))
    gain = 3.0 if key.endswith("fc_cls.weight") else 2.0
    return r * math.sqrt(gain / r[0].numel())


def video(clips, frames, height, width):
    coarse = torch.randn(clips, 3, frames, height // 16, width // 16, generator=generator("video.coarse", 0))
    fine = torch.randn(clips, 3, frames, height, width, generator=generator("video.fine", 0))
    return coarse.repeat_interleave(16, 3).repeat_interleave(16, 4) + 0.5 * fine


def rois(clips, height, width):
    scale = torch.tensor([width / 320, height / 224] * 2)
    rows = [
        torch.cat([torch.tensor([float(clip)]), torch.tensor(box) * scale])
        for clip in range(clips)
        for box in BOXES[clip]
    ]
    return torch.stack(rows)


def load(name):
    return load_file(GOLDEN / f"{name}.safetensors")


def figures(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


def layout(name):
    """The keys and shapes of a published layout."""
    return {key: tuple(shape) for key, shape, _ in figures(f"layout_{name}")["keys"]}


def assert_recorded(value, recorded, name, *, atol):
    """Compare a whole tensor, or 64 probes of it, with what the reference module gave."""
    if f"{name}.idx" in recorded:
        value, expected = value.flatten()[recorded[f"{name}.idx"]], recorded[f"{name}.val"]
    else:
        expected = recorded[name]
    torch.testing.assert_close(value, expected, atol=atol, rtol=0, msg=lambda text: f"{name}: {text}")
