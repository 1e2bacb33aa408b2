"""`lfb-import`: convert another code base's weights to a checkpoint of this package, with a report on every weight."""

from __future__ import annotations

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lfb_lightning.cli.app import launch
from lfb_lightning.errors import InputError
from lfb_lightning.models.imports import import_weights


def import_file(cfg: DictConfig, run_dir: Path) -> int:
    """Import the configured file and print the report; returns the exit status 0."""
    for key in ("src", "out"):
        if cfg[key] is None:
            raise InputError(f"{key} is not set: lfb-import src=<their file> out=<our checkpoint>.")
    # The option's name, not its section: the file itself says everything else about the model.
    fbo = HydraConfig.get().runtime.choices.get("fbo")
    if fbo not in (None, "max", "avg"):
        raise InputError(f"fbo is {fbo}, expected max or avg: any other one is told by the weights.")
    imported = import_weights(cfg.src, fbo=fbo, strict=cfg.strict, aligned=cfg.aligned)
    imported.save(cfg.out, source=imported.source)
    print(imported.report.text())
    if imported.license:
        print(f"license of the weights: {imported.license}")
    if imported.note:
        print(f"note: {imported.note}")
    print(
        f"wrote {cfg.out}: "
        + ("a detector" if imported.has_head else "a backbone (use it with backbone.weights= or init_from=)")
    )
    return 0


def main() -> None:
    """Run `lfb-import` with the arguments that the user typed."""
    launch("import", import_file, module="import_weights")


if __name__ == "__main__":
    main()
