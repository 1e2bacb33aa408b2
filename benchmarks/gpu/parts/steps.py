"""Training steps of each family of backbones with FBO-NL, in bf16: plain, in the channels-last layout, and compiled."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from benchmarks.gpu.bench import Bench, LeaveOut
from benchmarks.gpu.detectors import draw_batch, make_detector
from benchmarks.gpu.sizes import Backbone
from benchmarks.timing import Spread, peak_gib, seconds_of
from lfb_lightning.clips.normalize import normalize
from lfb_lightning.models import ActionDetector, MultiLabelLoss
from lfb_lightning.models.compiling import compile_detector
from lfb_lightning.structures import ClipBatch

LAYOUT = "channels last"


def measure(bench: Bench) -> None:
    """Measure what takes no compiler first, then the rest as far as the time goes."""
    forms = [(backbone, layout, False) for backbone in bench.sizes.backbones for layout in _layouts(backbone)]
    forms += [(backbone, layout, True) for layout in ("", LAYOUT) for backbone in bench.sizes.backbones]
    for backbone, layout, compiled in forms:
        if layout in _layouts(backbone):
            words = [backbone.name, layout, "compiled" if compiled else ""]
            name = ", ".join(word for word in words if word)
            bench.case(name, _measure, bench, name, backbone, layout, compiled)


def _layouts(backbone: Backbone) -> tuple[str, ...]:
    return ("", LAYOUT) if backbone.has_layouts else ("",)


def _measure(bench: Bench, name: str, backbone: Backbone, layout: str, compiled: bool) -> None:
    if compiled and not bench.sizes.compiles:
        raise LeaveOut("compiling takes minutes on a CPU: --sizes small")
    torch.compiler.reset()
    changes = {"channels_last": layout == LAYOUT} if backbone.has_layouts else {}
    detector = make_detector(backbone, bench.sizes, **changes).to(bench.device).train()
    batch = draw_batch(backbone, bench.sizes, channels=detector.bank_channels).to(bench.device)
    batch = normalize(batch, mean=(0.45,) * 3, std=(0.225,) * 3)
    if compiled:
        compile_detector(detector)
    optimizer = torch.optim.SGD(detector.parameters(), lr=1e-3, momentum=0.9)
    work = partial(take_step, bench, detector, MultiLabelLoss(), optimizer, batch)
    values = {"s first step": Spread.of([seconds_of(work, device=bench.device)])}
    peak = peak_gib(work, device=bench.device)
    seconds = bench.measure({"": work})[""]
    values |= {"ms": Spread.of(seconds, factor=1e3), "clips/s": Spread.of(seconds).rate(bench.sizes.clips)}
    values["GiB peak"] = Spread.of([peak])
    bench.add(name, values)


def take_step(
    bench: Bench, detector: ActionDetector, loss: nn.Module, optimizer: torch.optim.Optimizer, batch: ClipBatch
) -> None:
    """Take a step of training: forward in bf16, loss, backward, clipping, optimizer."""
    with bench.half_precision():
        logits = detector(batch.clips, batch.rois, batch.window)
    value = loss(logits.float(), batch.labels)
    optimizer.zero_grad()
    value.backward()
    nn.utils.clip_grad_norm_(detector.parameters(), 20.0)
    optimizer.step()
