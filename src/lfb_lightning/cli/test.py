"""`lfb-test`: evaluate a trained detector; writes `results.csv` and `metrics.json`."""

from __future__ import annotations

import logging
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lfb_lightning.cli.app import launch, write_config
from lfb_lightning.cli.building import (
    adopt_checkpoint,
    build_detection,
    required_checkpoint,
    settle_process,
)
from lfb_lightning.cli.trainer import build_callbacks, build_trainer, telling_misconfiguration
from lfb_lightning.models import load_detector
from lfb_lightning.tasks.fingerprinting import FrameFingerprint

_log = logging.getLogger(__name__)


def test(cfg: DictConfig, run_dir: Path) -> int:
    """Test as configured; returns the exit status."""
    settle_process(cfg)
    checkpoint = required_checkpoint(cfg)
    cfg = adopt_checkpoint(cfg, list(HydraConfig.get().overrides.task), ("data", "bank", "task", "loss"))
    detector = load_detector(checkpoint)
    task, datamodule = build_detection(cfg, detector, write_config(cfg, run_dir), test_split=cfg.split)
    fingerprints = FrameFingerprint(lambda: [datamodule.split(cfg.split)])
    trainer = build_trainer(cfg, run_dir, [*build_callbacks(cfg), fingerprints], logging_on=False)
    with telling_misconfiguration(cfg):
        trainer.test(task, datamodule, verbose=False)
    if trainer.is_global_zero:
        assert task.result is not None
        groups = {name: task.result.mean_over(list(ids)) for name, ids in task.class_groups.items()}
        _log.info("mAP@0.5 %.4f %s", task.result.mean, {name: round(value, 4) for name, value in groups.items()})
        _log.info("%s and metrics.json are in %s", "results.csv", run_dir)
    return 0


def main() -> None:
    """Console entry."""
    launch("test", test)


if __name__ == "__main__":
    main()
