"""The `data` section of a configuration: a data set, the clips that are cut from its videos, and how they are loaded.

Every data set, ours or a user's, has its own keys in the section, beside `_target_`, and the keys of `ClipSettings` and
`Loading`, which all have. A key that a data set's constructor shares with them, such as the rate of extracted frames,
goes to both.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from lfb_lightning.clips import ClipSettings
from lfb_lightning.datasets import ActionDataset, AvaDataset, AvaKineticsDataset, CharadesDataset, EpicDataset
from lfb_lightning.lightning.datamodules.loading import Loading
from lfb_lightning.models.stored_objects import named

DATASETS: Mapping[str, Callable[..., Any]] = named(AvaDataset, AvaKineticsDataset, CharadesDataset, EpicDataset)
SHARED = (ClipSettings, Loading)
_TARGET = "_target_"
_DEFAULT = "lfb_lightning.datasets.AvaDataset"  # the sections of older checkpoints name none
_OLD_NAMES = {"train_colour_jitter": "train_color_jitter"}


@dataclass(frozen=True)
class Data:
    """What the `data` section makes."""

    dataset: ActionDataset
    clips: ClipSettings
    loading: Loading


def dataset_target(section: Mapping[str, Any]) -> Any:
    """Return the `_target_` of a section; that of AVA's data set where it has none."""
    return section.get(_TARGET, _DEFAULT)


def split_section(
    section: Mapping[str, Any], constructor: Callable[..., Any]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Split a `data` section by what its keys are for.

    Args:
        section: Its keys and values.
        constructor: What makes the data set.

    Returns:
        The arguments of the data set, with its `_target_`, of `ClipSettings` and of `Loading`.
    """
    content = {_OLD_NAMES.get(name, name): value for name, value in section.items()}
    content[_TARGET] = dataset_target(section)
    of_clips, of_loading = ({field.name for field in fields(part)} for part in SHARED)
    own = content.keys() - of_clips - of_loading | set(inspect.signature(constructor).parameters)

    def taken(names: set[str]) -> dict[str, Any]:
        return {name: value for name, value in content.items() if name in names}

    return taken(own), taken(of_clips), taken(of_loading)
