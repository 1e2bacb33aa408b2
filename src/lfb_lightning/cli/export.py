"""`lfb-export`: write a trained detector as a folder that others read: weights, ONNX programs, or torch's own."""

from __future__ import annotations

import sys
from pathlib import Path

from omegaconf import DictConfig

from lfb_lightning.cli.app import launch
from lfb_lightning.cli.trust import trusted_packages
from lfb_lightning.errors import InputError
from lfb_lightning.exporting.exporting import export_detector
from lfb_lightning.models.loading import load_with_config


def export(cfg: DictConfig, run_dir: Path) -> int:
    """Export the configured detector and say what was written; returns the exit status 0."""
    for key in ("ckpt_path", "out"):
        if cfg[key] is None:
            raise InputError(
                f"{key} is not set: lfb-export ckpt_path=<run>/checkpoints/best.ckpt format=safetensors|onnx|torch_export "
                "out=<folder>."
            )
    detector, config = load_with_config(cfg.ckpt_path, trusted_packages(cfg))
    told = {name: cfg[name] for name in ("license", "notes") if cfg[name] is not None}
    made = export_detector(
        detector,
        {**config, **told},
        cfg.out,
        format=cfg.format,
        overwrite=cfg.overwrite,
        progress=lambda line: print(line, file=sys.stderr),
    )
    for name, size in made.fixed.items():
        print(f"note: {name} is always {size}: a module of this detector fixes it")
    for name, difference in made.files.items():
        print(f"{made.folder / name}: differs from the detector by at most {difference:.1e}")
    print(f"wrote {made.folder}: {', '.join(sorted(path.name for path in made.folder.iterdir()))}")
    return 0


def main() -> None:
    """Run `lfb-export` with the arguments that the user typed."""
    launch("export", export)


if __name__ == "__main__":
    main()
