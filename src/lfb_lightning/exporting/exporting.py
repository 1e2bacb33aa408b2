"""Writes a detector as a folder in one of three formats, and compares what was written with the detector."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from lfb_lightning.errors import InputError
from lfb_lightning.exporting.comparing import Run, largest_difference
from lfb_lightning.exporting.onnx_file import OnnxFile
from lfb_lightning.exporting.onnx_writing import OPSET, write_onnx
from lfb_lightning.exporting.packages import require_export_extra
from lfb_lightning.exporting.programs import Program, programs
from lfb_lightning.exporting.tracing import axes_of, fixed_sizes, trace
from lfb_lightning.files.durable import durable_file
from lfb_lightning.models import ActionDetector, state_digest
from lfb_lightning.models.cards import card_title
from lfb_lightning.models.pretrained import FORMATS, export_folder, save_folder, write_folder_config

_HEIGHT, _WIDTH = 256, 340  # of clips where a module of the detector fixes them


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Args:
        folder: Where.
        files: The programs' files, with the largest difference of their outputs from the detector's.
        fixed: Axes that have one size only, because a module of the detector fixes them.
    """

    folder: Path
    files: Mapping[str, float]
    fixed: Mapping[str, int]


def export_detector(
    detector: ActionDetector,
    config: Mapping[str, Any],
    folder: str | Path,
    *,
    format: str,
    overwrite: bool = False,
    card: str | None = None,
    overwrite_card: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> Exported:
    """Write a detector as a folder.

    Args:
        detector: In evaluation mode, on the CPU.
        config: The configuration that it was loaded with, plain data; `license`, `notes` and `figures` in it are written too.
        folder: Where to.
        format: `safetensors`: its weights; `onnx` and `torch_export`: programs that run without this package.
        overwrite: Whether an earlier export in the folder is replaced.
        card: What the model card calls it; None: as the folder is called; the empty text: no card is written.
        overwrite_card: Whether a card that somebody has edited is replaced too.
        progress: Called with a line before each step that takes a while.

    Raises:
        InputError: The format is unknown, the folder cannot be written, the detector cannot be traced or translated, or what
            was written differs from it.
    """
    if format not in FORMATS:
        raise InputError(f"format is {format!r:.40}, expected one of {', '.join(FORMATS)}.")
    if format == "safetensors":
        made = save_folder(folder, detector, config, overwrite=overwrite, card=card, overwrite_card=overwrite_card)
        return Exported(made, {}, {})
    if detector.banks is not None:
        raise InputError(
            f"format={format}: the detector reads the banks {', '.join(detector.banks)}, and a program reads one; "
            "format=safetensors keeps all of them."
        )
    if detector.bank_name is not None and detector.reads_bank:
        raise InputError(
            f"format={format}: the detector reads the bank {detector.bank_name!r:.80}, which no prediction makes, and a "
            "program does not say so; format=safetensors does."
        )
    if format == "onnx":
        require_export_extra()
    title = card_title(folder, card, overwrite_card=overwrite_card)
    with export_folder(folder, overwrite=overwrite) as made:
        files, fixed, described = _write_programs(detector, made, format, _frames(config), progress)
        exported = _described(detector, format, described)
        digest = str(exported["weights_digest"])
        more = {"exported": exported, "window_slots": detector.window_slots}
        more["reads_identity"] = detector.reads_identity or None
        write_folder_config(made, config, format=format, card=title, digest=digest, **more)
    return Exported(Path(folder), files, fixed)


def _write_programs(
    detector: ActionDetector, folder: Path, format: str, num_frames: int, progress: Callable[[str], None]
) -> tuple[dict[str, float], dict[str, int], dict[str, Any]]:
    """Write the detector's programs; also give their differences, their fixed axes, and what `config.json` says of them."""
    write, ending = (_write_onnx, "onnx") if format == "onnx" else (_write_torch, "pt2")
    files: dict[str, float] = {}
    fixed: dict[str, int] = {}
    described: dict[str, Any] = {}
    one_size = bool(getattr(detector.backbone, "traced_at_one_size", False))
    for program in programs(detector.eval()):
        path = folder / f"{program.name}.{ending}"
        progress(f"{path.name}: tracing, writing, comparing")
        traced = trace(program, num_frames=num_frames, height=_HEIGHT, width=_WIDTH, one_size=one_size)
        axes = axes_of(program, traced)
        only = fixed_sizes(axes, program)
        run = write(program, traced, path)
        files[path.name] = largest_difference(program, run, only, num_frames)
        fixed |= only
        described[path.name] = {
            "inputs": {name: list(one) for name, one in axes.items()},
            "outputs": {name: list(one) for name, one in program.outputs.items()},
            "largest_difference": files[path.name],
        }
    return files, fixed, described


def _described(detector: ActionDetector, format: str, files: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a program cannot be asked, and who uses it needs."""
    made = {"opset": OPSET} if format == "onnx" else {"torch": torch.__version__}
    return made | {
        "channels": detector.channels,
        "bank_channels": detector.bank_channels,
        "num_classes": detector.num_classes,
        "reads_bank": detector.reads_bank,
        "attends": detector.attends,
        "reads_identity": detector.reads_identity,
        "fbo": detector.fbo_name,
        "backbone": detector.describe_backbone(),
        "backbone_digest": detector.backbone_digest(),
        "weights_digest": state_digest(detector),
        "files": files,
    }


def _frames(config: Mapping[str, Any]) -> int:
    """Frames of the clips that the detector was trained with."""
    section = config.get("data") or config.get("clips")
    frames = section.get("num_frames") if isinstance(section, Mapping) else None
    return frames if type(frames) is int and 1 <= frames <= 1000 else 4


def _write_onnx(program: Program, traced: ExportedProgram, path: Path) -> Run:
    write_onnx(program, traced, path)
    file = OnnxFile(
        path, inputs={name: len(axes) for name, axes in program.inputs.items()}, outputs=list(program.outputs)
    )
    return lambda inputs: file(*(value.numpy() for value in inputs))


def _write_torch(program: Program, traced: ExportedProgram, path: Path) -> Run:
    traced.example_inputs = None  # clips of 8 MB that only the tracing needed
    with durable_file(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about itself
        torch.export.save(traced, file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.export.load(str(path)).module()
    return lambda inputs: [value.detach().numpy() for value in module(*inputs)]
