"""Training and evaluation of an action detector, with or without a feature bank."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lfb_lightning.errors import InputError
from lfb_lightning.lightning.callbacks.result_files import write_result_files
from lfb_lightning.lightning.datamodules.action_data import AvaDataModule
from lfb_lightning.lightning.modules.optimization import Optimization
from lfb_lightning.lightning.modules.running_statistics import RunningStatistics
from lfb_lightning.lightning.modules.step_gradients import StepGradients, world_size
from lfb_lightning.metrics import FrameAP, FrameMeanAP
from lfb_lightning.models import ActionDetector
from lfb_lightning.structures import ClipBatch, Detections, ViewBatch

_log = logging.getLogger(__name__)


class DetectionTask(LightningModule):
    """Trains `detector`; validates and tests by frame-mAP. `config_text` (resolved YAML) travels in checkpoints.

    A loss that is NaN or Inf stops training with the keyframes that gave it (`on_nan="stop"`, InputError on every rank), or
    leaves out the optimiser step and counts it in `skipped_steps` (`"skip"`). In the first `frozen_epochs` the backbone
    stays as it is: no gradient, evaluation mode, weights that no optimiser touches.
    """

    def __init__(
        self,
        *,
        detector: ActionDetector,
        loss: nn.Module,
        optimisation: Optimization,
        config_text: str,
        on_nan: str = "stop",
        action_threshold: float | None = None,
        frozen_epochs: int = 0,
    ) -> None:
        super().__init__()
        if on_nan not in ("stop", "skip"):
            raise InputError(f"task.on_nan is {on_nan!r}, expected stop or skip.")
        if frozen_epochs < 0:
            raise InputError(f"task.frozen_epochs is {frozen_epochs}, expected at least 0.")
        self.detector = detector
        self.loss: Any = loss  # a module that is a models.Loss
        self.optimisation = optimisation
        self.class_groups: Mapping[str, Sequence[int]] = {}
        self.config_text = config_text
        self.on_nan = on_nan
        self.action_threshold = action_threshold
        self.frozen_epochs = frozen_epochs
        self.skipped_steps = 0
        self._gradients = StepGradients()
        self._to_restore: RunningStatistics | None = None
        self.metric: FrameMeanAP | None = None
        self.result: FrameAP | None = None

    @property
    def datamodule(self) -> AvaDataModule:
        """The data module of the running trainer."""
        datamodule = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(datamodule, AvaDataModule)
        return datamodule

    def setup(self, stage: str) -> None:
        """Make the metric for the split; give FBO-NL the training bank's statistics."""
        split = self.datamodule.split(self.datamodule.test_split if stage == "test" else "val")
        if split.label_map.num_columns > self.detector.num_classes:
            raise InputError(
                f"model.num_classes is {self.detector.num_classes}, but label map {split.path(split.data.label_map)} "
                f"has ids up to {split.label_map.num_columns - 1}; set model.num_classes={split.label_map.num_columns}."
            )
        self.class_groups = split.class_groups
        columns = getattr(self.loss, "action_ids", None)
        if columns is not None and not (columns and all(0 <= one < self.detector.num_classes for one in columns)):
            raise InputError(
                f"loss.action_ids is {list(columns)}, expected action ids of 1 to {self.detector.num_classes - 1}; "
                "see data.classes and model.num_classes."
            )
        self.metric = FrameMeanAP(split.annotations, action_threshold=self.action_threshold)
        if stage == "fit" and self.detector.needs_bank_statistics:
            manifest = self.datamodule.bank("train").manifest
            self.detector.set_bank_statistics(torch.tensor(manifest.mean), torch.tensor(manifest.std))

    def forward(self, batch: ClipBatch) -> Tensor:
        """Logits of the batch's persons, `[R, A]`."""
        clip_of_roi = batch.clip_of_roi
        if batch.short_term is not None:
            return self.detector.classify(batch.short_term, batch.window, clip_of_roi)
        assert batch.clips is not None
        return self.detector(batch.clips, batch.rois, batch.window)

    def on_train_batch_start(self, batch: ClipBatch, batch_index: int) -> None:
        """Freeze the backbone, or let it go: here, since a resumed run may begin within an epoch."""
        if self.frozen_epochs and self.detector.frozen_backbone != self._backbone_waits:
            self.detector.frozen_backbone = self._backbone_waits
            self.detector.train()

    @property
    def _backbone_waits(self) -> bool:
        return self.current_epoch < self.frozen_epochs

    def training_step(self, batch: ClipBatch, batch_index: int) -> Tensor:
        """The summed loss of a batch; `StepGradients` makes the step's gradients a mean over its labelled persons."""
        assert batch.labels is not None
        statistics = RunningStatistics(self.detector) if self.on_nan == "skip" else None
        logits = self(batch)
        # A column beyond the label map's ids is an action that nobody shows.
        labels = F.pad(batch.labels, (0, logits.shape[1] - batch.labels.shape[1]))
        total, count = self.loss.sum(logits, labels)
        mean, finite = self._gradients.add(total, count)  # equal on all ranks
        if finite:
            self.log("train/loss", mean, on_step=True, on_epoch=True, prog_bar=True, batch_size=len(batch.keyframes))
        else:
            self._report_not_finite(batch, total)
        self._to_restore = statistics if not finite else None
        if self._backbone_waits:  # DDP wants a gradient for every parameter
            total = total + 0.0 * sum(parameter.sum() for parameter in self.detector.backbone.parameters())
        # Lightning divides by the accumulated batches and DDP averages over ranks; a sum is wanted of both.
        return total * (world_size() * self.trainer.accumulate_grad_batches)

    def on_after_backward(self) -> None:
        """Let batch norms forget a batch whose loss was not finite: now, since the backward pass needs what they saw."""
        if self._to_restore is not None:
            self._to_restore.restore()
            self._to_restore = None

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients by the step's labelled persons; drop those of a step whose loss was not finite."""
        if self._backbone_waits:
            for parameter in self.detector.backbone.parameters():
                parameter.grad = None  # neither momentum nor weight decay
        if not self._gradients.finish(self.parameters()):
            self.skipped_steps += 1

    def on_validation_epoch_start(self) -> None:
        """Give every rank the first one's buffers, as DDP does in the first forward pass of an evaluation: a rank without a
        video makes none, and the others would wait for it.
        """
        model = self.trainer.model
        if isinstance(model, DistributedDataParallel) and model.require_forward_param_sync:
            for buffer in self.buffers():
                dist.broadcast(buffer, 0)
            model.require_forward_param_sync = False

    def validation_step(self, batch: ClipBatch, batch_index: int) -> None:
        """Collect scores."""
        self._collect(batch)

    def test_step(self, batch: ClipBatch | ViewBatch, batch_index: int) -> None:
        """Collect scores, averaged over the views if there are several."""
        if isinstance(batch, ViewBatch):
            scores = torch.stack([self.loss.scores(self(view)) for view in batch.views])
            self._add(batch.views[0], batch.average(scores))
        else:
            self._collect(batch)

    def on_validation_epoch_end(self) -> None:
        """Log mAP, overall and by group."""
        self._evaluate("val")

    def on_test_epoch_end(self) -> None:
        """Log mAP, if there is truth; write `results.csv` and `metrics.json` into the run folder."""
        split = self.datamodule.split(self.datamodule.test_split)
        metric, result = self._evaluate("test", has_truth=not split.is_without_truth)
        if self.trainer.is_global_zero:
            write_result_files(Path(self.trainer.default_root_dir), metric, result, split, self.class_groups)

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule, scaled to the global batch."""
        trainer = self.trainer
        global_batch = self.datamodule.data.batch_size * trainer.world_size * trainer.accumulate_grad_batches
        # Not `trainer.estimated_stepping_batches`: it sets the loader up before the checkpoint can say where to go on.
        batches, limit = self.datamodule.num_training_batches, trainer.limit_train_batches
        batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
        steps = max(1, math.ceil(batches / trainer.accumulate_grad_batches))
        if trainer.is_global_zero:
            _log.info("%s", self.optimisation.describe(global_batch))
        lengths = [trainer.max_epochs or -1, trainer.max_steps / steps]
        return self.optimisation.build(
            self.detector,
            global_batch_size=global_batch,
            steps_per_epoch=steps,
            epochs=min((length for length in lengths if length > 0), default=math.inf),
            more_parameters=self.loss.parameters(),
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the resolved configuration as text: `load_detector` rebuilds the model from it."""
        checkpoint["hyper_parameters"] = {"config": self.config_text}
        checkpoint["skipped_steps"] = self.skipped_steps

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on counting."""
        self.skipped_steps = checkpoint.get("skipped_steps", 0)

    def _report_not_finite(self, batch: ClipBatch, total: Tensor) -> None:
        here = not bool(torch.isfinite(total))
        where = f"keyframes {'; '.join(map(str, batch.keyframes))}" if here else "keyframes of another rank"
        text = f"the loss of step {self.trainer.global_step} is not finite, from {where}"
        if self.on_nan == "stop":
            raise InputError(
                f"{text}; lower optim.lr, use trainer.precision=32 or bf16-mixed, check these clips and the bank with "
                "lfb-check and lfb-bank verify, or leave such steps out with task.on_nan=skip."
            )
        if here or self.trainer.is_global_zero:
            _log.warning("%s: the step is left out", text)

    def _collect(self, batch: ClipBatch) -> None:
        self._add(batch, self.loss.scores(self(batch)))

    def _add(self, batch: ClipBatch, scores: Tensor) -> None:
        assert self.metric is not None
        self.metric.update(Detections(batch.keyframes, batch.clip_of_roi, batch.boxes, scores))

    def _evaluate(self, stage: str, *, has_truth: bool = True) -> tuple[FrameMeanAP, FrameAP]:
        metric = self.metric
        assert metric is not None
        metric.compute()
        metric.reset()
        result = self.result = metric.result
        assert result is not None
        if not has_truth:
            return metric, result
        values = {f"{stage}/mAP": result.mean}
        values |= {f"{stage}/mAP_{name}": result.mean_over(list(ids)) for name, ids in self.class_groups.items()}
        # Every rank has computed the same numbers from the gathered detections.
        self.log_dict({name: torch.tensor(value, dtype=torch.float32) for name, value in values.items()}, prog_bar=True)
        return metric, result


def logged_figures(class_groups: Iterable[str]) -> list[str]:
    """The names of what training logs, for callbacks that wait for one of them.

    Args:
        class_groups: Names of the groups of classes whose mean is logged beside the mAP.
    """
    return ["val/mAP", *(f"val/mAP_{name}" for name in class_groups), "train/loss", "train/loss_epoch"]
