"""The sections of a command's configuration as objects: the user's own, and those that a checkpoint brought.

Sections of the user's own configuration are built by Hydra. `lfb-test` and `lfb-extract` take others from the run that
wrote `ckpt_path`, so that they need no more. Such a section is data that a file brought (docs/security.md): its names
are looked up in tables; it never becomes a node of OmegaConf, which would resolve its `${...}`, and never reaches
Hydra, which would call whatever it names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from lfb_lightning.cli.data_section import DATASETS, Data, dataset_target, split_section
from lfb_lightning.clips import ClipSettings
from lfb_lightning.errors import one_line
from lfb_lightning.lightning import DetectionTask
from lfb_lightning.lightning.datamodules.loading import Loading
from lfb_lightning.models.checkpoint import DETECTOR_PARTS, LOSSES
from lfb_lightning.models.stored_objects import StoredObjects, named

# What a stored section may name; a section that is not here is plain values.
STORED_PARTS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "loss": LOSSES,
    "task": {
        **named(DetectionTask),
        "lfb_lightning.tasks.DetectionTask": DetectionTask,
    },  # its name in older checkpoints
}
_WHERE_WRITTEN = {"bank": ("dir", "precision", "work_dir")}  # what decides where, and how, lfb-extract writes


@dataclass(frozen=True)
class Sections:
    """The configuration of a command, some of whose sections a checkpoint may have brought.

    Args:
        composed: What Hydra composed from `conf/`, the user's own files and the command line.
        stored: Sections of a checkpoint that replace the composed ones, with what the user typed over them.
        objects: Builds what the stored sections name; None where there are none.
    """

    composed: DictConfig
    stored: Mapping[str, Any] = field(default_factory=dict)
    objects: StoredObjects | None = None

    def plain(self, name: str) -> dict[str, Any]:
        """Return a section of plain values."""
        if self.objects is not None and name in self.stored:
            return self.objects.plain(self.stored[name], name)
        return plain(self.composed[name])

    def make(self, name: str, constructor: Callable[..., Any]) -> Any:
        """Make the object whose arguments are a section of plain values."""
        if self.objects is not None and name in self.stored:
            return self.objects.call(constructor, name, self.plain(name))
        return constructor(**self.plain(name))

    def build(self, name: str, **given: Any) -> Any:
        """Build the object that a section names.

        Args:
            name: The section.
            **given: Built objects as further arguments.
        """
        if self.objects is not None and name in self.stored:
            return self.objects.build(self.stored[name], name, STORED_PARTS[name], **given)
        return build_with(self.composed[name], **given)

    def data(self) -> Data:
        """Build the data set of the `data` section, with its clips and loaders."""
        if self.objects is not None and "data" in self.stored:
            stored = self.objects
            section = stored.mapping(self.stored["data"], "data")
            constructor = stored.constructor({"_target_": dataset_target(section)}, "data", DATASETS)
            own, clips, loading = split_section(section, constructor)
            return Data(
                stored.build(own, "data", DATASETS),
                stored.call(ClipSettings, "data", stored.plain(clips, "data")),
                stored.call(Loading, "data", stored.plain(loading, "data")),
            )
        section = plain(self.composed["data"])
        own, clips, loading = split_section(section, get_object(dataset_target(section)))
        return Data(instantiate(own, _convert_="all"), ClipSettings(**clips), Loading(**loading))

    def differences(self) -> list[str]:
        """List the values that come from a checkpoint and differ from the command's own configuration.

        Returns:
            `key=value` for each, long values cut short.
        """
        found = []
        for name, section in self.stored.items():
            composed = dict(_leaves(plain(self.composed[name]), f"{name}."))
            brought = _leaves(section, f"{name}.") if isinstance(section, dict) else []
            found += [
                one_line(f"{key}={value!s:.60}")
                for key, value in brought
                if key not in composed or composed[key] != value
            ]
        return found

    def content(self) -> dict[str, Any]:
        """Return the whole configuration as plain data, resolved; what a checkpoint brought stays as it is."""
        return {**plain(self.composed), **self.stored}


def adopt(
    cfg: DictConfig,
    stored: Mapping[str, Any],
    overrides: Collection[str],
    names: Collection[str],
    *,
    source: str,
    trusted_packages: Collection[str] = (),
    writes_bank: bool = False,
) -> Sections:
    """Take sections from a checkpoint's configuration, keeping what the command line sets.

    A section chosen as a group (`data=...`), and all of them where an override changes what sections refer to (`paths.*`,
    `experiment=`), are as composed; but what `lfb-import` says of scores holds for its detector anywhere. Of `bank=...` only
    where and in which precision it is: its windows stay those that the detector was trained with.

    Args:
        cfg: The composed configuration.
        stored: The checkpoint's, plain data.
        overrides: The command line's, such as `data.fps=25`.
        names: Sections to take.
        source: How messages call the checkpoint.
        trusted_packages: Packages that the checkpoint may name too.
        writes_bank: The command writes into `bank.dir`, which a checkpoint then has no say in.
    """
    typed = {override.split("=", 1)[0].lstrip("+~") for override in overrides}
    if any(key == "experiment" or key.startswith("paths") for key in typed):
        names = [name for name in names if name == "task" and _knows_scores_only(stored)]
    adopted = {}
    for name in names:
        chosen = name in typed
        if name not in stored or (chosen and name != "bank"):
            continue
        section, composed = stored[name], plain(cfg[name])
        if name == "bank" and "made_by" in stored and isinstance(section, dict):
            # Of lfb-export, which keeps nothing of a bank but its windows; older ones had no `cells`.
            section = {**composed, "cells": None, **section}
        if name == "task" and _knows_scores_only(stored):
            section = {**composed, **section}
        kept = _WHERE_WRITTEN.get(name, ()) if chosen or writes_bank else ()
        keys = [*kept, *(key.removeprefix(f"{name}.") for key in typed if key.startswith(f"{name}."))]
        if name == "bank" and "window_seconds" in keys and _has_a_cell_per_second(section):
            keys.append("cells")
        adopted[name] = _typed_over(section, composed, keys)
    objects = StoredObjects(source=source, trusted_packages=tuple(trusted_packages), typed=_TypedTargets(typed))
    return Sections(cfg, adopted, objects)


def refuse_unloadable(cfg: DictConfig, trusted_packages: Collection[str]) -> None:
    """Refuse to train what could not be loaded from its own checkpoints.

    Args:
        cfg: The composed configuration.
        trusted_packages: Packages that the user trusts.

    Raises:
        InputError: It names a class that a checkpoint may not; the message says how the user lets it.
    """
    objects = StoredObjects(
        source="a checkpoint of this run could not be loaded", trusted_packages=tuple(trusted_packages)
    )
    for name, parts in {"model": DETECTOR_PARTS, "data": DATASETS, **STORED_PARTS}.items():
        objects.check(plain(cfg[name]), name, parts)


class _TypedTargets:
    """Builds what the command line says for the `_target_` of a node: through Hydra, as the user's own."""

    def __init__(self, typed: Collection[str]) -> None:
        self._typed = typed

    def __call__(self, key: str, target: str) -> Callable[..., Any] | None:
        path = f"{key}._target_"
        if not any(path == name or path.startswith(f"{name}.") for name in self._typed):
            return None
        constructor: Callable[..., Any] = instantiate({"_target_": target, "_partial_": True})
        return constructor


