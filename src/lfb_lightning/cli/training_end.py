"""The end of a training: `metrics.json`, the table of classes, the files, and the next command."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from lfb_lightning.files.durable import write_json
from lfb_lightning.files.json_file import read_json_object
from lfb_lightning.lightning import DetectionTask
from lfb_lightning.lightning.callbacks.best_evaluation import BestEvaluation

_METRICS = "metrics.json"
_log = logging.getLogger(__name__)


def is_summed_up(run_dir: Path, steps: int) -> bool:
    """Say whether the run has ended before, so that nothing is left to train.

    Args:
        run_dir: The run folder.
        steps: Optimizer steps that are done.
    """
    path = run_dir / _METRICS
    return path.is_file() and read_json_object(path, what="metrics", remedy="delete it").get("steps") == steps


def write_summary(trainer: Trainer, task: DetectionTask, best: BestEvaluation, run_dir: Path) -> None:
    """Write `metrics.json`, and tell what was reached, where it is, and what to do next.

    At the top level of the file is what was measured last, on the weights of `checkpoint`; under `best` what was measured
    on the best checkpoint, with its epoch and step.

    Args:
        trainer: The trainer, when training has ended.
        task: What was trained.
        best: What was measured on the best checkpoint.
        run_dir: The run folder.
    """
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    summary: dict[str, Any] = {"logged": logged, "epochs": trainer.current_epoch, "steps": trainer.global_step}
    summary["skipped_steps"] = task.skipped_steps
    last = run_dir / "checkpoints" / "last.ckpt"
    summary["checkpoint"] = str(last) if last.is_file() else None
    checkpoint = trainer.checkpoint_callback
    if isinstance(checkpoint, ModelCheckpoint):
        summary["best_checkpoint"] = checkpoint.best_model_path
        score, figure = checkpoint.best_model_score, checkpoint.monitor or task.evaluator.figures[0]
        summary[f"best_{figure.removeprefix('val/')}"] = None if score is None else float(score)
        if score is not None and best.score == float(score):
            summary["best"] = {
                **best.summary,
                "checkpoint": checkpoint.best_model_path,
                "epoch": best.epoch,
                "step": best.step,
            }
    if task.figures is not None:
        summary |= task.summary()
    write_json(run_dir / _METRICS, summary)
    for line in [*class_table(summary), *_ending(summary, run_dir, reads_bank=task.detector.reads_bank)]:
        _log.info("%s", line)


def class_table(summary: Mapping[str, Any]) -> list[str]:
    """Make lines with the AP of each class that has truth, of the best checkpoint and of the last one.

    Args:
        summary: The content of `metrics.json`; without AP per class there is no table.
    """
    last, best = summary.get("per_class"), summary.get("best", {}).get("per_class", {})
    if not last:
        return []
    counts, names = summary.get("num_ground_truth", {}), summary.get("names", {})
    shown = sorted((key for key in last if counts.get(key, 1)), key=lambda key: (len(key), key))
    width = max((len(str(names.get(key, key))) for key in shown), default=0)
    width = min(max(width, len("class")), 44)
    lines = [f"{'class':{width}}  {'boxes':>7}  {'AP best':>8}  {'AP last':>8}"]
    for key in shown:
        name = str(names.get(key, key))[:width]
        lines.append(f"{name:{width}}  {counts.get(key, ''):>7}  {_number(best.get(key)):>8}  {_number(last[key]):>8}")
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _ending(summary: Mapping[str, Any], run_dir: Path, *, reads_bank: bool) -> list[str]:
    best_path, best = summary.get("best_checkpoint"), summary.get("best")
    figure = summary.get("main_figure", "")
    lines = []
    if best_path:
        reached = "" if best is None else f"{figure} {_number(best.get(figure))} of epoch {best['epoch']}: "
        lines.append(f"best checkpoint: {reached}{best_path}")
    if summary["checkpoint"]:
        reached = f"{figure} {_number(summary.get(figure))} of epoch {summary['epochs']}: "
        lines.append(f"last checkpoint: {reached}{summary['checkpoint']}")
    lines.append(f"run folder: {run_dir} (config.yaml, metrics.json, logs)")
    if best_path:
        argument = shlex.quote(f"ckpt_path={best_path}")
        command = f"lfb-test {argument}" if reads_bank else f"lfb-extract split=train {argument}   # and split=val"
        lines.append(f"next: {command}")
    return lines
