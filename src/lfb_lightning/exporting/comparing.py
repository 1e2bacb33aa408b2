"""Comparing what was written with the detector that it was made of, at sizes other than those it was traced with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from lfb_lightning.errors import InputError
from lfb_lightning.exporting.programs import Program, Sizes, example

TOLERANCE = 1e-4
Run = Callable[[Sequence[Tensor]], Sequence[np.ndarray]]
# Frames are in lengths of the detector's own clips: a backbone may attend to groups of so many frames only. Among them are
# nobody, one person, one slot, a full window and one that is empty throughout.
_USUAL = (
    Sizes(clips=1, persons=1, slots=9, frames=1, height=64, width=96),
    Sizes(clips=3, persons=5, slots=300, frames=1, height=64, width=64, filled=1.0),
    Sizes(clips=2, persons=4, slots=7, frames=2, height=96, width=64, filled=0.0),
    Sizes(clips=2, persons=0, slots=5, frames=1, height=64, width=64),
    Sizes(clips=1, persons=2, slots=1, frames=1, height=80, width=112),
    Sizes(clips=2, persons=3, slots=60, frames=1, height=65, width=99, filled=0.3),
)


def sizes_to_compare(fixed: Mapping[str, int], num_frames: int) -> list[Sizes]:
    """List the sizes at which programs are compared.

    Args:
        fixed: Axes that have one size only, as `fixed_sizes` gives them.
        num_frames: Frames of the clips that the detector was trained with.
    """
    known = {name: size for name, size in fixed.items() if name in ("frames", "height", "width")}
    return [replace(sizes, **{"frames": num_frames * sizes.frames, **known}) for sizes in _USUAL]


def largest_difference(program: Program, run: Run, fixed: Mapping[str, int], num_frames: int) -> float:
    """Give the largest difference between a program and what was written of it, over all sizes and outputs.

    Args:
        program: The program.
        run: Runs what was written on inputs.
        fixed: Axes that have one size only.
        num_frames: Frames of the clips that the detector was trained with.

    Raises:
        InputError: A difference is larger than `TOLERANCE`, no number, or an output has another shape.
    """
    worst = 0.0
    for sizes, name, expected, found in _outputs(program, run, sizes_to_compare(fixed, num_frames)):
        if expected.shape != found.shape:
            raise InputError(
                f"the exported {program.name} made {name} of shape {list(found.shape)} for {sizes}, expected "
                f"{list(expected.shape)}; this is a fault of the export: please report it."
            )
        difference = float(np.abs(expected - found).max()) if expected.size else 0.0
        if not difference <= TOLERANCE:  # NaN is none of both
            raise InputError(
                f"the exported {program.name} differs by {difference:.1e} in {name} for {sizes}, expected at most "
                f"{TOLERANCE}; weights that are not finite, or of millions, have no equal in 32 bits."
            )
        worst = max(worst, difference)
    return worst


def _outputs(
    program: Program, run: Run, compared: Sequence[Sizes]
) -> Iterator[tuple[Sizes, str, np.ndarray, np.ndarray]]:
    for seed, sizes in enumerate(compared):
        inputs = example(program, sizes, seed)
        with torch.no_grad():
            expected = program.module(*inputs)
        for name, one, other in zip(program.outputs, expected, run(inputs), strict=True):
            yield sizes, name, one.numpy(), other
