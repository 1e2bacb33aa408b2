"""`python -m benchmarks.modern_backbones`: ViT-B, SlowFast R50 and MViTv2-S against the reference implementations' modules.

Rebuilt from their description: the reference ViT computes attention as products and a softmax in memory, the reference SlowFast takes slow
frames by interpolation and keeps torch's layout. MViTv2's is torchvision's own module, which computes what the reference implementations do. Weights are equal, outputs are compared, and both run in turn on one thread; figures are CPU seconds. The
second table is the peak memory of a ViT-B training step, each in a process of its own: what the step adds to what was there before it.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from statistics import median

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.video import mvit_v2_s

from benchmarks.reference_models import ReferenceBlock, ReferenceConvBN
from benchmarks.timing import in_turn, peak_kilobytes, ratios
from lfb_lightning.models import MViT, SlowFast, VisionTransformer

HEIGHT, WIDTH = 224, 320
VIT_FRAMES, SLOWFAST_FRAMES = 16, 32


class ReferenceAttention(nn.Module):
    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.heads, self.scale = attention.num_heads, (attention.q_bias.numel() // attention.num_heads) ** -0.5
        self.qkv, self.proj = attention.qkv, attention.proj
        self.q_bias, self.v_bias = attention.q_bias, attention.v_bias
        self.drop = nn.Dropout(0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        clips, tokens, channels = x.shape
        bias = torch.cat((self.q_bias, torch.zeros_like(self.v_bias), self.v_bias))
        qkv = F.linear(x, self.qkv.weight, bias).reshape(clips, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = qkv[0] * self.scale, qkv[1], qkv[2]
        weights = self.drop((query @ key.transpose(-2, -1)).softmax(dim=-1))
        return self.proj((weights @ value).transpose(1, 2).reshape(clips, tokens, channels))


def reference_vit(ours: VisionTransformer) -> VisionTransformer:
    """Make the reference of a vision transformer: what differs in cost is the attention."""
    reference = deepcopy(ours)
    for block in reference.blocks:
        block.attn = ReferenceAttention(block.attn)
    return reference


class ReferenceSlowFast(nn.Module):
    def __init__(self, ours: SlowFast) -> None:
        super().__init__()
        ours = deepcopy(ours)
        self.alpha = ours.alpha
        paths = (ours.slow, ours.fast)
        self.stems = nn.ModuleList(ReferenceConvBN(path.stem) for path in paths)
        self.pool = ours.slow.pool
        self.stages = nn.ModuleList(
            nn.ModuleList(nn.Sequential(*map(ReferenceBlock, stage)) for stage in path.stages) for path in paths
        )
        self.laterals = nn.ModuleList(lateral.conv for lateral in ours.laterals)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        slow = F.interpolate(clips, mode="nearest", scale_factor=(1 / self.alpha, 1, 1))
        fast = F.interpolate(clips, mode="nearest", scale_factor=(1.0, 1, 1))
        slow, fast = self.pool(self.stems[0](slow)), self.pool(self.stems[1](fast))
        for lateral, slow_stage, fast_stage in zip(self.laterals, *self.stages, strict=True):
            slow = slow_stage(torch.cat((slow, lateral(fast)), dim=1))
            fast = fast_stage(fast)
        return torch.cat([F.interpolate(slow, fast.shape[2:]), fast], dim=1)


def reference_mvit(ours: MViT) -> MViT:
    """Make the reference of an MViTv2-S: torchvision's attention in each block."""
    reference = deepcopy(ours)
    for own, theirs in zip(reference.blocks, mvit_v2_s().blocks, strict=True):
        theirs.attn.load_state_dict(own.attn.state_dict())
        own.attn = theirs.attn
    return reference


def step(model: nn.Module, clips: torch.Tensor) -> None:
    """Run a forward and a backward pass, as a head over the time mean would."""
    model.zero_grad(set_to_none=True)
    model(clips).mean(2).square().mean().backward()


def infer(model: nn.Module, clips: torch.Tensor) -> torch.Tensor:
    """Run a forward pass without gradients."""
    with torch.inference_mode():
        return model(clips).mean(2)


def compare(name: str, ours: nn.Module, reference: nn.Module, frames: int, rounds: int) -> None:
    """Print the rows of one backbone."""
    clips, models = torch.randn(1, 3, frames, HEIGHT, WIDTH), {"ours": ours, "reference": reference}
    difference = (infer(ours.eval(), clips) - infer(reference.eval(), clips)).abs().max().item()
    works: tuple[tuple[str, Callable[[nn.Module, torch.Tensor], object]], ...] = (
        ("forward", infer),
        ("training step", step),
    )
    for title, work in works:
        for model in models.values():
            model.train(work is step)
        turns = {name: partial(work, model, clips) for name, model in models.items()}
        times = in_turn(turns, rounds=rounds, clock=time.process_time)
        medians = " | ".join(f"{median(seconds):.2f}" for seconds in times.values())
        ratio = median(ratios(times, "ours", "reference"))
        print(f"| {name}, {title} | {medians} | {ratio:.2f} | {difference:.0e} |", flush=True)


def peak_of_a_step(form: str, queue: multiprocessing.Queue[float]) -> None:
    """Measure what a ViT-B training step adds to the process's peak memory, in GiB."""
    torch.set_num_threads(1)
    model: nn.Module = VisionTransformer(drop_path_rate=0.0, gradient_checkpointing=form == "checkpointed")
    if form == "eager":
        model = reference_vit(model)
    clips = torch.randn(1, 3, VIT_FRAMES, HEIGHT, WIDTH)
    before = peak_kilobytes()
    step(model.train(), clips)
    queue.put((peak_kilobytes() - before) / 2**20)


def memory() -> None:
    """Print the table of peak memory."""
    context, found = multiprocessing.get_context("spawn"), {}
    for form in ("eager", "fused", "checkpointed"):
        queue = context.Queue()
        process = context.Process(target=peak_of_a_step, args=(form, queue))
        process.start()
        found[form] = queue.get()
        process.join()
    print("\n| a ViT-B training step adds, GiB | reached | of eager | wanted |\n|---|---|---|---|")
    for form, peak in found.items():
        wanted = "0.45 at most" if form == "checkpointed" else ""
        print(f"| {form} | {peak:.2f} | {peak / found['eager']:.2f} | {wanted} |")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    torch.manual_seed(0)
    torch.set_num_threads(1)
    print(
        f"| one clip of {HEIGHT} x {WIDTH}, fp32, one thread, CPU seconds | ours | reference | ratio, wanted at most 1.0 | outputs differ by |"
    )
    print("|---|---|---|---|---|")
    slowfast = SlowFast(depth=50)
    for module in slowfast.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.0)  # a new one's residual branches give zero, which proves nothing
    compare("SlowFast R50 4x16", slowfast, ReferenceSlowFast(slowfast), SLOWFAST_FRAMES, rounds)
    vit = VisionTransformer(drop_path_rate=0.0)
    compare("ViT-B 16x4", vit, reference_vit(vit), VIT_FRAMES, rounds)
    mvit = MViT(drop_path_rate=0.0)
    for name, parameter in mvit.named_parameters():
        if "rel_pos" in name:
            nn.init.normal_(parameter, std=0.3)  # a new one's tables are nearly zero, which proves nothing
    compare("MViTv2-S 16x4", mvit, reference_mvit(mvit), VIT_FRAMES, rounds)
    memory()


if __name__ == "__main__":
    main()
