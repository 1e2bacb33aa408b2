"""Persons by torchvision's detectors, which are trained on COCO."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.files.torch_file import read_torch
from lfb_lightning.persons.keeping import Keeping
from lfb_lightning.structures import Proposals

_PERSON = "person"
_LABELS = 91  # of COCO; 0 is the background


class TorchvisionPersons:
    """Finds persons with one of torchvision's detectors.

    Args:
        model: Its name. The default is the one that is bearable without a GPU: half a second per frame on one core, where
            `fasterrcnn_resnet50_fpn_v2`, the best of them, takes more than ten; `ssdlite320_mobilenet_v3_large` takes half of
            it and finds fewer small persons.
        weights: A file of them; None: the ones trained on COCO, out of torch hub's cache, and the first time off the net.
        label: What COCO calls what is looked for; None: everything, for a bank of objects.
        threshold: See `Keeping`, as for the other two.
        max_persons: Most persons per frame.
        min_height: Least height of a person.
        device: `cpu`, `cuda` or `cuda:N`; None: the GPU if there is one.

    Raises:
        InputError: The weights cannot be had, or are another model's, or COCO has no such label; the message names the file
            and where it goes.
    """

    def __init__(
        self,
        *,
        model: Literal[
            "fasterrcnn_mobilenet_v3_large_320_fpn",
            "fasterrcnn_mobilenet_v3_large_fpn",
            "fasterrcnn_resnet50_fpn_v2",
            "ssdlite320_mobilenet_v3_large",
            "retinanet_resnet50_fpn_v2",
            "fcos_resnet50_fpn",
        ] = "fasterrcnn_mobilenet_v3_large_320_fpn",
        weights: str | None = None,
        label: str | None = "person",
        threshold: float = 0.5,
        max_persons: int = 100,
        min_height: float = 0.0,
        device: str | None = None,
    ) -> None:
        from torchvision.models import get_model

        from lfb_lightning.models.digest import state_digest
        from lfb_lightning.persons.torch_device import chosen_device

        self._keeping = Keeping(threshold, max_persons, min_height)
        self._device = chosen_device(device)
        self._label = None if label is None else _number(model, label)
        self._named = {} if label == _PERSON else {"label": label}  # persons are described as they always were
        path = weights_in_cache(model) if weights is None else Path(weights)
        if not path.is_file():
            raise InputError(f"persons.weights {path}: no such file.")
        # Without weights torchvision builds ordinary batch norms in place of frozen ones; in evaluation they are equal.
        self._detector = get_model(model, weights=None, weights_backbone=None, num_classes=_LABELS).eval()
        state = read_torch(path, what="persons.weights")
        try:
            self._detector.load_state_dict(state)
        except (RuntimeError, TypeError, AttributeError) as error:
            reason = str(error).splitlines()[1 if "\n" in str(error) else 0].strip()[:200]
            raise InputError(
                f"persons.weights {path}: are not those of {model} ({reason}); see persons.model."
            ) from error
        self._detector.to(self._device)
        self._name, self._digest = model, state_digest(self._detector)

    def find(
        self, frames: Sequence[UInt8[np.ndarray, "H W 3"]], seconds: Sequence[float], video_id: str
    ) -> list[Proposals]:
        """Run the detector on the frames as one batch; see `PersonSource.find`."""
        import torch

        if not frames:
            return []
        pictures = torch.from_numpy(np.stack(frames)).to(self._device).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            found = self._detector(list(pictures))
        height, width = frames[0].shape[:2]
        kept = []
        for entry in found:
            persons = entry["labels"] > 0 if self._label is None else entry["labels"] == self._label
            boxes, scores = entry["boxes"][persons].cpu().numpy(), entry["scores"][persons].cpu().numpy()
            kept.append(self._keeping.keep(boxes, scores, width=width, height=height))
        return kept

    def describe(self) -> dict[str, Any]:
        """State the model and its weights' digest."""
        made_with = {"source": "torchvision", "model": self._name, "digest": self._digest, **self._named}
        return made_with | self._keeping.describe()


def _number(model: str, label: str) -> int:
    """Find the number of a label of COCO."""
    from torchvision.models import get_model_weights

    names = [str(name) for name in get_model_weights(model).DEFAULT.meta["categories"]]
    if label not in names or label.startswith("__"):
        raise InputError(
            f"persons.label is {label[:40]!r}, expected a label of COCO such as {', '.join(names[1:6])}, or null for all."
        )
    return names.index(label)


def weights_in_cache(model: str, *, section: str = "persons") -> Path:
    """Return the file of a model's weights in torch hub's cache, downloaded if it is not there.

    Args:
        model: Its name in torchvision.
        section: The section of the configuration that asks for it, for messages.

    Raises:
        InputError: It cannot be fetched; the message says where it goes.
    """
    import torch
    from torchvision.models import get_model_weights

    url = get_model_weights(model).DEFAULT.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=path.stem.rpartition("-")[2])
    except (OSError, RuntimeError) as error:  # no network, a full disk; a file that is not the announced one
        raise InputError(
            f"{section}=torchvision: cannot fetch {path.name} ({error}); fetch {url} elsewhere and put it into "
            f"{path.parent}, or name it: {section}.weights=FILE."
        ) from error
    return path
