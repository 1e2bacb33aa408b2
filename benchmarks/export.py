"""`python -m benchmarks.export`: an exported SlowOnly R50 with FBO-NL under onnxruntime beside torch, on one thread each.

One clip of 4 frames, 256x340, five persons, a window of 60 s x 5 slots of which as many are filled as with 2.3 persons per
second. Rounds are interleaved and begin with another one each time, since other work may run on the machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

from lfb_lightning.exporting.onnx_file import OnnxFile
from lfb_lightning.exporting.onnx_writing import write_onnx
from lfb_lightning.exporting.programs import Program, programs
from lfb_lightning.exporting.tracing import trace
from lfb_lightning.models import ActionDetector, FBONonLocal, ResNet3d, RoIFeatures, assemble_detector

PERSONS, SECONDS, PER_SECOND, FRAMES, HEIGHT, WIDTH = 5, 60, 5, 4, 256, 340


def detector() -> ActionDetector:
    """A detector of published size whose weights are random, and large enough for every part to show in its logits."""
    torch.manual_seed(0)
    made = assemble_detector(
        backbone=ResNet3d(depth=50), roi_features=RoIFeatures(), fbo=partial(FBONonLocal), num_classes=81
    )
    for module in made.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.8, 1.2)
    for name, module in made.backbone.named_modules():
        if name.endswith("conv3.bn"):
            nn.init.uniform_(module.weight, 0.1, 0.3)  # as residual branches add, logits stay of usual size
    for layer in made.fbo.layers:
        nn.init.normal_(layer.out.weight, std=0.02)
    nn.init.normal_(made.head.weight, std=0.02)
    return made.eval()


def inputs() -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(0)
    corners = torch.rand(PERSONS, 2, 2, generator=random).sort(dim=1).values.flatten(1)
    boxes = corners * torch.tensor([WIDTH, HEIGHT, WIDTH, HEIGHT])
    persons = (torch.poisson(torch.full((1, SECONDS), 1.3), generator=random) + 1).clamp(max=PER_SECOND)
    mask = (torch.arange(PER_SECOND) < persons[:, :, None]).flatten(1)
    return {
        "clips": torch.randn(1, 3, FRAMES, HEIGHT, WIDTH, generator=random),
        "rois": torch.cat([torch.zeros(PERSONS, 1), boxes], dim=1),
        "window": torch.randn(*mask.shape, 2048, generator=random).relu() * mask[:, :, None],
        "mask": mask,
        "features": torch.randn(PERSONS, 2048, generator=random).relu(),
        "clip_of_roi": torch.zeros(PERSONS, dtype=torch.int64),
    }


def measure(program: Program, file: OnnxFile, made: ActionDetector, rounds: int) -> None:
    """Print the rows of one program."""
    given = [inputs()[name] for name in program.inputs]
    arrays = [value.numpy() for value in given]

    def of_torch(form: str) -> np.ndarray:
        made.fbo.form = form
        with torch.inference_mode():
            return np.asarray(program.module(*given)[0].numpy())

    runs = {
        "onnxruntime": lambda: file(*arrays)[0],
        "torch, packed": lambda: of_torch("packed"),
        "torch, dense": lambda: of_torch("dense"),
    }
    results = {name: run() for name, run in runs.items()}  # the first one of each is slower
    wall: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        names = list(runs)
        for name in names[number % 3 :] + names[: number % 3]:
            begin = time.perf_counter(), time.process_time()
            runs[name]()
            wall[name].append(time.perf_counter() - begin[0])
            cpu[name].append(time.process_time() - begin[1])
    reference = results["torch, packed"]
    for name in runs:
        ratios = [
            value(times[name]) / min(value(times["torch, packed"]), value(times["torch, dense"]))
            for times, value in ((wall, median), (wall, min), (cpu, median), (cpu, min))
        ]
        cells = [1e3 * median(wall[name]), 1e3 * min(wall[name]), 1e3 * median(cpu[name]), 1e3 * min(cpu[name])]
        difference = np.abs(results[name] - reference).max()
        print(
            f"| {program.name} | {name} | "
            + " | ".join(f"{cell:.1f} ({ratio:.2f})" for cell, ratio in zip(cells, ratios, strict=True))
            + f" | {difference:.0e} of {np.abs(reference).max():.1f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    made = detector()
    print(
        "Times in ms; in brackets the ratio to the faster form of torch (wanted for detector and features: at most 1.0; "
        "equal to 1e-4).\n"
    )
    print("| program | runs under | wall, median | wall, least | CPU, median | CPU, least | differs from packed |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for program in programs(made):
            path = Path(folder) / f"{program.name}.onnx"
            made.fbo.form = "auto"
            write_onnx(program, trace(program, num_frames=FRAMES, height=HEIGHT, width=WIDTH), path)
            file = OnnxFile(
                path, inputs={name: len(axes) for name, axes in program.inputs.items()}, outputs=list(program.outputs)
            )
            rounds = options.rounds if "clips" in program.inputs else 10 * options.rounds
            measure(program, file, made, rounds)


if __name__ == "__main__":
    main()
