"""Telling boxes, scores and labels apart among the outputs of an ONNX detector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lfb_lightning.errors import InputError

Output = tuple[str, Sequence[Any], str]  # name, shape with names for free sizes, type


@dataclass(frozen=True, slots=True)
class OnnxOutputs:
    """The outputs that hold a frame's persons.

    Args:
        names: Names of boxes and scores, and of labels if there are any.
        person_label: The label, or column of the scores, that means a person; None: all are.
    """

    names: tuple[str, ...]
    person_label: int | None

    @classmethod
    def of(cls, outputs: Sequence[Output], person_label: int | None, path: Path) -> OnnxOutputs:
        """Find the outputs by their names, or else by their shapes.

        Args:
            outputs: Name, shape and type of each.
            person_label: See the class.
            path: The model's file, for messages.

        Raises:
            InputError: There are no boxes and scores among them, or labels and no `person_label`.
        """
        boxes = _named(outputs, "box", ends_in_four=True)
        left = [one for one in outputs if one is not boxes]
        labels = _named(left, "label") or _named(left, "class", integers=True) or next(filter(_counts, left), None)
        left = [one for one in left if one is not labels and not _counts(one)]
        scores = _named(left, "score") or _named(left, "conf") or (left[0] if len(left) == 1 else None)
        if boxes is None or scores is None:
            raise InputError(
                f"persons.weights {path}: its outputs are {shapes(outputs)}, expected boxes [N, 4] and scores [N]."
            )
        if labels is not None and person_label is None:
            raise InputError(
                f"persons.weights {path}: has labels, output {shapes([labels])}; say which is a person's: "
                "persons.person_label=0, or 1 where 0 means background."
            )
        return cls((boxes[0], scores[0], *([labels[0]] if labels is not None else [])), person_label)

    def persons(self, values: Sequence[Any], path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Take a frame's persons out of what the model gave.

        Args:
            values: The outputs of `names`.
            path: The model's file, for messages.

        Returns:
            Boxes `[P, 4]` and scores `[P]`.
        """
        boxes, scores, *labels = (np.asarray(value) for value in values)
        found = [tuple(value.shape) for value in (boxes, scores, *labels)]
        boxes = boxes.reshape(-1, 4) if boxes.size else boxes.reshape(0, 4)
        count = len(boxes)
        if count and scores.size > count and scores.size % count == 0 and scores.shape[-1] == scores.size // count:
            if self.person_label is None or not 0 <= self.person_label < scores.shape[-1]:
                raise InputError(
                    f"persons.weights {path}: scores {scores.shape[-1]} classes; say which is a person: "
                    f"persons.person_label=0 to {scores.shape[-1] - 1}."
                )
            scores = scores.reshape(count, -1)[:, self.person_label]
        if scores.size != count or any(one.size != count for one in labels):
            raise InputError(
                f"persons.weights {path}: gave {', '.join(map(str, found))} for one frame, expected boxes [N, 4], scores [N] "
                "and labels [N]."
            )
        scores = scores.reshape(-1)
        if labels:
            kept = labels[0].reshape(-1) == self.person_label
            boxes, scores = boxes[kept], scores[kept]
        return boxes, scores


def shapes(values: Iterable[Output]) -> str:
    """Name inputs or outputs of a model with their types and shapes, for a message."""
    named = [
        f"{name} {kind.removeprefix('tensor(').removesuffix(')')} [{', '.join(map(str, shape))}]"
        for name, shape, kind in values
    ]
    return "; ".join(named) or "none"


def _counts(output: Output) -> bool:
    return "int" in output[2]


def _named(
    outputs: Sequence[Output], word: str, *, ends_in_four: bool = False, integers: bool = False
) -> Output | None:
    """Find the output whose name holds a word; with `ends_in_four`, else the only one whose last size is 4."""
    fitting = [one for one in outputs if (not integers or _counts(one)) and (not ends_in_four or _may_be_boxes(one))]
    named = [one for one in fitting if word in one[0].lower()]
    if named:
        return named[0]
    by_shape = [one for one in fitting if one[1] and one[1][-1] == 4] if ends_in_four else []
    return by_shape[0] if len(by_shape) == 1 else None


def _may_be_boxes(output: Output) -> bool:
    _, shape, kind = output
    return kind == "tensor(float)" and (not shape or not isinstance(shape[-1], int) or shape[-1] == 4)
