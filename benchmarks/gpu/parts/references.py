"""Our modules beside the reference implementations', rebuilt from their description, in turn, with equal weights, in bf16."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from benchmarks.gpu.bench import Bench, LeaveOut
from benchmarks.gpu.detectors import draw_batch, make_detector
from benchmarks.gpu.sizes import Backbone
from benchmarks.modern_backbones import ReferenceSlowFast, reference_mvit, reference_vit
from benchmarks.reference_models import Reference
from benchmarks.timing import Spread, ratios
from lfb_lightning.models import MViT, ResNet3d, SlowFast, VisionTransformer

Call = Callable[[nn.Module], torch.Tensor]


def measure(bench: Bench) -> None:
    """Compare each family that has a reference."""
    for backbone in bench.sizes.backbones:
        bench.case(backbone.name, _compare, bench, backbone)


def _compare(bench: Bench, backbone: Backbone) -> None:
    detector = make_detector(backbone, bench.sizes)
    settle(detector)
    batch = draw_batch(backbone, bench.sizes, channels=detector.bank_channels).to(bench.device)
    clips = batch.clips.float() / 255
    ours, reference, whole = pair_of(detector)
    name = f"{backbone.name}{', with FBO-NL' if whole else ''}"

    def call(model: nn.Module) -> torch.Tensor:
        with bench.half_precision():
            return model(clips, batch.rois, batch.window) if whole else model(clips)

    models = {"ours": ours.to(bench.device), "reference": reference.to(bench.device)}
    with torch.no_grad():
        one, other = (call(model.eval()).float() for model in models.values())
    note = f"outputs differ by {(one - other).abs().max() / other.abs().max():.0e} of the largest"
    for title, work in {"forward": _infer, "training step": _step}.items():
        for model in models.values():
            model.train(work is _step)
        seconds = bench.measure({key: partial(work, call, model) for key, model in models.items()})
        values = {f"{key}, ms": Spread.of(taken, factor=1e3) for key, taken in seconds.items()}
        values["ratio"] = Spread.of(ratios(seconds, "ours", "reference"))
        bench.add(f"{name}, {title}", values, note)


def pair_of(detector: nn.Module) -> tuple[nn.Module, nn.Module, bool]:
    """Give our module and the reference's, and whether they are whole detectors or backbones.

    Raises:
        LeaveOut: No reference was rebuilt for this one.
    """
    backbone = detector.backbone
    if isinstance(backbone, ResNet3d) and not backbone.nonlocals:
        return detector, Reference(detector), True
    if isinstance(backbone, SlowFast):
        return backbone, ReferenceSlowFast(backbone), False
    if isinstance(backbone, VisionTransformer):
        return backbone, reference_vit(backbone), False
    if isinstance(backbone, MViT):
        try:
            return backbone, reference_mvit(backbone), False
        except (RuntimeError, ValueError) as error:
            raise LeaveOut("the reference is torchvision's MViTv2-S, which is of other sizes") from error
    raise LeaveOut("no reference was rebuilt for it")


def settle(detector: nn.Module) -> None:
    """Draw weights that a new module has zero or nearly so, with which equal outputs would prove nothing."""
    for name, parameter in detector.named_parameters():
        if "rel_pos" in name or (name.startswith("fbo.") and name.endswith("out.weight")):
            nn.init.normal_(parameter, std=0.02)
    for module in detector.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.0)


def _infer(call: Call, model: nn.Module) -> None:
    with torch.inference_mode():
        call(model)


def _step(call: Call, model: nn.Module) -> None:
    model.zero_grad(set_to_none=True)
    call(model).float().square().mean().backward()
