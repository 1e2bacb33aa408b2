"""mmaction2's weights and inputs, rebuilt from their description (a generator per tensor, seeded by its name)."""

import json
import zlib

import torch
from safetensors.torch import load_file

from tests import conftest

GOLDEN = conftest.GOLDEN / "mmaction2"
BOXES = [
    [
        [0, 0, 320, 224],
        [0, 0, 47.3, 61.9],
        [280.25, 150.5, 320, 224],
        [101.37, 53.81, 166.02, 201.44],
        [150.2, 100.1, 152.9, 101.3],
        [12, 20, 300, 22.5],
    ],
    [[33.3, 10.7, 140.6, 223], [319, 223, 320, 224], [200.49, 0, 209.51, 224]],
]


def generator(name, seed):
    return torch.Generator().manual_seed(zlib.crc32(name.encode()) + seed)


def fill(key, shape, seed=0):
    g = generator(key, seed)
    if key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if key.endswith("running_var"):
        return 0.5 + torch.rand(shape, generator=g)
    r = torch.randn(shape, generator=g)
    if key.endswith(("running_mean", ".bias")):
        return 0.1 * r
    if ".bn." in key or ".ln." in key:
        return (0.6 if ".conv3.bn." in key else 1.0) * (1 + 0.1 * r)
    r = r - r.flatten(1).mean(dim=1).view(-1, *[1] * (r.dim() - 1))
    fan_in = r[0].numel()
    return r * ((3.0 if key.endswith("fc_cls.weight") else 2.0) / fan_in) ** 0.5


def state_dict(model, seed=0):
    layout = json.loads((GOLDEN / f"layout_{model}.json").read_text())
    return {key: fill(key, shape, seed) for key, shape, _ in layout["keys"]}


def video(seed=0, height=224, width=320):
    coarse = torch.randn(2, 3, 4, height // 16, width // 16, generator=generator("video.coarse", seed))
    fine = torch.randn(2, 3, 4, height, width, generator=generator("video.fine", seed))
    return coarse.repeat_interleave(16, 3).repeat_interleave(16, 4) + 0.5 * fine


def rois():
    return torch.tensor([[clip, *box] for clip, boxes in enumerate(BOXES) for box in boxes])


def long_term(seed=0, persons=9, slots=300, channels=2048, per_second=5):
    x = 0.5 * torch.randn(persons, slots, channels, generator=generator("lt_feat", seed)) + 0.3
    x[persons - 2] -= 3.0
    for i in range(persons):
        for s in range(slots // per_second):
            kept = min((5 * s + 3 * i) % (per_second + 2), per_second)
            x[i, s * per_second + kept : (s + 1) * per_second] = 0
    x[persons - 1] = 0
    return x


def load(name):
    return load_file(GOLDEN / f"{name}.safetensors")
