"""`python -m benchmarks.fbo`: FBO-NL in its packed and dense form, beside the reference implementation's, on windows of AVA's size.

12 clips x 3 persons, 60 s x 5 slots, as many of them filled as with 2.3 persons per second; one thread, CPU time, medians.
"""

from __future__ import annotations

import time
from functools import partial
from statistics import median

import torch
from torch import nn

from benchmarks.reference_models import ReferenceLayer, conv_of
from benchmarks.timing import in_turn
from lfb_lightning.bank_window import Packing
from lfb_lightning.models import FBONonLocal
from lfb_lightning.structures import BankWindow

CHANNELS, CLIPS, PERSONS, SECONDS, ROUNDS = 2048, 12, 3, 60, 9


class ReferenceFBO(nn.Module):
    """FBO-NL over a padded window a RoI, on 1x1x1 convolutions, with our weights."""

    def __init__(self, fbo: FBONonLocal) -> None:
        super().__init__()
        self.short, self.long = conv_of(fbo.short_term_projection), conv_of(fbo.long_term_projection)
        self.layers = nn.ModuleList(map(ReferenceLayer, fbo.layers))

    def forward(self, short_term: torch.Tensor, window: BankWindow, clip_of_roi: torch.Tensor) -> torch.Tensor:
        bank = window.features[clip_of_roi].transpose(1, 2)[..., None, None].contiguous()
        short, long = self.short(short_term[:, :, None, None, None]), self.long(bank)
        for layer in self.layers:
            short = short + layer(short, long)
        return short.flatten(1)


Case = tuple[torch.Tensor, BankWindow, torch.Tensor]


def draw_case(*, clips: int, persons: int, seconds: int, channels: int) -> Case:
    """Draw what an FBO is given: features of persons, windows of 5 slots per second filled as on AVA, and each person's clip."""
    found = (torch.poisson(torch.full((clips, seconds), 1.3)) + 1).clamp(max=5)
    mask = (torch.arange(5) < found[:, :, None]).flatten(1)
    clip_of_roi = torch.arange(clips).repeat_interleave(persons)
    features = torch.randn(*mask.shape, channels).relu() * mask[:, :, None]
    window = BankWindow(features=features, mask=mask, packing=Packing.of(mask, clip_of_roi))
    return torch.randn(clips * persons, channels).relu(), window, clip_of_roi


def make_forms(channels: int, latent_channels: int = 512) -> dict[str, nn.Module]:
    """Make FBO-NL in both forms and the reference implementation's, of equal weights."""
    packed, dense = (
        FBONonLocal(channels=channels, latent_channels=latent_channels, dropout=0.0) for _ in ("packed", "dense")
    )
    for layer in packed.layers:
        nn.init.normal_(layer.out.weight, std=0.02)
    dense.load_state_dict(packed.state_dict())
    packed.form, dense.form = "packed", "dense"
    return {"packed": packed, "dense": dense, "reference": ReferenceFBO(packed)}


def forward(model: nn.Module, case: Case) -> torch.Tensor:
    """Run a forward pass without gradients."""
    with torch.no_grad():
        return model(*case)


def step(model: nn.Module, case: Case) -> None:
    """Run a forward and a backward pass."""
    model.zero_grad(set_to_none=True)
    model(*case).square().mean().backward()


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    case = draw_case(clips=CLIPS, persons=PERSONS, seconds=SECONDS, channels=CHANNELS)
    models = make_forms(CHANNELS)
    expected = forward(models["reference"], case)
    print(f"{case[1].mask.float().mean():.0%} of the slots are filled\n")
    print(
        "| | forward | forward + backward | differs from the reference implementation's, of the largest |\n|---|---|---|---|"
    )
    forwards, steps = (
        in_turn(
            {name: partial(work, model, case) for name, model in models.items()},
            rounds=ROUNDS,
            clock=time.process_time,
        )
        for work in (forward, step)
    )
    for name, model in models.items():
        difference = (forward(model, case) - expected).abs().max() / expected.abs().max()
        cells = f"{1e3 * median(forwards[name]):.0f} ms | {1e3 * median(steps[name]):.0f} ms | {difference:.0e}"
        print(f"| {name} | {cells} |")


if __name__ == "__main__":
    main()
