"""Tracing programs with torch.export: every axis is left free that the detector's modules leave free."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch.export import Dim, ExportedProgram
from torch.fx.experimental.symbolic_shapes import is_concrete_int

from lfb_lightning.errors import InputError, one_line
from lfb_lightning.exporting.programs import ALWAYS_FREE, Program, Sizes, example


def trace(program: Program, *, num_frames: int, height: int, width: int, one_size: bool = False) -> ExportedProgram:
    """Trace a program for any number of clips and persons, and of slots unless the FBO reads one number only.

    Frames, height and width are free as well, unless a module of the detector fixes them; then they are those given here.

    Args:
        program: The program.
        num_frames: Frames of a clip.
        height: A clip's height in pixels.
        width: Its width.
        one_size: Whether clips of these frames, height and width are the only ones.

    Raises:
        InputError: A module of the detector cannot be traced; the message has torch's reason.
    """
    sizes = Sizes(clips=2, persons=3, slots=7, frames=num_frames, height=height, width=width)
    of_clips = Dim.STATIC if one_size else Dim.AUTO
    free = {
        name: {
            place: Dim.DYNAMIC if axis in ALWAYS_FREE else of_clips
            for place, axis in enumerate(axes)
            if isinstance(axis, str)
        }
        for name, axes in program.inputs.items()
    }
    inputs = example(program, sizes)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, about itself
            return torch.export.export(program.module, inputs, dynamic_shapes=free)
    except Exception as error:  # a backbone or an FBO of the user's can make torch raise anything
        raise InputError(
            f"the detector's {program.name} cannot be exported: torch.export stopped with {type(error).__name__}: "
            f"{one_line(str(error))[:300]}; format=safetensors needs no tracing."
        ) from error


def axes_of(program: Program, traced: ExportedProgram) -> dict[str, list[str | int]]:
    """Say for each input what its axes count: a name where any size will do, else the size."""
    found: dict[str, list[str | int]] = {}
    placeholders = _inputs(traced)
    for name, axes in program.inputs.items():
        shape = placeholders[name]
        found[name] = [int(size) if is_concrete_int(size) else axis for axis, size in zip(axes, shape, strict=True)]
    return found


def fixed_sizes(axes: Mapping[str, list[str | int]], program: Program) -> dict[str, int]:
    """Say which of the axes with a name have one size only."""
    return {
        str(name): size
        for key, found in axes.items()
        for name, size in zip(program.inputs[key], found, strict=True)
        if isinstance(name, str) and isinstance(size, int)
    }


def _inputs(traced: ExportedProgram) -> dict[str, Any]:
    """Shapes of the placeholders of a program's own inputs."""
    own = set(traced.graph_signature.user_inputs)
    return {
        str(node.name): node.meta["val"].shape
        for node in traced.graph.nodes
        if node.op == "placeholder" and node.name in own
    }
