"""`trusted_packages=[...]`: the packages whose classes a checkpoint may name, because the user says so."""

from __future__ import annotations

import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from lfb_lightning.errors import InputError


def trusted_packages(cfg: DictConfig) -> tuple[str, ...]:
    """Return the packages that the user trusts, and let Python find them in the working directory too.

    Python does not look there for an installed command. The directory is added at the end of the search path, so that
    nothing in it takes the place of an installed package.
    """
    packages = OmegaConf.to_container(cfg.trusted_packages) if cfg.trusted_packages is not None else []
    if not isinstance(packages, list) or not all(isinstance(package, str) for package in packages):
        raise InputError(f"trusted_packages is {packages!r}, expected a list of names: trusted_packages=[my_package].")
    here = str(Path.cwd())
    if packages and here not in sys.path:
        sys.path.append(here)
    return tuple(str(package) for package in packages)
