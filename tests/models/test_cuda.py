"""On a GPU, operators, layouts, precisions and compiled code give the CPU's numbers and gradients."""

import copy
import subprocess
import sys
from functools import partial

import pytest
import torch

from lfb_lightning.bank_window import BankWindow, Packing
from lfb_lightning.models import FBOAvg, FBOMax, FBONonLocal, MultiLabelLoss
from lfb_lightning.models.fbo.cross_attention import FBOCrossAttention
from tests.models.test_detector import CLIPS, ROIS, tiny
from tests.models.test_fbo import C, D, make_case

pytestmark = pytest.mark.gpu
WHERE = "cuda"
FBOS = {
    "avg": FBOAvg,
    "max": partial(FBOMax, mask_padding=True),
    "nl, packed": partial(FBONonLocal, latent_channels=D, norm_inputs=True),
    "nl, dense": partial(FBONonLocal, latent_channels=D, norm_inputs=True),
    "nl of Charades, packed": partial(FBONonLocal, latent_channels=D, pre_act=False, mask_padding=True),
    "nl of Charades, dense": partial(FBONonLocal, latent_channels=D, pre_act=False, mask_padding=True),
    "xattn": partial(FBOCrossAttention, latent_channels=8, num_heads=2, cells=7, slots_per_cell=1),
}


@pytest.fixture(autouse=True)
def exact():
    """Convolutions in fp32 are computed in fp32, not in TF32, which torch lets cuDNN do."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def with_gradients(module, short_term, *others):
    """The output, and the gradients of the first input and of all parameters, where there are any."""
    short_term = short_term.clone().requires_grad_()
    out = module(short_term, *others)
    if out.requires_grad:  # a mean or a maximum of the bank has nothing to learn
        out.square().sum().backward()
    gradients = [one.grad for one in (short_term, *module.parameters())]
    return [one.detach().cpu() for one in (out, *gradients) if one is not None]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", FBOS)
def test_an_fbo_and_its_gradients_equal_the_cpus(name, known, precision):
    short_term, window, clip_of_roi = make_case(3, clips=4, persons=9)
    stored = window.features.half() if precision == "fp16" else window.features
    packing = Packing.of(window.mask, clip_of_roi) if known else None
    window = BankWindow(stored, window.mask, packing=packing)
    torch.manual_seed(0)
    fbo = FBOS[name](channels=C).eval()
    for parameter in fbo.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    _, _, form = name.partition(", ")
    if form:
        fbo.form = form
    on_gpu = copy.deepcopy(fbo).to(WHERE)
    expected = with_gradients(fbo, short_term, window, clip_of_roi)
    found = with_gradients(on_gpu, *(one.to(WHERE) for one in (short_term, window, clip_of_roi)))
    assert len(expected) > 2 or name in ("avg", "max")
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def step_of(detector, *, precision=None, scale=1.0):
    """The loss of a batch and the gradients of a step, on the detector's device."""
    device = next(detector.parameters()).device
    labels = (torch.arange(18).view(3, 6) % 4 == 1).float().to(device)
    with torch.autocast(device.type, dtype=precision, enabled=precision is not None):
        logits = detector.eval()(CLIPS.to(device), ROIS.to(device))
    loss = MultiLabelLoss()(logits, labels)
    (loss * scale).backward()
    return loss.item(), [parameter.grad.float().cpu() / scale for parameter in detector.parameters()]


@pytest.mark.parametrize("layout", [True, False])
def test_both_layouts_take_the_cpus_step(layout):
    plain = tiny()
    detector = copy.deepcopy(plain).to(WHERE)
    detector.backbone.channels_last = layout
    expected, found = step_of(plain), step_of(detector)
    assert found[0] == pytest.approx(expected[0], rel=1e-4)
    for one, other in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_half_precisions_take_nearly_the_cpus_step(precision):
    plain = tiny()
    detector = copy.deepcopy(plain).to(WHERE)
    expected, found = step_of(plain), step_of(detector, precision=precision, scale=1024.0)
    assert found[0] == pytest.approx(expected[0], rel=0.02)
    one, other = (torch.cat([gradient.flatten() for gradient in step[1]]) for step in (found, expected))
    assert one.isfinite().all()
    assert torch.cosine_similarity(one, other, dim=0) > 0.95
    assert one.norm() == pytest.approx(other.norm().item(), rel=0.1)


# In a process without the tests' run-time type checks, which the compiler would have to see through.
COMPARE = """
import copy

import torch

from lfb_lightning.bank_window import BankWindow, Packing
from lfb_lightning.models import FBONonLocal
from lfb_lightning.models.compiling import compile_detector
from tests.models.test_detector import CLIPS, ROIS, tiny

torch.backends.cudnn.allow_tf32 = False
mask = torch.rand(2, 6, generator=torch.Generator().manual_seed(2)) < 0.6
window = BankWindow(torch.randn(2, 6, 32) * mask[:, :, None], mask, packing=Packing.of(mask, ROIS[:, 0].long()))
plain = tiny(lambda channels: FBONonLocal(channels=channels, latent_channels=8)).eval()
on_gpu = copy.deepcopy(plain).to(WHERE)
compile_detector(on_gpu)
found = []
for detector, where in ((plain, "cpu"), (on_gpu, WHERE)):
    scores = detector(CLIPS.to(where), ROIS.to(where), window.to(where))
    scores.square().sum().backward()
    found.append([scores.detach().cpu(), *(parameter.grad.cpu() for parameter in detector.parameters())])
for one, other in zip(*found, strict=True):
    torch.testing.assert_close(other, one, atol=1e-3, rtol=1e-3)
from torch._dynamo.utils import counters
assert counters["stats"]["unique_graphs"] > 0, "nothing was compiled"
"""


@pytest.mark.slow
def test_a_compiled_detector_takes_the_cpus_step(request):
    command = [sys.executable, "-c", f"WHERE = {WHERE!r}\n{COMPARE}"]
    done = subprocess.run(command, cwd=request.config.rootpath, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
