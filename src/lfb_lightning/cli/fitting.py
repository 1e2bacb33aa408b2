"""Refuses a detector, or a loss, that is not for the actions of the data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lfb_lightning.cli.sections import Sections
from lfb_lightning.datasets import ScoreColumns
from lfb_lightning.errors import InputError, one_line
from lfb_lightning.models.loading import read_any

_SHOWN = 3  # names of actions in a message


def refuse_other_columns(sections: Sections, num_classes: int, columns: ScoreColumns, *, split: str) -> None:
    """Refuse a detector with too few score columns; where a data set says that these are its classes, with others.

    Args:
        sections: The configuration.
        num_classes: The detector's score columns.
        columns: The data set's.
        split: What is evaluated.

    Raises:
        InputError: It has; of a checkpoint, the message says what it was trained on.
    """
    is_other = columns.exclusive is not None and num_classes != columns.number
    if columns.number <= num_classes and not is_other:
        return
    if sections.objects is None:
        raise InputError(
            f"model.num_classes is {num_classes}, but split {split} has {columns.number} score columns (in AVA's formats, "
            f"the label map's largest id plus one); set model.num_classes={columns.number}."
        )
    stored, _ = read_any(sections.composed.ckpt_path)
    raise InputError(
        f"{sections.objects.source}: scores {num_classes} actions{_trained_on(stored)}, but split {split} of the data that "
        f"was chosen has {columns.number}: test it on the actions that it was trained on, without data=... on the very data, "
        "or with data=NAME paths.data_dir=FOLDER of others with the same actions."
    )


def refuse_other_labels(loss: Any, columns: ScoreColumns, *, split: str) -> None:
    """Refuse a loss that takes one of several actions for the right one where there may be more, or the reverse.

    Args:
        loss: It may say which columns compete (`models.Loss`); of one that does not, nothing is known.
        columns: What the data set says of its labels.
        split: What is evaluated.

    Raises:
        InputError: The loss is not for these labels; the message names one that is.
    """
    competing = getattr(loss, "competing", None)
    if columns.exclusive is None or not callable(competing):
        return
    found = competing(columns.number)
    if not columns.exclusive:
        if found:
            raise InputError(
                f"loss: {type(loss).__name__} lets {len(found[0])} actions compete, of which one is right, but what split "
                f"{split} shows may have any number of them: set loss=multilabel."
            )
        return
    widths = columns.blocks or {"action": columns.number}
    wanted, first = [], 0
    for width in widths.values():
        wanted.append(set(range(first, first + width)))
        first += width
    if len(found) == len(wanted) and all(set(some) <= of for some, of in zip(found, wanted, strict=True)):
        return
    kinds = " and ".join(f"one {kind} of {width}" for kind, width in widths.items())
    how = (
        "scores each action by itself"
        if not found
        else f"lets {' and '.join(str(len(some)) for some in found)} compete"
    )
    raise InputError(
        f"loss: {type(loss).__name__} {how}, but what split {split} shows has {kinds}: set loss=softmax_blocks."
    )


def _trained_on(stored: Mapping[str, Any]) -> str:
    """Say in brackets, of a checkpoint's configuration, which actions it scores and of which files: a file's words."""
    trained, data = _mapping(stored.get("trained_on")), _mapping(stored.get("data"))
    actions = trained.get("actions")
    names = [str(name)[:40] for name in actions.values()][:_SHOWN] if isinstance(actions, Mapping) else []
    told = [f"such as {', '.join(map(repr, names))}"] if names else []
    if isinstance(target := data.get("_target_"), str):
        told.append(f"trained with {target.rsplit('.', 1)[-1][:60]} on {str(data.get('annotations'))[:120]}")
    return one_line(f" ({'; '.join(told)})") if told else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
