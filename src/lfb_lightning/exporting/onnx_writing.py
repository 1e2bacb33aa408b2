"""Writing traced programs as ONNX files, and reading their axes again under names that say what they count."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from lfb_lightning.errors import InputError, one_line
from lfb_lightning.exporting.programs import Program
from lfb_lightning.exporting.tracing import axes_of
from lfb_lightning.files.durable import write_durably

OPSET = 20
_LARGEST = 2**31 - 1  # bytes of one protobuf message


def write_onnx(program: Program, traced: ExportedProgram, path: Path) -> None:
    """Write a traced program as one ONNX file.

    Args:
        program: Names its inputs, outputs and their axes.
        traced: The program as it was traced.
        path: The file.

    Raises:
        InputError: An operation has no translation, or the file cannot be written.
    """
    import onnx

    try:
        with _quietly():
            made = torch.onnx.export(
                traced,
                (),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(program.inputs),
                output_names=list(program.outputs),
                verbose=False,
            )
            assert made is not None
            model: Any = made.model_proto
    except Exception as error:  # torch.onnx's own classes, one for each stage, and those of the packages below it
        raise InputError(
            f"{path}: torch.onnx could not translate the detector ({type(error).__name__}: {one_line(str(error))[:300]}); "
            "format=safetensors and format=torch_export need no translation."
        ) from error
    _forget_origins(model)
    inputs = axes_of(program, traced)
    for values, named in ((model.graph.input, inputs), (model.graph.output, program.outputs)):
        _name_axes(values, list(named.values()))
    if (size := model.ByteSize()) > _LARGEST:
        raise InputError(f"{path}: would have {size} bytes, more than an ONNX file can hold; use format=torch_export.")
    onnx.checker.check_model(model)
    write_durably(path, model.SerializeToString())


def _name_axes(values: Sequence[Any], axes: Sequence[Sequence[str | int]]) -> None:
    """Call free axes by what they count, where torch calls them s77."""
    for value, names in zip(values, axes, strict=True):
        for place, name in enumerate(names):
            dimension = value.type.tensor_type.shape.dim[place]
            if isinstance(name, int):
                dimension.dim_value = name
            elif not dimension.HasField("dim_value"):
                dimension.dim_param = name


def _forget_origins(model: Any) -> None:
    """Take out torch's notes on where in whose source code each node began."""
    del model.metadata_props[:]
    model.graph.doc_string = model.doc_string = ""
    graph = model.graph
    del graph.metadata_props[:]
    for item in [*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info]:
        del item.metadata_props[:]
        item.doc_string = ""
    for function in model.functions:
        for node in [function, *function.node]:
            del node.metadata_props[:]
            node.doc_string = ""


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep torch's progress lines and warnings about itself from the user."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
