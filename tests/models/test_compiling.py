"""A compiled detector gives the same numbers and gradients under the same names, for any size of clip."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

# In a process without the tests' run-time type checks, which the compiler would have to see through.
COMPARE = """
import copy

import torch

from lfb_lightning.models.compiling import compile_detector
from tests.models.test_detector import ROIS, tiny

plain = tiny()
compiled = copy.deepcopy(plain)
compile_detector(compiled)
recomputing = copy.deepcopy(plain)
recomputing.backbone.gradient_checkpointing = True
compile_detector(recomputing)
assert list(compiled.state_dict()) == list(plain.state_dict())
generator = torch.Generator().manual_seed(1)
for height in (32, 40):
    clips = torch.randn(2, 3, 4, height, 48, generator=generator)
    results = []
    for detector in (plain, compiled, recomputing):
        detector.zero_grad()
        torch.manual_seed(0)  # the same dropout
        scores = detector(clips, ROIS)
        scores.square().sum().backward()
        results.append((scores, detector.backbone.stem.conv.weight.grad))
    for one, other in [pair for others in results[1:] for pair in zip(results[0], others, strict=True)]:
        torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-4)
        assert not other.equal(torch.zeros_like(other))
from torch._dynamo.utils import counters
assert counters["stats"]["unique_graphs"] > 0, "nothing was compiled"
"""


def test_same_scores_gradients_and_names(request):
    done = subprocess.run(
        [sys.executable, "-c", COMPARE], cwd=request.config.rootpath, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
