"""Running ONNX files that a folder brings: each is one file, of plain operations, with the inputs that it is said to have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lfb_lightning.errors import InputError, one_line
from lfb_lightning.exporting.packages import missing_export_extra

_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}
_LARGEST = 2**31 - 1
_DEEPEST = 8  # levels of graphs within nodes


class OnnxFile:
    """A program in an ONNX file.

    Args:
        path: The file.
        inputs: The inputs that it must have, in their order, with the number of axes of each.
        outputs: The outputs that it must have.
        on_gpu: Whether onnxruntime's CUDA device is used if there is one.
        num_threads: Threads on the CPU; None: torch's.

    Raises:
        InputError: A package is missing, or the file is damaged, refers to other files, or is of another kind.
    """

    def __init__(
        self,
        path: Path,
        *,
        inputs: Mapping[str, int],
        outputs: Sequence[str],
        on_gpu: bool = False,
        num_threads: int | None = None,
    ) -> None:
        self.path = path
        self._session = _session(path, on_gpu, num_threads or torch.get_num_threads())
        found = {one.name: (len(one.shape), one.type) for one in self._session.get_inputs()}
        names = [one.name for one in self._session.get_outputs()]
        if {name: axes for name, (axes, _) in found.items()} != dict(inputs) or names != list(outputs):
            raise InputError(
                f"checkpoint {path}: its inputs are {', '.join(found)} and its outputs {', '.join(names)}, expected "
                f"{', '.join(inputs)} and {', '.join(outputs)} as config.json has them; copy the folder again."
            )
        for name, (_, kind) in found.items():
            if kind not in _TYPES:
                raise InputError(
                    f"checkpoint {path}: its input {name} is of type {kind}, expected {', '.join(_TYPES)}."
                )
        for one in self._session.get_outputs():
            if one.type != "tensor(float)":
                raise InputError(
                    f"checkpoint {path}: its output {one.name} is of type {one.type}, expected tensor(float)."
                )
        self._types = {name: _TYPES[kind] for name, (_, kind) in found.items()}
        self._outputs = list(outputs)

    def __call__(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """Run it on its inputs, in their order, and give its outputs.

        Raises:
            InputError: onnxruntime stopped; the message has its reason.
        """
        given: dict[str, np.ndarray] = {
            name: np.ascontiguousarray(value, dtype=kind)
            for (name, kind), value in zip(self._types.items(), inputs, strict=True)
        }
        try:
            made: list[np.ndarray] = self._session.run(self._outputs, given)
        except Exception as error:  # onnxruntime's own classes, which follow no common one
            shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in given.items())
            raise InputError(
                f"checkpoint {self.path}: the program failed on {shapes}: {one_line(str(error))[:200]}"
            ) from error
        return made


def _session(path: Path, on_gpu: bool, num_threads: int) -> Any:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise missing_export_extra(error, key=f"checkpoint {path}") from error
    if not path.is_file():
        raise InputError(f"checkpoint {path}: no such file, although config.json is there; copy the folder again.")
    if (size := path.stat().st_size) > _LARGEST:
        raise InputError(f"checkpoint {path}: has {size} bytes, more than an ONNX file can hold; it is damaged.")
    content = path.read_bytes()
    try:
        model = onnx.load_model_from_string(content)  # opens no other file
        for tensor in _tensors(model):
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                raise InputError(
                    f"checkpoint {path}: its {tensor.name!r:.80} lies in another file, which is not opened; lfb-export "
                    "writes one file."
                )
    except InputError:
        raise
    except Exception as error:  # protobuf's own class
        raise InputError(f"checkpoint {path}: is no ONNX file ({one_line(str(error))[:200]}).") from error
    del model
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    has_gpu = on_gpu and "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    providers = [*(["CUDAExecutionProvider"] if has_gpu else []), "CPUExecutionProvider"]
    try:
        return onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # onnxruntime's own classes, which follow no common one
        reason = one_line(str(error))[:200]
        raise InputError(f"checkpoint {path}: is no ONNX file that can be run ({reason}).") from error


def _tensors(model: Any) -> Iterator[Any]:
    """Give every tensor that is stored in a model: initializers and attributes, those of inner graphs and functions too."""
    yield from _of_graph(model.graph, 0)
    for function in model.functions:
        yield from _of_nodes(function.node, 0)
        yield from _of_attributes(function.attribute_proto, 0)  # defaults
    for information in model.training_info:
        yield from _of_graph(information.initialization, 0)
        yield from _of_graph(information.algorithm, 0)


def _of_graph(graph: Any, depth: int) -> Iterator[Any]:
    if depth > _DEEPEST:
        raise ValueError(f"it holds graphs more than {_DEEPEST} levels deep")
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node, depth)


def _of_nodes(nodes: Any, depth: int) -> Iterator[Any]:
    for node in nodes:
        yield from _of_attributes(node.attribute, depth)


def _of_attributes(attributes: Any, depth: int) -> Iterator[Any]:
    for attribute in attributes:
        yield attribute.t
        yield from attribute.tensors
        for sparse in [attribute.sparse_tensor, *attribute.sparse_tensors]:
            yield from (sparse.values, sparse.indices)
        for graph in [attribute.g, *attribute.graphs]:
            yield from _of_graph(graph, depth + 1)
