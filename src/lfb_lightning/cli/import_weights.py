"""`lfb-import`: another code base's weights as a checkpoint of ours, with a report on every weight."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from lfb_lightning.cli.app import launch
from lfb_lightning.errors import InputError
from lfb_lightning.models.imports import import_weights


def import_file(cfg: DictConfig, run_dir: Path) -> int:
    """Import as configured; returns the exit status."""
    for key in ("src", "out"):
        if cfg[key] is None:
            raise InputError(f"{key} is not set: lfb-import src=<their file> out=<our checkpoint>.")
    imported = import_weights(cfg.src, fbo=cfg.fbo, strict=cfg.strict)
    imported.save(cfg.out, source=str(cfg.src))
    print(imported.report.text())
    print(
        f"wrote {cfg.out}: "
        + ("a detector" if imported.has_head else "a backbone (use it with backbone.weights= or init_from=)")
    )
    return 0


def main() -> None:
    """Console entry."""
    launch("import", import_file, module="import_weights")


if __name__ == "__main__":
    main()
