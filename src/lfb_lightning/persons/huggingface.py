"""Persons by any object detector of Hugging Face's hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from lfb_lightning.errors import InputError, one_line
from lfb_lightning.persons.keeping import Keeping, missing_extra
from lfb_lightning.structures import Proposals

_FAULTS = (OSError, ValueError, KeyError, RuntimeError, ImportError)  # of transformers, for what it cannot load


class HuggingfacePersons:
    """Finds persons with a model that transformers' `AutoModelForObjectDetection` loads: RT-DETR, YOLOS, D-FINE and others.

    Args:
        model: Its name on the hub, such as `PekingU/rtdetr_r50vd`, or a folder that `save_pretrained` wrote model and image
            processor to. Code that a model brings is not run.
        label: What its configuration calls a person; None: everything that it finds, for a bank of objects.
        threshold: See `Keeping`, as for the other two.
        max_persons: Most persons per frame.
        min_height: Least height of a person.
        device: `cpu`, `cuda` or `cuda:N`; None: the GPU if there is one.

    Raises:
        InputError: transformers is missing, the model cannot be had, or it knows no persons.
    """

    def __init__(
        self,
        *,
        model: str | None = "PekingU/rtdetr_r50vd",
        label: str | None = "person",
        threshold: float = 0.5,
        max_persons: int = 100,
        min_height: float = 0.0,
        device: str | None = None,
    ) -> None:
        from lfb_lightning.models.digest import state_digest
        from lfb_lightning.persons.torch_device import chosen_device

        if model is None:
            raise InputError("persons.model is not set: give a name on Hugging Face's hub, or a folder.")
        self._keeping = Keeping(threshold, max_persons, min_height)
        self._device = chosen_device(device)
        self._processor, detector = load_hub_detector(model)
        names = {int(number): str(name) for number, name in detector.config.id2label.items()}
        self._labels = [
            number for number, name in names.items() if label is None or name.casefold() == label.casefold()
        ]
        if not self._labels:
            raise InputError(
                f"persons.model {model}: has no label {label!r}; some that it has: {', '.join(list(names.values())[:5])}; "
                "set persons.label."
            )
        self._detector = detector.eval().to(self._device)
        self._name, self._digest = model, state_digest(detector)
        self._named = {"label": label} if label is None else {}  # the others are described as they always were

    def find(
        self, frames: Sequence[UInt8[np.ndarray, "H W 3"]], seconds: Sequence[float], video_id: str
    ) -> list[Proposals]:
        """Run the detector on the frames as one batch; see `PersonSource.find`."""
        import torch

        if not frames:
            return []
        height, width = frames[0].shape[:2]
        inputs = self._processor(images=list(frames), return_tensors="pt", input_data_format="channels_last")
        with torch.inference_mode():
            outputs = self._detector(**inputs.to(self._device))
        found = self._processor.post_process_object_detection(
            outputs, threshold=self._keeping.threshold, target_sizes=[(height, width)] * len(frames)
        )
        kept = []
        for entry in found:
            persons = torch.isin(entry["labels"].cpu(), torch.tensor(self._labels))
            boxes, scores = entry["boxes"].cpu()[persons].numpy(), entry["scores"].cpu()[persons].numpy()
            kept.append(self._keeping.keep(boxes, scores, width=width, height=height))
        return kept

    def describe(self) -> dict[str, Any]:
        """State the model and its weights' digest."""
        made_with = {"source": "huggingface", "model": self._name, "digest": self._digest, **self._named}
        return made_with | self._keeping.describe()


def load_hub_detector(model: str, *, section: str = "persons") -> tuple[Any, Any]:
    """Load a model's image processor and the model.

    Args:
        model: Its name on the hub, or a folder.
        section: The section of the configuration that asks for it, for messages.

    Raises:
        InputError: transformers is missing, or the model cannot be had.
    """
    try:
        from transformers import AutoImageProcessor, AutoModelForObjectDetection
    except ImportError as error:
        raise missing_extra("transformers", "huggingface", key=f"{section}=huggingface") from error
    kinds = (AutoImageProcessor, AutoModelForObjectDetection)
    try:
        return _from_pretrained(kinds, model, only_here=True)  # a model that was fetched before needs no network
    except _FAULTS as error:
        if Path(model).is_dir():
            raise _not_loaded(model, error, section) from error
    try:
        return _from_pretrained(kinds, model, only_here=False)
    except _FAULTS as error:
        raise _not_loaded(model, error, section) from error


def _from_pretrained(kinds: Sequence[Any], model: str, *, only_here: bool) -> tuple[Any, Any]:
    first, second = (kind.from_pretrained(model, local_files_only=only_here, trust_remote_code=False) for kind in kinds)
    return first, second


def _not_loaded(model: str, error: Exception, section: str) -> InputError:
    reason = one_line(str(error).strip().split("\n")[0])[:200]
    return InputError(
        f"{section}.model {model}: cannot be loaded ({reason}); without a network, fetch it elsewhere with `hf download "
        f"{model} --local-dir FOLDER` and give the folder: {section}.model=FOLDER."
    )
