"""What was observed of a video so far, on disk, so that an interrupted prediction goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from lfb_lightning.files.durable import remove_abandoned, write_durably
from lfb_lightning.files.safetensors_header import read_safetensors_header
from lfb_lightning.prediction.observed import Glimpses, Observed
from lfb_lightning.version import __version__

_DIGEST = "made_by"
_LAYOUT = 1  # of the files


class Journal:
    """The stretches of one video, a file each, in a folder that is deleted in the end.

    Args:
        folder: The folder; made when the first stretch is stored.
        made_by: Plain data that decides what is observed. Stretches that something else has made are not taken.
    """

    def __init__(self, folder: Path, made_by: Mapping[str, Any]) -> None:
        self.folder = folder
        self.made_by = made_by
        content = json.dumps([_LAYOUT, __version__, made_by], sort_keys=True, default=str)
        self._digest = hashlib.sha256(content.encode()).hexdigest()

    def stored(self) -> Iterator[Observed]:
        """Give the stretches that are there, from the first one up to the first that is missing."""
        number = 0
        while (observed := self._read(self._path(number))) is not None:
            yield observed
            number += 1

    def complete(
        self, observe_rest: Callable[[int], Iterator[Observed]], *, replay: Callable[[Observed], None]
    ) -> Iterator[Observed]:
        """Give the stretches that are there, then those that are missing, which are stored.

        Args:
            observe_rest: Observes a video from a moment on, given its number.
            replay: Called with each stretch that was there, before it is given.
        """
        number = done = 0
        for observed in self.stored():
            replay(observed)
            number, done = number + 1, done + len(observed.ticks)
            yield observed
        for place, observed in enumerate(observe_rest(done), number):
            self.store(place, observed)
            yield observed

    def store(self, number: int, observed: Observed) -> None:
        """Store a stretch durably.

        Args:
            number: Its place, from 0.
            observed: The stretch.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {
            name: torch.from_numpy(np.ascontiguousarray(getattr(observed, name)))
            for name in ("ticks", "moment", "boxes", "scores", "tracks")
        }
        for field in fields(observed.glimpses):
            tensors[f"glimpses.{field.name}"] = torch.from_numpy(getattr(observed.glimpses, field.name))
        for look, features in enumerate(observed.features):
            tensors[f"features.{look}"] = features.contiguous()
        joined = b"".join(observed.thumbnails)
        tensors["thumbnails"] = torch.frombuffer(bytearray(joined), dtype=torch.uint8) if joined else torch.zeros(0)
        tensors["thumbnail_bytes"] = torch.tensor([len(one) for one in observed.thumbnails])
        write_durably(self._path(number), save(tensors, {_DIGEST: self._digest}))

    def remove(self) -> None:
        """Delete the folder with what this class has written into it."""
        if not self.folder.is_dir():
            return
        remove_abandoned(self.folder)
        for path in self.folder.glob("stretch-*.safetensors"):
            path.unlink()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _path(self, number: int) -> Path:
        return self.folder / f"stretch-{number:06d}.safetensors"

    def _read(self, path: Path) -> Observed | None:
        """Read a stretch; None for one that is missing, cut off, or not as `store` writes it: it is observed again."""
        try:
            metadata, _ = read_safetensors_header(path)
            return _restored(load(path.read_bytes())) if metadata.get(_DIGEST) == self._digest else None
        except (OSError, ValueError, KeyError, IndexError, TypeError, RuntimeError, SafetensorError):
            return None


def _restored(tensors: dict[str, torch.Tensor]) -> Observed:
    """Make an observation of a file's tensors; raises ValueError where they do not fit each other."""
    rows = {name: tensors[name].numpy() for name in ("moment", "boxes", "scores", "tracks")}
    glimpses = Glimpses(**{field.name: tensors[f"glimpses.{field.name}"].numpy() for field in fields(Glimpses)})
    lengths = np.cumsum([0, *tensors["thumbnail_bytes"].tolist()])
    pictures = tensors["thumbnails"].to(torch.uint8).numpy().tobytes()
    looks = sum(name.startswith("features.") for name in tensors)
    observed = Observed(
        ticks=tensors["ticks"].numpy(),
        **rows,
        features=[tensors[f"features.{look}"] for look in range(looks)],
        glimpses=glimpses,
        thumbnails=[pictures[low:high] for low, high in pairwise(lengths)],
    )
    moments, number = len(observed.ticks), len(observed.moment)
    persons = (*rows.values(), *(part.numpy() for part in observed.features))
    whole = (
        len(observed.thumbnails) == moments
        and all(len(part) == number for part in persons)
        and len({len(getattr(glimpses, field.name)) for field in fields(Glimpses)}) == 1
        and observed.boxes.shape == (number, 4)
        and glimpses.boxes.shape[1:] == (4,)
        and (number == 0 or 0 <= observed.moment.min() <= observed.moment.max() < moments)
    )
    if not whole:
        raise ValueError("the tensors of the stretch do not fit each other")
    return observed
