"""torch.compile follows every FBO and head from end to end, in any sizes, and finds the same numbers and gradients."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

# In a process without the tests' run-time type checks, which the compiler would have to see through.
COMPARE = """
import copy

import torch

from lfb_lightning.bank_window import BankWindow, BankWindows, Packing
from lfb_lightning.models import FBOAvg, FBOMax, FBONonLocal
from lfb_lightning.models.fbo.cross_attention import FBOCrossAttention
from lfb_lightning.models.fbo.several import FBOSeveral
from lfb_lightning.models.head import make_head
from torch._dynamo.utils import counters

C = 8


def case(seed, clips, persons, slots, packed=True):
    g = torch.Generator().manual_seed(seed)
    mask = torch.rand(clips, slots, generator=g) < 0.6
    features = torch.randn(clips, slots, C, generator=g) * mask[:, :, None]
    clip_of_roi = torch.randint(0, clips, (persons,), generator=g)
    same = torch.rand(persons, slots, generator=g) < 0.2
    packing = Packing.of(mask, clip_of_roi) if packed else None
    window = BankWindow(features, mask, same_person=same, packing=packing)
    return torch.randn(persons, C, generator=g), window, clip_of_roi


def compare(name, module, inputs):
    compiled = torch.compile(copy.deepcopy(module), fullgraph=True, dynamic=True, backend="eager")
    graphs = []
    for given in inputs:
        found = []
        for one in (module, compiled):
            one.zero_grad()
            torch.manual_seed(3)  # the same dropout
            out = one(*given)
            out.square().sum().backward()
            gradients = [p.grad for p in one.parameters() if p.grad is not None]
            found.append((out.detach(), *gradients))
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-5, msg=lambda text: f"{name}: {text}")
        graphs.append(counters["stats"]["unique_graphs"])
    assert graphs[0] > 0 and graphs[-1] == graphs[-2], f"{name}: compiled anew for every size, {graphs}"
    counters.clear()


SIZES = [(1, 3, 5, 6), (2, 4, 7, 6), (3, 2, 3, 6), (4, 5, 9, 6)]
nl = FBONonLocal(channels=C, latent_channels=8, norm_inputs=True)
attention = FBOCrossAttention(channels=C, latent_channels=8, num_heads=2, cells=3, slots_per_cell=2, identity=True)
with_slots = [case(seed, clips, persons, slots + seed) for seed, clips, persons, slots in SIZES]
fixed_slots = [case(*sizes) for sizes in SIZES]
unpacked = [case(seed, clips, persons, slots + seed, packed=False) for seed, clips, persons, slots in SIZES]
for fbo in (FBOAvg(channels=C), FBOMax(channels=C, mask_padding=True)):
    fbo.scale = torch.nn.Parameter(torch.ones(()))  # something with a gradient
    fbo.register_forward_hook(lambda module, _, out: out * module.scale)
    compare(type(fbo).__name__, fbo, with_slots)
compare("nl, packed", nl, with_slots)
compare("nl, dense", copy.deepcopy(nl).eval(), unpacked)  # packed where it is not compiled: other dropout
compare("nl of Charades", FBONonLocal(channels=C, latent_channels=8, pre_act=False, mask_padding=True), with_slots)
compare("cross-attention", attention, fixed_slots)
several = FBOSeveral(parts={"main": nl, "other": attention})
compare("several", several, [(x, BankWindows.of({"main": w, "other": w}), r) for x, w, r in fixed_slots])
for layers in (1, 2):
    compare(f"head of {layers}", make_head(C, 6, layers=layers, channels=4), [(x,) for x, _, _ in with_slots])
"""


def test_every_fbo_and_head_is_one_graph(request):
    done = subprocess.run(
        [sys.executable, "-c", COMPARE], cwd=request.config.rootpath, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
