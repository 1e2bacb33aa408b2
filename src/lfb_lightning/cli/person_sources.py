"""Builds detectors of persons in the processes that use them: loads as little as possible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra.utils import instantiate

from lfb_lightning.persons import PersonSource


def make_source(section: Mapping[Any, Any]) -> PersonSource:
    """Build the detector that a `persons` section names.

    Args:
        section: The section, plain data.
    """
    source: PersonSource = instantiate(dict(section), _convert_="all")
    return source