def plain(node: DictConfig) -> dict[str, Any]:
    """Return a node of the composed configuration as plain data, resolved."""
    content = OmegaConf.to_container(node, resolve=True)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def build_with(node: DictConfig, **given: Any) -> Any:
    """Instantiate a node of the composed configuration with built objects as further arguments."""
    return instantiate(node, _convert_="all", _partial_=True)(**given)


def _leaves(section: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _knows_scores_only(stored: Mapping[str, Any]) -> bool:
    """Whether a stored section `task` is of lfb-import, which knows what scores mean and nothing else."""
    task = stored.get("task")
    return "imported_from" in stored and isinstance(task, dict) and "_target_" not in task


def _has_a_cell_per_second(stored: Any) -> bool:
    """Whether a stored section `bank` describes windows whose cells are their seconds, as those of a grid are."""
    return isinstance(stored, dict) and "cells" in stored and stored["cells"] == stored.get("window_seconds")


def _typed_over(stored: Any, composed: dict[str, Any], keys: Collection[str]) -> Any:
    """Replace, in a stored section, the values of some dotted keys by those of the composed section."""
    if not isinstance(stored, dict):
        return stored  # refused, with its type, when it is built
    content = deepcopy(stored)
    for key in keys:
        _take(content, composed, key.split("."))
    return content


def _take(content: dict[str, Any], composed: dict[str, Any], path: list[str]) -> None:
    head, *rest = path
    inner, theirs = content.get(head), composed.get(head)
    if rest and isinstance(inner, dict) and isinstance(theirs, dict):
        _take(inner, theirs, rest)
    elif head in composed:
        content[head] = theirs
    else:  # ~section.key
        content.pop(head, None)
