"""torch.export follows a detector with FBO-NL: one program for any number of clips, persons and slots, and any size."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

# In a process without the tests' run-time type checks, which the tracer would have to see through.
EXPORT = """
from functools import partial

import torch
from torch import nn
from torch.export import Dim, export

from lfb_lightning.models import FBONonLocal
from lfb_lightning.structures import BankWindow
from tests.models.test_detector import tiny


class Tensors(nn.Module):
    def __init__(self, detector):
        super().__init__()
        self.detector = detector

    def forward(self, clips, rois, features, mask):
        logits, attention = self.detector(clips, rois, BankWindow(features, mask), return_attention=True)
        return logits, attention.weights, attention.empty


def inputs(clips, persons, slots, height, width, fill=0.5):
    g = torch.Generator().manual_seed(slots)
    mask = torch.rand(clips, slots, generator=g) < fill
    corners = torch.rand(persons, 2, 2, generator=g).sort(dim=1).values.flatten(1)
    clip = torch.randint(0, max(clips, 1), (persons, 1), generator=g)
    rois = torch.cat([clip, corners * torch.tensor([width, height, width, height])], dim=1)
    features = torch.randn(clips, slots, 32, generator=g) * mask[:, :, None]
    return torch.randn(clips, 3, 4, height, width, generator=g), rois, features, mask


SHAPES = [
    (2, 5, 300, 64, 48), (4, 2, 9, 48, 32), (1, 1, 1, 40, 40), (1, 4, 60, 33, 47),
    (3, 0, 5, 32, 32), (0, 0, 5, 32, 32), (1, 2, 0, 32, 32), (2, 3, 7, 32, 48, 0.0),
]  # among them no person, no clip, no slot, and a window with nothing in it
free = Dim.DYNAMIC
for options, layers in (({"mask_padding": True, "norm_inputs": True}, 1), ({"pre_act": False}, 2)):
    detector = tiny(partial(FBONonLocal, latent_channels=16, **options), head_layers=layers).eval()
    for parameter in [*detector.fbo.parameters(), *detector.head.parameters()]:
        nn.init.normal_(parameter, std=0.3)
    model = Tensors(detector).eval()
    dynamic = ({0: free, 3: free, 4: free}, {0: free}, {0: free, 1: free}, {0: free, 1: free})
    program = export(model, inputs(2, 3, 7, 32, 48), dynamic_shapes=dynamic).module()
    assert detector.fbo.form == "auto"
    for shape in SHAPES:
        given = inputs(*shape)
        for found, expected in zip(program(*given), model(*given), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        assert model(*given)[0].shape == (shape[1], 6)
"""


def test_an_exported_detector_equals_the_eager_one_at_any_shape(request):
    done = subprocess.run(
        [sys.executable, "-c", EXPORT], cwd=request.config.rootpath, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
