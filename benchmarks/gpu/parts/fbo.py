"""FBO-NL on windows of AVA's size in its two forms and the reference implementation's: a forward pass, and with backward."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from torch import nn

from benchmarks.fbo import Case, draw_case, forward, make_forms, step
from benchmarks.gpu.bench import Bench
from benchmarks.timing import Spread, peak_gib


def measure(bench: Bench) -> None:
    """Measure both works in fp32 and bf16."""
    sizes = bench.sizes
    case = draw_case(clips=sizes.fbo_clips, persons=sizes.persons, seconds=sizes.seconds, channels=sizes.fbo_channels)
    short_term, window, clip_of_roi = (one.to(bench.device) for one in case)
    models = {
        name: one.to(bench.device) for name, one in make_forms(sizes.fbo_channels, latent_channels=sizes.latent).items()
    }
    works: dict[str, Callable[..., Any]] = {"forward": forward, "forward + backward": step}
    for precision in ("fp32", "bf16"):
        for title, work in works.items():
            name = f"{title}, {precision}"
            bench.case(name, _compare, bench, name, work, models, (short_term, window, clip_of_roi))


def _compare(bench: Bench, title: str, work: Callable[..., Any], models: dict[str, nn.Module], case: Case) -> None:
    def run(model: nn.Module) -> None:
        with bench.half_precision() if title.endswith("bf16") else nullcontext():
            work(model, case)

    turns = {name: partial(run, model) for name, model in models.items()}
    seconds = bench.measure(turns)
    for name in models:
        peak = peak_gib(turns[name], device=bench.device)
        values = {"ms": Spread.of(seconds[name], factor=1e3), "GiB peak": Spread.of([peak])}
        bench.add(f"{title}, {name}", values)
