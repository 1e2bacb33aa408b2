"""Pictures of a training in its run folder and in its loggers: what goes in, what is found, and how good that is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

from pytorch_lightning import Callback, Trainer

from lfb_lightning.lightning.datamodules.action_data import ActionDataModule
from lfb_lightning.lightning.loggers.media import going_on, log_picture
from lfb_lightning.lightning.modules.detection import DetectionTask
from lfb_lightning.metrics.evaluator import Curves
from lfb_lightning.movable import HostCopy
from lfb_lightning.structures import ClipBatch, Detections, Keyframe

FOLDER = "pictures"


class LoggedPictures(Callback):
    """Draws the first training batch, some validated key frames and precision-recall curves.

    The pictures are files in `<run>/pictures`, and go to every logger that `log_picture` knows. The batch is the first that
    this process trains on; the rest is drawn at the end of training, from the last validation. The first process alone
    draws, from what it has seen. What cannot be drawn or logged is a warning; training goes on.

    Args:
        clips: How many clips of the first batch are drawn; 0: none.
        overlays: How many key frames are drawn; 0: none. The choice among those of the split is always the same.
        curves: Whether precision-recall curves are drawn, where the evaluator has them.
        threshold: Score above which an action counts as found in the overlays.
    """

    def __init__(self, *, clips: int = 8, overlays: int = 4, curves: bool = True, threshold: float = 0.5) -> None:
        self.clips = clips
        self.overlays = overlays
        self.curves = curves
        self.threshold = threshold
        self._batch_is_drawn = False
        self._chosen: list[tuple[int, Keyframe, Detections]] = []

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: DetectionTask, outputs: Any, batch: ClipBatch, batch_idx: int
    ) -> None:
        """Draw the first batch, as the model has seen it."""
        if self._batch_is_drawn or not trainer.is_global_zero:
            return
        self._batch_is_drawn = True
        if self.clips and batch.clips is not None:
            self._draw(trainer, "first_batch", lambda path: _draw_batch(path, batch, _data(trainer), self.clips))

    def on_validation_start(self, trainer: Trainer, pl_module: DetectionTask) -> None:  # type: ignore[override]
        """Forget the validation before."""
        self._chosen = []

    def on_validation_batch_end(  # type: ignore[override]
        self,
        trainer: Trainer,
        pl_module: DetectionTask,
        outputs: Detections | None,
        batch: ClipBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the detections of key frames that will be drawn: those whose names have the smallest checksums."""
        if not trainer.is_global_zero or outputs is None:  # a task of one's own may give nothing
            return
        copied: Detections | None = None  # once per batch, and only where one of its key frames is chosen
        for place, keyframe in enumerate(batch.keyframes):
            rank = crc32(str(keyframe).encode())
            if len(self._chosen) < self.overlays or (self._chosen and rank < self._chosen[-1][0]):
                copied = copied or HostCopy(outputs).wait()
                self._chosen.append((rank, keyframe, _of_clip(copied, place)))
                self._chosen = sorted(self._chosen, key=lambda entry: entry[:2])[: self.overlays]

    def on_train_end(self, trainer: Trainer, pl_module: DetectionTask) -> None:  # type: ignore[override]
        """Draw what the last validation found."""
        if not trainer.is_global_zero or pl_module.figures is None:
            return
        for number, (_, keyframe, found) in enumerate(self._chosen, 1):
            self._draw(
                trainer,
                f"overlay_{number}",
                partial(_draw_keyframe, keyframe=keyframe, found=found, data=_data(trainer), threshold=self.threshold),
            )
        evaluator = pl_module.evaluator
        if self.curves and pl_module.figures and isinstance(evaluator, Curves):
            title = ", ".join(f"{name} {value:.4f}" for name, value in list(pl_module.figures.items())[:1])
            self._draw(trainer, "curves", lambda path: _draw_curves(path, evaluator, title))

    def _draw(self, trainer: Trainer, name: str, draw: Callable[[Path], None]) -> None:
        path = Path(trainer.default_root_dir) / FOLDER / f"{name}.png"
        with going_on(f"picture {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            draw(path)
            for logger in trainer.loggers:
                with going_on(f"picture {name} in {type(logger).__name__}"):
                    log_picture(logger, f"{FOLDER}/{name}", path, trainer.global_step)


def _data(trainer: Trainer) -> ActionDataModule:
    data: ActionDataModule = trainer.datamodule  # type: ignore[attr-defined]
    return data


def _of_clip(detections: Detections, clip: int) -> Detections:
    """Take the detections of one clip of a batch."""
    rows = detections.clip_of_roi == clip
    return Detections(
        [detections.keyframes[clip]],
        detections.clip_of_roi[rows] * 0,
        detections.boxes[rows],
        detections.scores[rows].float(),
    )


def _draw_batch(path: Path, batch: ClipBatch, data: ActionDataModule, number: int) -> None:
    from lfb_lightning.lightning.training_pictures import draw_batch  # matplotlib takes half a second to load

    draw_batch(path, batch, data, number=number)


def _draw_keyframe(path: Path, keyframe: Keyframe, found: Detections, data: ActionDataModule, threshold: float) -> None:
    from lfb_lightning.lightning.training_pictures import draw_keyframe

    draw_keyframe(path, keyframe, found, data, threshold=threshold)


def _draw_curves(path: Path, evaluator: Curves, title: str) -> None:
    from lfb_lightning.viz.pr_curves import draw_pr_curves

    curves = [(one.name, one.ap, one.precision, one.recall) for one in evaluator.curves()]
    draw_pr_curves(path, curves, title=f"last validation: {title}")
