"""`lfb-train debug=overfit`: one batch, a verdict, and a contact sheet of what the detector was shown."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lfb_lightning.cli.building import build
from lfb_lightning.clips import ClipSettings
from lfb_lightning.datasets import ActionSplit
from lfb_lightning.datasets.checks.fingerprint import probe_frame
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_json
from lfb_lightning.lightning import ActionDataModule, DetectionTask
from lfb_lightning.lightning.datamodules.plain_batches import PlainBatches
from lfb_lightning.lightning.overfitting import Fit, Overfitting, Verdict
from lfb_lightning.structures import ClipBatch
from lfb_lightning.viz.contact_sheet import Tile, draw_contact_sheet

_FAILED: tuple[Verdict, ...] = ("not learned", "by heart")
_SHOWN = 16  # clips on the contact sheet


def overfit(cfg: DictConfig, run_dir: Path, task: DetectionTask, data: ActionDataModule) -> int:
    """Learn one batch by heart, print the verdict, and write `overfit.json` and `overfit.png`.

    Args:
        cfg: The composed configuration.
        run_dir: The run folder.
        task: The detector and its loss.
        data: What is read.

    Returns:
        The exit status: 1 if the verdict is that something is wrong.

    Raises:
        InputError: There is no training item, or a video cannot be read.
    """
    settings: Overfitting = build(cfg.overfit)
    batches = PlainBatches(data)
    places = batches.draw(data.loading.batch_size)
    if not places:
        raise InputError("split train: no item to use; in AVA's formats, see data.first_second, data.last_second.")
    beside = batches.neighbors(places)
    batch = batches(places)
    on_gpu = torch.cuda.is_available() and cfg.trainer.accelerator != "cpu"
    device = torch.device("cuda" if on_gpu else "cpu")
    neighbors = batches(beside).to(device) if beside else None
    fit = settings.fit(task.detector.to(device), task.loss.to(device), batch.to(device), neighbors)
    names = {column: str(name) for column, name in (data.split("train").columns().names or {}).items()}
    _print_classes(fit, names)
    print("\n".join(_lines(fit, len(places), batches.seconds_apart(places, beside))))
    sheet = run_dir / "overfit.png"
    draw_contact_sheet(sheet, _tiles(batch, data.split("train"), data.clips, names), title="the batch, as it is shown")
    write_json(run_dir / "overfit.json", {**asdict(fit), "verdict": fit.verdict})
    print(f"look at {sheet}: is everybody in a box, and does what the box says?")
    return 1 if fit.verdict in _FAILED else 0


def _lines(fit: Fit, clips: int, apart: float) -> list[str]:
    """Write the verdict: what was measured, and what it means."""
    blind = f"{fit.blind:.4f} is the least without looking at the pictures"
    measured = [f"loss of {clips} clips: {fit.first:.4f} at first, {fit.last:.4f} after {fit.steps} steps; {blind}"]
    if fit.pairs_right is not None:
        measured.append(
            f"{fit.neighbors} neighboring clips, {apart:.1f} s away on average: whoever shows an action scores above who "
            f"does not in {fit.pairs_right:.1%} of {fit.pairs} pairs; 50.0% is chance"
        )
    return [*measured, f"verdict: {_MEANING[fit.verdict]}"]


_MEANING: dict[Verdict, str] = {
    "right": "labels, boxes and pixels belong together: the batch was learned, and what was learned holds beside it.",
    "learned": "the batch was learned; whether it holds beside it, too few neighbors tell (a larger data.batch_size may).",
    "by heart": (
        "WRONG, or hard: the batch was learned by heart, but the labels of the clips beside it do not follow from what is "
        "seen. Rows of other videos or persons, seconds counted from another moment, or actions that do not last from one "
        "clip to the next?"
    ),
    "not learned": (
        "WRONG: the batch could not be learned; persons with different labels look the same. Blank or wrong pictures, boxes "
        "that miss the persons, rows that contradict each other, or a backbone that is frozen without weights?"
    ),
    "nothing to learn": (
        "nothing was told, since everybody in the batch shows the same actions: take a larger data.batch_size."
    ),
}


def _print_classes(fit: Fit, names: dict[int, str]) -> None:
    table = Table(title="actions of the batch", title_justify="left")
    for heading in ("", "persons", "learned"):
        table.add_column(heading, justify="right" if heading else "left")
    for column, one in fit.classes.items():
        told = "all show it" if one.learned is None else "yes" if one.learned else "no"
        table.add_row(escape(f"{column} {names.get(column, '')}".strip()), f"{one.regions} of {one.of}", told)
    Console().print(table)


def _tiles(batch: ClipBatch, split: ActionSplit, clips: ClipSettings, names: dict[int, str]) -> list[Tile]:
    """Make a tile of each clip: the middle frame and the boxes as the detector has them, or else as they are stored."""
    assert batch.labels is not None
    tiles = []
    for number, keyframe in enumerate(batch.keyframes[:_SHOWN]):
        mine = batch.clip_of_roi == number
        if batch.clips is None:
            frame, boxes = probe_frame(split, keyframe, clips.sampling), batch.boxes[mine].numpy()
        else:
            frame = _shown(batch.clips[number, :, batch.clips.shape[2] // 2], clips)
            height, width = frame.shape[:2]
            boxes = batch.rois[mine, 1:].double().numpy() / [width, height, width, height]
        said = [
            ", ".join(names.get(one, str(one)) for one in row.nonzero().flatten().tolist())
            for row in batch.labels[mine]
        ]
        tiles.append(Tile(str(keyframe), frame, boxes, np.zeros((0, 4)), said))
    return tiles


def _shown(frame: torch.Tensor, clips: ClipSettings) -> np.ndarray:
    """Turn a normalized frame `[3, H, W]` back into a picture."""
    mean, std = (torch.tensor(list(values)).view(3, 1, 1) for values in (clips.mean, clips.std))
    pixels: np.ndarray = ((frame * std + mean).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return pixels
