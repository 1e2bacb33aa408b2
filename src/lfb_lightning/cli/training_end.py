"""The end of a training: `metrics.json`, the table of classes, the files, and the next command."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from lfb_lightning.cli.class_table import class_table, shown
from lfb_lightning.cli.next_command import command_on_this_data
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

    At the top level of the file is what was measured last, with its epoch and step, on the weights of `checkpoint`, which
    is null where training went on after the last validation; under `best` what was measured on the best checkpoint.

    Args:
        trainer: The trainer, when training has ended.
        task: What was trained.
        best: What was measured on the best checkpoint, and when the last validation was.
        run_dir: The run folder.
    """
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    summary: dict[str, Any] = {"logged": logged, "epochs": trainer.current_epoch, "steps": trainer.global_step}
    summary["skipped_steps"] = task.skipped_steps
    last = run_dir / "checkpoints" / "last.ckpt"
    is_of_last = best.last_step == trainer.global_step
    summary["checkpoint"] = str(last) if last.is_file() and is_of_last else None
    summary["epoch"], summary["step"] = best.last_epoch, best.last_step
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
    columns = {"best": summary["best"], "last": summary} if "best" in summary else {"last": summary}
    for line in [*class_table(columns), *_ending(summary, run_dir, last, reads_bank=task.detector.reads_bank)]:
        _log.info("%s", line)


def _ending(summary: Mapping[str, Any], run_dir: Path, last: Path, *, reads_bank: bool) -> list[str]:
    best_path, best = summary.get("best_checkpoint"), summary.get("best")
    figure = summary.get("main_figure", "")
    lines = []
    if best_path:
        reached = "" if best is None else f"{figure} {shown(best.get(figure))} of epoch {best['epoch']}: "
        lines.append(f"best checkpoint: {reached}{best_path}")
    if last.is_file():
        reached = f"{figure} {shown(summary.get(figure))} of epoch {summary['epoch']}" if figure else ""
        if not summary["checkpoint"]:
            reached = f"not validated{f'; the last validation: {reached}' if reached else ''}"
        lines.append(f"last checkpoint: {reached}: {last}")
    lines.append(f"run folder: {run_dir} (config.yaml, {_METRICS} and more)")
    if best_path:
        lines.append(f"next: {_next_command(str(best_path), reads_bank=reads_bank)}")
    return lines


def _next_command(checkpoint: str, *, reads_bank: bool) -> str:
    """Write what follows: a test of a detector that reads a bank, the bank of one that does not."""
    typed = HydraConfig.get().overrides.task
    trusted = [one for one in typed if one.startswith("trusted_packages")]
    if reads_bank:  # data and bank are the checkpoint's
        return shlex.join(["lfb-test", *trusted, f"ckpt_path={checkpoint}"])
    bank = [one for one in typed if one.startswith(("bank=", "bank."))]
    made = command_on_this_data("lfb-extract", *bank, *trusted, "split=train", f"ckpt_path={checkpoint}")
    return f"{made}   # and split=val"
