"""Persons by any detector that is an ONNX file with boxes and scores as outputs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import UInt8

from lfb_lightning.errors import InputError, one_line
from lfb_lightning.persons.digest import file_digest
from lfb_lightning.persons.keeping import Keeping, missing_extra
from lfb_lightning.persons.letterbox import Letterbox
from lfb_lightning.persons.onnx_outputs import OnnxOutputs, shapes
from lfb_lightning.structures import Proposals


class OnnxPersons:
    """Finds persons with an ONNX detector, one frame at a time.

    The model has one input, `float32 [1, 3, H, W]` (a batch of any size will do too), and as outputs boxes `[N, 4]` or
    `[1, N, 4]` as corners x1, y1, x2, y2, scores `[N]` or `[1, N]`, and maybe labels of the scores' shape; or scores
    `[..., N, C]` of C classes. Outputs are told apart by their names, or else by their shapes. The frame is scaled to fit
    the input and the rest of the input is padding; it is never squashed. Suppression of double boxes must be part of the
    model. The defaults are those of a NanoDet that takes RGB values of 0 to 255.

    Args:
        weights: The file.
        position: Where the frame lies in the input: `top_left`, or in the `center`.
        pad: Value of the padding, in 0..255.
        scale: The input's value for white, before `mean` and `std`: 255 or 1.
        mean: What is subtracted from the scaled channels, in the order of `colors`.
        std: What the difference is divided by.
        colors: Order of the input's channels.
        box_units: Whether boxes are in pixels of the input or fractions of it.
        person_label: The label, or the column of the scores, that means a person: 0 or 1 for most models of COCO. None
            for a model that finds nothing but persons.
        input_size: Height and width for a model whose input has no fixed size.
        threshold: See `Keeping`, as for the other two.
        max_persons: Most persons per frame.
        min_height: Least height of a person.
        device: `cpu`, `cuda` or `cuda:N`; None: the GPU if onnxruntime has one.

    Raises:
        InputError: onnxruntime is missing, or the file is no such model: the message says what its inputs and outputs are.
    """

    def __init__(
        self,
        *,
        weights: str | None,
        position: Literal["top_left", "center"] = "top_left",
        pad: float = 114.0,
        scale: float = 255.0,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        colors: Literal["rgb", "bgr"] = "rgb",
        box_units: Literal["pixels", "normalized"] = "pixels",
        person_label: int | None = None,
        input_size: Sequence[int] = (640, 640),
        threshold: float = 0.5,
        max_persons: int = 100,
        min_height: float = 0.0,
        device: str | None = None,
    ) -> None:
        if weights is None:
            raise InputError("persons.weights is not set: give the detector's .onnx file, persons.weights=FILE.")
        self._keeping = Keeping(threshold, max_persons, min_height)
        self._path = Path(weights)
        self._session = _session(self._path, device)
        self._input, height, width = _image_input(self._path, self._session, input_size)
        outputs = self._session.get_outputs()
        self._outputs = OnnxOutputs.of([(one.name, one.shape, one.type) for one in outputs], person_label, self._path)
        self._letterbox = Letterbox(
            height=height, width=width, position=position, pad=pad, scale=scale, mean=mean, std=std, colors=colors
        )
        self._unit = (1.0, 1.0) if box_units == "pixels" else (float(width), float(height))
        self._settings = {"position": position, "pad": pad, "scale": scale, "mean": list(mean), "std": list(std)} | {
            "colors": colors,
            "box_units": box_units,
            "person_label": person_label,
            "input": [height, width],
        }

    def find(
        self, frames: Sequence[UInt8[np.ndarray, "H W 3"]], seconds: Sequence[float], video_id: str
    ) -> list[Proposals]:
        """Run the detector on each frame; see `PersonSource.find`."""
        return [self._find(frame) for frame in frames]

    def describe(self) -> dict[str, Any]:
        """State the file's digest and how frames are shown to it."""
        settings = self._settings | self._keeping.describe()
        return {"source": "onnx", "weights": self._path.name, "digest": file_digest(self._path)} | settings

    def _find(self, frame: UInt8[np.ndarray, "H W 3"]) -> Proposals:
        picture, place = self._letterbox.show(frame)
        try:
            values = self._session.run(list(self._outputs.names), {self._input: picture})
        except Exception as error:  # onnxruntime's own classes, which follow no common one
            raise InputError(f"persons.weights {self._path}: the model failed: {one_line(str(error))[:200]}") from error
        boxes, scores = self._outputs.persons(values, self._path)
        boxes = place.in_frame(boxes.astype(np.float64) * (*self._unit, *self._unit))
        return self._keeping.keep(boxes, scores, width=frame.shape[1], height=frame.shape[0])


def _session(path: Path, device: str | None) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise missing_extra("onnxruntime", "onnx", key="persons=onnx") from error
    if not path.is_file():
        raise InputError(f"persons.weights {path}: no such file.")
    has_gpu = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    wanted = device or ("cuda" if has_gpu else "cpu")
    if wanted != "cpu" and not has_gpu:
        raise InputError(f"persons.device is {device}, but onnxruntime has no GPU here: pip install onnxruntime-gpu.")
    gpu = [("CUDAExecutionProvider", {"device_id": _gpu_number(wanted)})] if wanted != "cpu" else []
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # no warnings about the model's own making
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[*gpu, "CPUExecutionProvider"])
    except Exception as error:
        reason = one_line(str(error))[:200]
        raise InputError(f"persons.weights {path}: is no ONNX model that can be run ({reason}).") from error
    if device and gpu and "CUDAExecutionProvider" not in session.get_providers():  # its libraries were not found
        raise InputError(
            f"persons.device is {device}, but onnxruntime could not start it; see its message, or take cpu."
        )
    return session


def _gpu_number(device: str) -> int:
    """Return the number in `cuda:N`; for `cuda` alone that of this process's GPU."""
    number = device.partition(":")[2]
    if number.isdecimal():
        return int(number)
    return int(os.environ.get("LOCAL_RANK", 0)) % max(1, torch.cuda.device_count())


def _image_input(path: Path, session: Any, input_size: Sequence[int]) -> tuple[str, int, int]:
    """Return the name of the model's input, its height and its width."""
    inputs = [(one.name, one.shape, one.type) for one in session.get_inputs()]
    name, shape, kind = inputs[0]
    batch, channels = (shape[0], shape[1]) if len(shape) == 4 else (None, None)
    fits = batch is not None and not (isinstance(batch, int) and batch > 1) and channels in (3, "3")
    if len(inputs) != 1 or kind != "tensor(float)" or not fits:
        raise InputError(
            f"persons.weights {path}: its inputs are {shapes(inputs)}, expected one image, float [1, 3, H, W]."
        )
    height, width = (
        size if isinstance(size, int) and size > 0 else given for size, given in zip(shape[2:], input_size, strict=True)
    )
    return name, height, width
