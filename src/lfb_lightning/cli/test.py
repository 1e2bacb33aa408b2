"""`lfb-test`: evaluate a trained detector; writes `results.csv` and `metrics.json`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from lfb_lightning.cli.app import launch, write_config
from lfb_lightning.cli.building import (
    adopt_checkpoint,
    build_detection,
    required_checkpoint,
    settle_process,
    settle_widths,
)
from lfb_lightning.cli.class_table import class_table
from lfb_lightning.cli.first_data import provide_data
from lfb_lightning.cli.trainer import build_callbacks, build_trainer, telling_misconfiguration
from lfb_lightning.cli.trust import trusted_packages
from lfb_lightning.lightning.callbacks.fingerprinting import FrameFingerprint
from lfb_lightning.lightning.callbacks.node_watch import telling_lost_nodes
from lfb_lightning.lightning.callbacks.stop_at_once import StopAtOnce
from lfb_lightning.metrics.evaluator import headline
from lfb_lightning.models import load_detector

_log = logging.getLogger(__name__)


def test(cfg: DictConfig, run_dir: Path) -> int:
    """Test as configured; returns the exit status."""
    provide_data(cfg)
    settle_process(cfg)
    checkpoint = required_checkpoint(cfg)
    sections = adopt_checkpoint(cfg, ("data", "bank", "task", "loss"))
    settle_widths(sections, cfg.split)
    detector = load_detector(checkpoint, trusted_packages(cfg))
    config_text = write_config(sections.content(), run_dir)
    task, datamodule = build_detection(sections, detector, config_text, split=cfg.split)
    task.tested = {"checkpoint": str(checkpoint), "split": cfg.split, "weights_digest": detector.digest()}
    fingerprints = FrameFingerprint([datamodule.split(cfg.split)], datamodule.clips.sampling)
    trainer = build_trainer(cfg, run_dir, [*build_callbacks(cfg), fingerprints, StopAtOnce()], logging_on=False)
    with telling_misconfiguration(cfg), telling_lost_nodes(trainer):
        trainer.test(task, datamodule, verbose=False)
    if trainer.is_global_zero:
        if task.figures:
            for line in class_table({"test": task.summary()}):
                _log.info("%s", line)
            _log.info("%s", _told(task.figures, headline(task.evaluator)))
        else:
            figure = task.evaluator.figures[0]
            why = task.evaluator.summary().get(f"no_{figure}_because", "its truth is not known")
            _log.info("no %s, since split %s has no annotations (%s)", figure, cfg.split, why)
        _log.info("%s and metrics.json are in %s", ", ".join(path.name for path in task.result_files), run_dir)
    return 0


def _told(figures: Mapping[str, float], shown: Sequence[str]) -> str:
    """The figures that people look at, in a line, and how many others there are."""
    told = ", ".join(f"{name} {figures[name]:.4f}" for name in shown if name in figures)
    others = len(figures.keys() - set(shown))
    return f"{told}; {others} more in metrics.json" if others else told


def main() -> None:
    """Run `lfb-test` with the arguments that the user typed."""
    launch("test", test)


if __name__ == "__main__":
    main()
