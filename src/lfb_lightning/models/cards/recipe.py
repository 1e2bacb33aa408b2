"""How a detector was trained, as plain data that may be published: numbers and names, no place on a machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lfb_lightning.models.cards.text import file_name, plain

_FILES = ("annotations", "label_map", "excluded", "proposals")
_OPTIMIZATION = (
    *("lr", "base_batch_size", "auto_scale_lr", "warmup_epochs", "warmup_start", "warmup_by"),
    *("milestones", "gamma"),
)
_TRAINER = (
    *("max_epochs", "max_steps", "precision", "devices", "num_nodes", "accumulate_grad_batches"),
    *("gradient_clip_val", "sync_batchnorm", "limit_train_batches"),
)
_DATA = ("batch_size", "short_term", "assign", "match_iou", "train_threshold", "class_balance")


def training_of(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Choose what a card tells of a training.

    Args:
        config: The configuration of a checkpoint of `lfb-train`, or of a folder, which has it as `training` already.

    Returns:
        The sections `files` (their names), `data`, `optimizer`, `schedule`, `trainer`; None: nothing is known.
    """
    if "training" in config:
        stored = plain(config["training"], depth=3)
        return stored if isinstance(stored, dict) else None
    optim, data, trainer = (_mapping(config.get(name)) for name in ("optim", "data", "trainer"))
    if not optim:
        return None
    optimizer = _mapping(optim.get("optimizer"))
    made: dict[str, Any] = {
        "data_set": _class_name(data),
        "files": {name: " or ".join(map(file_name, paths)) for name in _FILES if (paths := _texts(data.get(name)))},
        "data": {name: data[name] for name in _DATA if data.get(name) is not None},
        "optimizer": {"name": _class_name(optimizer), **_own(optimizer)},
        "schedule": {name: optim[name] for name in _OPTIMIZATION if optim.get(name) is not None},
        "trainer": {
            name: trainer[name] for name in _TRAINER if trainer.get(name) is not None and not _is_all(trainer[name])
        },
        "started_from": [file_name(path) for path in _first_files(config)],
    }
    if (schedule := _mapping(optim.get("schedule"))) and schedule.get("_target_"):
        inner = _mapping(schedule.get("scheduler"))
        made["schedule"]["after_warmup"] = _class_name(inner) or _class_name(schedule)
    made = {name: value for name, value in made.items() if value}
    reduced: dict[str, Any] = plain(made, depth=3)
    return reduced


def _texts(value: Any) -> list[str]:
    """A text, or several of which the first that was there was read."""
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def _first_files(config: Mapping[str, Any]) -> list[str]:
    """The files that a configuration says the weights were first read from; they are not opened."""
    model = _mapping(config.get("model"))
    found = [
        config.get("init_from"),
        model.get("backbone_weights"),
        _mapping(model.get("backbone")).get("weights"),
    ]
    return list(dict.fromkeys(path for path in found if isinstance(path, str)))


def _is_all(value: Any) -> bool:
    """Whether a limit is the default, all batches: 1.0, where 1 is a single batch."""
    return isinstance(value, float) and value == 1.0


def _class_name(section: Mapping[str, Any]) -> str:
    target = section.get("_target_")
    return target.rpartition(".")[2] if isinstance(target, str) else ""


def _own(section: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in section.items() if not str(name).startswith("_")}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
