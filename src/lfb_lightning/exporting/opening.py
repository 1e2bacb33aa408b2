"""Opens any trained detector that a prediction can run: a checkpoint, or a folder of `lfb-export`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lfb_lightning.errors import InputError
from lfb_lightning.exporting.onnx_detector import OnnxDetector
from lfb_lightning.models import InferenceDetector
from lfb_lightning.models.loading import load_with_config
from lfb_lightning.models.pretrained import read_folder_config

_Opener = Callable[[Path, Sequence[str]], tuple[InferenceDetector, dict[str, Any]]]


def open_detector(path: str | Path, trusted_packages: Sequence[str] = ()) -> tuple[InferenceDetector, dict[str, Any]]:
    """Open a detector.

    Args:
        path: A checkpoint that `load_detector` reads, or a folder of `lfb-export` in the formats safetensors and onnx.
        trusted_packages: Packages whose classes a checkpoint may name.

    Returns:
        The detector, and its configuration as plain data.

    Raises:
        InputError: It cannot be read, or is of a format that is not run here.
    """
    path = Path(path)
    if not path.is_dir():
        return load_with_config(path, trusted_packages)
    return _OPENERS[read_folder_config(path)["format"]](path, trusted_packages)


def _open_onnx(path: Path, trusted_packages: Sequence[str]) -> tuple[InferenceDetector, dict[str, Any]]:
    config = read_folder_config(path)
    return OnnxDetector(path, config), config


def _refuse(path: Path, trusted_packages: Sequence[str]) -> tuple[InferenceDetector, dict[str, Any]]:
    raise InputError(
        f"checkpoint {path}: is of the format torch_export, which is for programs of your own (torch.export.load); export "
        "the detector with format=safetensors or format=onnx to predict with it."
    )


_OPENERS: Mapping[str, _Opener] = {"safetensors": load_with_config, "onnx": _open_onnx, "torch_export": _refuse}
