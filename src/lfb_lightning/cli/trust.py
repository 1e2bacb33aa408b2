"""`trusted_packages=[...]`: the packages whose classes a checkpoint may name because the person at the keyboard says so."""

from __future__ import annotations

import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from lfb_lightning.errors import InputError


def trusted_packages(cfg: DictConfig) -> tuple[str, ...]:
    """The packages that the person trusts; where there are any, they are also looked for in the working directory.

    A console command does not look there by itself. It is looked at last, so that nothing there takes the place of an
    installed package.
    """
    packages = OmegaConf.to_container(cfg.trusted_packages) if cfg.trusted_packages is not None else []
    if not isinstance(packages, list) or not all(isinstance(package, str) for package in packages):
        raise InputError(f"trusted_packages is {packages!r}, expected a list of names: trusted_packages=[my_package].")
    here = str(Path.cwd())
    if packages and here not in sys.path:
        sys.path.append(here)
    return tuple(str(package) for package in packages)
