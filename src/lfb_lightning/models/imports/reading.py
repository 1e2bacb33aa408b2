"""Reads other people's checkpoint files without running what is in them.

torch files: `weights_only=True` first. mmengine's raw checkpoints carry objects of its own in a message hub; those are
replaced by inert stand-ins, nothing of mmengine is imported. Caffe2 pickles hold numpy arrays only and are read by an
unpickler that knows nothing else.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from lfb_lightning.errors import InputError
from lfb_lightning.files.array_pickle import load_arrays
from lfb_lightning.files.torch_file import is_torch_file

_UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
)


class _Inert:
    """Stands for an object of a class that is not trusted: takes any state, does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __call__(self, *args: Any, **kwargs: Any) -> _Inert:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        return None

    def append(self, item: Any) -> None:
        """List-like objects are filled by this."""

    def extend(self, items: Any) -> None:
        """List-like objects are filled by this."""


_TORCH_NAMES = {
    ("collections", "OrderedDict"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch", "Size"),
    ("torch", "device"),
    ("torch.serialization", "_get_layout"),
}


class _StubbingUnpickler(pickle.Unpickler):
    """Rebuilds tensors and plain containers; every other class becomes `_Inert`."""

    def find_class(self, module: str, name: str) -> Any:
        trusted = (module, name) in _TORCH_NAMES or (
            module == "torch" and "." not in name and name.endswith(("Storage", "Tensor"))
        )
        if trusted or (module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)):
            return super().find_class(module, name)
        return _Inert


def read_foreign(path: str | Path) -> dict[str, Any]:
    """The top-level mapping of a checkpoint file; raises InputError naming the file."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"checkpoint {path}: no such file.")
    content = _read_torch(path) if is_torch_file(path) else load_arrays(path, what="checkpoint")
    if not isinstance(content, dict):
        raise InputError(f"checkpoint {path}: holds a {type(content).__name__}, expected a mapping of weights.")
    return content


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        pass  # objects of other packages beside the weights: read once more, with stand-ins for them
    except _UNREADABLE as error:
        raise InputError(f"checkpoint {path}: cannot be read ({error}).") from error
    stub = ModuleType("stubbing_pickle")
    stub.Unpickler = _StubbingUnpickler  # type: ignore[attr-defined]
    stub.load = lambda file, **kwargs: _StubbingUnpickler(file, **kwargs).load()  # type: ignore[attr-defined]
    try:
        return torch.load(path, map_location="cpu", pickle_module=stub, weights_only=False)
    except _UNREADABLE as error:
        raise InputError(f"checkpoint {path}: cannot be read ({error}).") from error


def tensors_of(mapping: dict[Any, Any]) -> dict[str, torch.Tensor]:
    """The tensors and arrays of a mapping, as float or integer tensors; other entries are left out."""
    found = {}
    for key, value in mapping.items():
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
            found[str(key)] = torch.from_numpy(np.ascontiguousarray(value))
        elif isinstance(value, torch.Tensor):
            found[str(key)] = value
    return found
