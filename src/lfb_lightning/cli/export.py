"""`lfb-export`: write a trained detector as a folder that others read, and upload it to the Hugging Face Hub."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from omegaconf import DictConfig

from lfb_lightning.cli.app import launch
from lfb_lightning.cli.trust import trusted_packages
from lfb_lightning.errors import InputError
from lfb_lightning.exporting.exporting import Exported, export_detector
from lfb_lightning.files.durable import write_durably
from lfb_lightning.models.cards import CARD, is_edited
from lfb_lightning.models.cards.run_facts import with_figures
from lfb_lightning.models.hub import push_folder, require_hub
from lfb_lightning.models.loading import load_with_config


def export(cfg: DictConfig, run_dir: Path) -> int:
    """Export the configured detector and say what was written; returns the exit status 0."""
    if cfg.ckpt_path is None or (cfg.out is None and cfg.push is None):
        raise InputError(
            f"{'ckpt_path' if cfg.ckpt_path is None else 'out'} is not set: lfb-export ckpt_path=<run>/checkpoints/best.ckpt "
            "format=safetensors|onnx|torch_export out=<folder>, or push=<organization>/<name>."
        )
    if cfg.push is not None:
        _require_pushable(cfg)
    with ExitStack() as stack:
        folder = cfg.out or str(Path(stack.enter_context(TemporaryDirectory())) / "detector")
        made = _export(cfg, folder)
        if cfg.push is not None:
            _push(cfg, made.folder)
    return 0


def _export(cfg: DictConfig, folder: str) -> Exported:
    detector, config = load_with_config(cfg.ckpt_path, trusted_packages(cfg))
    told = {name: cfg[name] for name in ("license", "notes") if cfg[name] is not None}
    own_card = _card_to_take_along(cfg, folder)
    made = export_detector(
        detector,
        {**with_figures(config, detector, cfg.ckpt_path, metrics=cfg.metrics), **told},
        folder,
        format=cfg.format,
        overwrite=cfg.overwrite,
        card="" if cfg.card == "none" or own_card is not None else cfg.push,
        overwrite_card=cfg.card == "replace",
        progress=lambda line: print(line, file=sys.stderr),
    )
    for name, size in made.fixed.items():
        print(f"note: {name} is always {size}: a module of this detector fixes it")
    for name, difference in made.files.items():
        print(f"{made.folder / name}: differs from the detector by at most {difference:.1e}")
    if own_card is not None:
        write_durably(made.folder / CARD, own_card)
    if is_edited(made.folder / CARD):
        print(f"note: {CARD} has been edited by hand and is kept as it is; card=replace writes one anew")
    if cfg.out is not None:
        print(f"wrote {made.folder}: {', '.join(sorted(path.name for path in made.folder.iterdir()))}")
    return made


def _card_to_take_along(cfg: DictConfig, folder: str) -> bytes | None:
    """Read the card of a folder that is exported again, if somebody has edited it: it is of the same weights."""
    path = Path(cfg.ckpt_path) / CARD
    wanted = cfg.card == "keep" and cfg.format == "safetensors"
    return path.read_bytes() if wanted and is_edited(path) and not is_edited(Path(folder) / CARD) else None


def _require_pushable(cfg: DictConfig) -> None:
    """Raise InputError for what would end the upload, before the detector is loaded."""
    if cfg.format != "safetensors":
        raise InputError(
            f"push={cfg.push}: is for format=safetensors, which from_pretrained reads; found {cfg.format}."
        )
    require_hub(cfg.push, key="push")


def _push(cfg: DictConfig, folder: Path) -> None:
    replaces = cfg.card == "replace"
    pushed = push_folder(folder, cfg.push, private=cfg.push_private, overwrite_card=replaces, key="push")
    if pushed.kept_card:
        print(f"note: the {CARD} of {cfg.push} has been edited by hand and is kept; card=replace writes one anew")
    print(f"uploaded to {cfg.push}: {pushed.address}")
    print(f'to load it: ActionDetector.from_pretrained("{cfg.push}")')


def main() -> None:
    """Run `lfb-export` with the arguments that the user typed."""
    launch("export", export)


if __name__ == "__main__":
    main()
