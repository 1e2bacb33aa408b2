"""Checkpoints that version 0.1 wrote, and the same with something else in them, as an attacker or a full disk leaves them.

`baseline_0.1.ckpt` and `nl_0.1.ckpt` are `best.ckpt` of runs on `mini_dir` (tests/conftest.py) in `data/mini_ava`:
    lfb-train experiment=mini_ava data.last_second=920 data.num_workers=0 backbone.base_channels=4 trainer.max_epochs=1 \
        fbo=none hydra.run.dir=/runs/baseline
    lfb-extract data.last_second=920 ckpt_path=/runs/baseline/checkpoints/best.ckpt split=train    # and split=val
    lfb-train experiment=mini_ava_lfb (the same) fbo=nl_small fbo.latent_channels=8 hydra.run.dir=/runs/nl \
        init_from=/runs/baseline/checkpoints/best.ckpt
MAP is what version 0.1's lfb-test said of each, RESUMED what its lfb-train made of the baseline with trainer.max_epochs=2.
"""

from pathlib import Path

import torch
import yaml

FOLDER = Path(__file__).parent / "checkpoints"
BASELINE = FOLDER / "baseline_0.1.ckpt"
NL = FOLDER / "nl_0.1.ckpt"
MAP = {BASELINE: 0.3288303802345228, NL: 0.3389905737953071}
RESUMED = {"global_step": 16, "norms": {"detector.head.weight": 0.8000754, "detector.head.bias": 0.1375751}}


def content(path=BASELINE):
    return torch.load(path, weights_only=True)


def config(path=BASELINE):
    return yaml.safe_load(content(path)["hyper_parameters"]["config"])


def write(path, *, config=None, source=BASELINE, **entries):
    """The released checkpoint with another configuration (a mapping, or anything in the text's place) or other entries."""
    made = {**content(source), **entries}
    if config is not None:
        made["hyper_parameters"] = {"config": yaml.safe_dump(config) if isinstance(config, dict) else config}
    torch.save(made, path)
    return path


def with_sections(path, **sections):
    """The released checkpoint with other sections in its configuration; None leaves a section out."""
    changed = {**config(), **sections}
    return write(path, config={name: section for name, section in changed.items() if section is not None})
