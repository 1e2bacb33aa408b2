"""Reads other people's checkpoint files without running what is in them.

mmengine's raw checkpoints carry objects of its own in a message hub; those are replaced by inert stand-ins, nothing of
mmengine is imported. Caffe2's are pickles of numpy arrays. Hugging Face's are safetensors files.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from lfb_lightning.errors import InputError
from lfb_lightning.files.array_pickle import load_arrays
from lfb_lightning.files.json_file import read_json_object
from lfb_lightning.files.safetensors_header import read_safetensors_header
from lfb_lightning.files.torch_file import is_torch_file, read_torch

# What a folder of transformers' kind keeps weights in, the safest first; an index names the files of several parts.
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_MOST_PARTS = 1000


def weights_of_folder(folder: str | Path) -> Path | None:
    """Find the file of weights in a folder of transformers' kind; None: there is none."""
    return next((path for name in WEIGHT_FILES if (path := Path(folder) / name).is_file()), None)


def parts_of_index(path: Path, source: str) -> list[str]:
    """List the names of the files that an index says weights lie in; they are looked for beside it.

    Args:
        path: The index.
        source: How messages call the checkpoint.

    Raises:
        InputError: It is no index, or a name leads out of its folder.
    """
    names = read_json_object(path, what="checkpoint").get("weight_map")
    parts = sorted({str(name) for name in names.values()}) if isinstance(names, dict) else []
    if not 1 <= len(parts) <= _MOST_PARTS:
        raise InputError(f"{source}: {path.name} names {len(parts)} files of weights, expected 1 to {_MOST_PARTS}.")
    for part in parts:
        if not re.fullmatch(r"[\w-][\w.-]{0,200}\.(safetensors|bin)", part, re.ASCII):
            raise InputError(
                f"{source}: {path.name} names {part!r:.80}, expected a safetensors or bin file beside it; it is damaged."
            )
    return parts


def read_foreign(path: str | Path) -> dict[str, Any]:
    """Read the top-level mapping of a checkpoint file, or of all files that an index names.

    Raises:
        InputError: It cannot be read; the message names the file.
    """
    path = Path(path)
    if path.name.endswith(".index.json"):
        whole: dict[str, Any] = {}
        for part in parts_of_index(path, f"checkpoint {path}"):
            content = read_foreign(path.parent / part)
            if repeated := whole.keys() & content.keys():
                raise InputError(f"checkpoint {path}: {min(repeated)!r:.80} lies in two of its files; it is damaged.")
            whole |= content
        return whole
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
