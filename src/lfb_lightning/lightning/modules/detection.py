"""Training and evaluation of an action detector, with or without a feature bank."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_json
from lfb_lightning.lightning.modules.optimization import Optimization
from lfb_lightning.lightning.modules.running_statistics import RunningStatistics
from lfb_lightning.lightning.modules.step_gradients import StepGradients, describe_not_finite, world_size
from lfb_lightning.metrics.evaluator import Evaluator, reads_logits
from lfb_lightning.models import ActionDetector
from lfb_lightning.structures import ClipBatch, Detections, Keyframe, ViewBatch

_log = logging.getLogger(__name__)


class DetectionTask(LightningModule):
    """Trains a detector; validates and tests it by an evaluator. Runs with any data module that gives `ClipBatch`es.

    Args:
        detector: What is trained.
        loss: Sums the losses of labeled regions, and makes scores of logits.
        optimization: Optimizer and schedule.
        evaluator: Makes the evaluator of what is validated or tested, given the score up to which nothing is detected.
        batch_size: Clips per batch and rank, for the learning rate's scaling.
        num_training_batches: Gives the batches of an epoch on this rank, when the trainer has started.
        config_text: Resolved configuration as YAML, which travels in checkpoints.
        on_nan: `stop` ends training at a loss that is NaN or Inf with the keyframes that gave it, by InputError on every
            rank; `skip` leaves out the optimizer step and counts it in `skipped_steps`.
        action_threshold: A score of at most this is no detection; None: every score is one.
        frozen_epochs: Epochs at the start in which the backbone stays as it is: no gradient, evaluation mode, weights that
            no optimizer touches.
        times_person_score: Whether a score is the action's times the person detector's confidence, as VideoMAE's test has
            it; annotated persons have 1.

    Raises:
        InputError: A value is out of its range; the message names the key.
    """

    def __init__(
        self,
        *,
        detector: ActionDetector,
        loss: nn.Module,
        optimization: Optimization,
        evaluator: Callable[[float | None], Evaluator],
        batch_size: int,
        num_training_batches: Callable[[], int],
        config_text: str,
        on_nan: str = "stop",
        action_threshold: float | None = None,
        frozen_epochs: int = 0,
        times_person_score: bool = False,
    ) -> None:
        super().__init__()
        if on_nan not in ("stop", "skip"):
            raise InputError(f"task.on_nan is {on_nan!r}, expected stop or skip.")
        if frozen_epochs < 0:
            raise InputError(f"task.frozen_epochs is {frozen_epochs}, expected at least 0.")
        self.detector = detector
        self.loss: Any = loss  # a module that is a models.Loss
        self.optimization = optimization
        self.evaluator = evaluator(action_threshold)
        self.batch_size = batch_size
        self.num_training_batches = num_training_batches
        self.config_text = config_text
        self.on_nan = on_nan
        self.frozen_epochs = frozen_epochs
        self.times_person_score = times_person_score
        self.skipped_steps = 0
        self.result_files: list[Path] = []  # of the last test, on the first process
        self.figures: Mapping[str, float] | None = None  # of the last evaluation; None before the first
        self.tested: Mapping[str, Any] = {}  # what a test's figures belong to, for its `metrics.json`
        self._gradients = self.carried_stop = StepGradients(stops=on_nan == "stop")  # see `callbacks.stop_signals`
        self._step: list[tuple[list[Keyframe], Tensor]] = []  # the step's batches so far, and their summed losses
        self._to_restore: tuple[RunningStatistics, Tensor] | None = None

    def forward(self, batch: ClipBatch) -> Tensor:
        """Compute the logits of the batch's regions, `[R, A]`."""
        clip_of_roi = batch.clip_of_roi
        if batch.short_term is not None:
            return self.detector.classify(batch.short_term, batch.window, clip_of_roi)
        assert batch.clips is not None
        return self.detector(batch.clips, batch.rois, batch.window)

    def on_train_batch_start(self, batch: ClipBatch, batch_index: int) -> None:
        """Freeze or free the backbone; per batch, since a resumed run may begin within an epoch."""
        if self.frozen_epochs and self.detector.frozen_backbone != self._backbone_waits:
            self.detector.frozen_backbone = self._backbone_waits
            self.detector.train()

    @property
    def _backbone_waits(self) -> bool:
        return self.current_epoch < self.frozen_epochs

    def training_step(self, batch: ClipBatch, batch_index: int) -> Tensor:
        """Sum the loss of a batch; `StepGradients` makes the step's gradients a mean over its labeled regions."""
        assert batch.labels is not None
        statistics = RunningStatistics(self.detector) if self.on_nan == "skip" else None
        logits = self(batch)
        # A column beyond the label map's ids is an action that nobody shows.
        labels = F.pad(batch.labels, (0, logits.shape[1] - batch.labels.shape[1]))
        total, count = self.loss.sum(logits, labels)
        mean = self._gradients.add(total, count)  # equal on all ranks
        self._step.append((batch.keyframes, total.detach()))
        self._to_restore = None if statistics is None else (statistics, mean.isfinite())
        if self._backbone_waits:  # DDP wants a gradient for every parameter
            total = total + 0.0 * sum(parameter.sum() for parameter in self.detector.backbone.parameters())
        # Lightning divides by the accumulated batches and DDP averages over ranks; a sum is wanted of both.
        return total * (world_size() * self.trainer.accumulate_grad_batches)

    def on_after_backward(self) -> None:
        """Let batch norms forget a batch whose loss was not finite; only now, since the backward pass needs them."""
        if self._to_restore is not None:
            statistics, is_finite = self._to_restore
            statistics.restore_unless(is_finite)
            self._to_restore = None

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients by the step's labeled regions; drop those of a step whose loss was not finite.

        Only now the losses are looked at and logged: the backward pass is in the device's queue, which has work to do while
        the host waits for them. Before the optimizer's step, so that no weight has seen a loss that is not finite.
        """
        self._gradients.look(self._step, step=self.trainer.global_step)
        for (keyframes, total), mean in zip(self._step, self._gradients.means(), strict=True):
            if math.isfinite(mean):
                self.log("train/loss", mean, on_step=True, on_epoch=True, prog_bar=True, batch_size=len(keyframes))
            elif self.trainer.is_global_zero or not bool(torch.isfinite(total)):
                text = describe_not_finite(total, keyframes, step=self.trainer.global_step)
                _log.warning("%s: the step is left out", text)
        self._step = []
        if self._backbone_waits:
            for parameter in self.detector.backbone.parameters():
                parameter.grad = None  # neither momentum nor weight decay
        if not self._gradients.finish(self.parameters()):
            self.skipped_steps += 1

    def on_validation_epoch_start(self) -> None:
        """Give every rank the first one's buffers, as DDP does in the first forward pass of an evaluation.

        A rank without a video makes no forward pass, and the others would wait for it.
        """
        self._gradients.look(self._step, step=self.trainer.global_step)
        model = self.trainer.model
        if isinstance(model, DistributedDataParallel) and model.require_forward_param_sync:
            for buffer in self.buffers():
                dist.broadcast(buffer, 0)
            model.require_forward_param_sync = False

    def validation_step(self, batch: ClipBatch, batch_index: int) -> Detections:  # type: ignore[override]
        """Collect the scores of a batch, and give them to callbacks."""
        return self._collect(batch)

    def test_step(self, batch: ClipBatch | ViewBatch, batch_index: int) -> None:
        """Collect the scores of a batch, reduced to one per region if there are several views."""
        if isinstance(batch, ViewBatch):
            scores = torch.stack([self._evaluated(self(view)) for view in batch.views])
            self.evaluator.update(self._detections(batch.views[0], batch.reduced(scores)))
        else:
            self._collect(batch)

    def on_validation_epoch_end(self) -> None:
        """Log the evaluator's figures."""
        self._evaluate("val")

    def on_test_epoch_end(self) -> None:
        """Log the figures, if there is truth; write the evaluator's files and `metrics.json` into the run folder."""
        self._evaluate("test")
        if self.trainer.is_global_zero:
            folder = Path(self.trainer.default_root_dir)
            self.result_files = [*self.evaluator.write(folder)]
            write_json(folder / "metrics.json", {**self.summary(), **self.tested})

    def summary(self) -> dict[str, Any]:
        """Describe the last evaluation for `metrics.json`, with the name of the figure by which runs are compared."""
        main = {"main_figure": self.evaluator.figures[0]} if self.figures else {}
        return {**main, **self.evaluator.summary()}

    def configure_optimizers(self) -> Any:
        """Make the optimizer and the schedule, scaled to the global batch."""
        trainer = self.trainer
        global_batch = self.batch_size * trainer.world_size * trainer.accumulate_grad_batches
        # Not `trainer.estimated_stepping_batches`: it sets the loader up before the checkpoint can say where to go on.
        batches, limit = self.num_training_batches(), trainer.limit_train_batches
        batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
        steps = max(1, math.ceil(batches / trainer.accumulate_grad_batches))
        if trainer.is_global_zero:
            _log.info("%s", self.optimization.describe(global_batch))
        lengths = [trainer.max_epochs or -1, trainer.max_steps / steps]
        return self.optimization.build(
            self.detector,
            global_batch_size=global_batch,
            steps_per_epoch=steps,
            epochs=min((length for length in lengths if length > 0), default=math.inf),
            more_parameters=self.loss.parameters(),
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the resolved configuration as text: `load_detector` rebuilds the model from it."""
        self._gradients.look(self._step, step=self.trainer.global_step)  # batch norms have seen what no weight has
        checkpoint["hyper_parameters"] = {"config": self.config_text}
        checkpoint["skipped_steps"] = self.skipped_steps

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over the number of skipped steps."""
        self.skipped_steps = checkpoint.get("skipped_steps", 0)

    def _collect(self, batch: ClipBatch) -> Detections:
        logits = self(batch)
        found, ranked = (self._detections(batch, of) for of in (self.loss.scores(logits), self._evaluated(logits)))
        self.evaluator.update(ranked)
        return found

    def _evaluated(self, logits: Tensor) -> Tensor:
        return logits.float() if reads_logits(self.evaluator) else self.loss.scores(logits)

    def _detections(self, batch: ClipBatch, scores: Tensor) -> Detections:
        if self.times_person_score:
            scores = scores * batch.scores[:, None].to(scores.dtype)
        return Detections(batch.keyframes, batch.clip_of_roi, batch.boxes, scores, batch.items)

    def _evaluate(self, stage: str) -> None:
        self.figures = self.evaluator.compute()
        # Every rank has computed the same numbers from the gathered scores.
        logged = {f"{stage}/{name}": torch.tensor(value, dtype=torch.float32) for name, value in self.figures.items()}
        self.log_dict(logged, prog_bar=True)


def logged_figures(evaluator: Evaluator) -> list[str]:
    """Name what training logs, for callbacks that wait for one of them.

    Args:
        evaluator: Of the validation split.
    """
    return [*(f"val/{name}" for name in evaluator.figures), "train/loss", "train/loss_epoch"]
