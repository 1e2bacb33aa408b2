"""`python -m benchmarks.fbo`: FBO-NL in its packed and dense form, beside the reference implementation's, on windows of AVA's size.

12 clips x 3 persons, 60 s x 5 slots, as many of them filled as with 2.3 persons per second; one thread, CPU time, medians.
"""

from __future__ import annotations

import time
from statistics import median

import torch
from torch import nn

from benchmarks.reference_models import ReferenceLayer, conv_of
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


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    persons = (torch.poisson(torch.full((CLIPS, SECONDS), 1.3)) + 1).clamp(max=5)
    mask = (torch.arange(5) < persons[:, :, None]).flatten(1)
    window = BankWindow(features=torch.randn(*mask.shape, CHANNELS).relu() * mask[:, :, None], mask=mask)
    short_term = torch.randn(CLIPS * PERSONS, CHANNELS).relu()
    clip_of_roi = torch.arange(CLIPS).repeat_interleave(PERSONS)
    packed = FBONonLocal(channels=CHANNELS, dropout=0.0)
    for layer in packed.layers:
        nn.init.normal_(layer.out.weight, std=0.02)
    dense = FBONonLocal(channels=CHANNELS, dropout=0.0)
    dense.load_state_dict(packed.state_dict())
    packed.form, dense.form = "packed", "dense"
    models = {"packed": packed, "dense": dense, "reference": ReferenceFBO(packed)}

    def forward(model: nn.Module) -> torch.Tensor:
        with torch.no_grad():
            return model(short_term, window, clip_of_roi)

    def step(model: nn.Module) -> None:
        model.zero_grad(set_to_none=True)
        model(short_term, window, clip_of_roi).square().mean().backward()

    expected = forward(models["reference"])
    print(f"{mask.float().mean():.0%} of the slots are filled\n")
    print(
        "| | forward | forward + backward | differs from the reference implementation's, of the largest |\n|---|---|---|---|"
    )
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for name, model in models.items():
            for function in (forward, step):
                begin = time.process_time()
                function(model)
                times.setdefault((name, function.__name__), []).append(time.process_time() - begin)
    for name, model in models.items():
        one, two = (1e3 * median(times[name, what]) for what in ("forward", "step"))
        difference = (forward(model) - expected).abs().max() / expected.abs().max()
        print(f"| {name} | {one:.0f} ms | {two:.0f} ms | {difference:.0e} |")


if __name__ == "__main__":
    main()
