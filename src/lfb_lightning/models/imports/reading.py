"""Reads other people's checkpoint files without running what is in them.

mmengine's raw checkpoints carry objects of its own in a message hub; those are replaced by inert stand-ins, nothing of
mmengine is imported. Caffe2's are pickles of numpy arrays. Hugging Face's are safetensors files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from lfb_lightning.errors import InputError
from lfb_lightning.files.array_pickle import load_arrays
from lfb_lightning.files.safetensors_header import read_safetensors_header
from lfb_lightning.files.torch_file import is_torch_file, read_torch


def read_foreign(path: str | Path) -> dict[str, Any]:
    """Read the top-level mapping of a checkpoint file.

    Raises:
        InputError: It cannot be read; the message names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"checkpoint {path}: no such file.")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if is_torch_file(path):
        content = read_torch(path, what="checkpoint", stand_ins=True)
    else:
        content = load_arrays(path, what="checkpoint")
    if not isinstance(content, dict):
        raise InputError(f"checkpoint {path}: holds a {type(content).__name__}, expected a mapping of weights.")
    return content


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        read_safetensors_header(path)  # the stated sizes fit the file
        return dict(load_file(path))
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"checkpoint {path}: cannot be read ({error}); copy the file again.") from error


def tensors_of(mapping: dict[Any, Any]) -> dict[str, torch.Tensor]:
    """Collect the tensors and arrays of a mapping, as float or integer tensors; other entries are left out."""
    found = {}
    for key, value in mapping.items():
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
            found[str(key)] = torch.from_numpy(np.ascontiguousarray(value))
        elif isinstance(value, torch.Tensor) and not value.is_complex():
            found[str(key)] = value
    return found
