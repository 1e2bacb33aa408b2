"""Banks as other projects keep them: one pickle of {video: {timestamp: features}}.

    mmaction2 0.x, 1.x   torch.save; video ids; per second a list of [C] tensors, or one [n, C] tensor; float16 or float32
    original release     pickle; AVA's videos by number (their place in the frame list); numpy arrays, a list per second, or
                         one [C] array per frame (Charades, EPIC-Kitchens)

They hold no boxes, scores or provenance: imported rows get a box of zeros and score 1, and keep their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lfb_lightning.bank.layout import file_name
from lfb_lightning.bank.reader import FeatureBank
from lfb_lightning.errors import InputError
from lfb_lightning.files.array_pickle import load_arrays
from lfb_lightning.files.torch_file import is_torch_file, read_torch
from lfb_lightning.files.torch_writing import save_durably

_MOST_NAMES = 1_000_000
_DTYPES = {torch.float16: "fp16", torch.bfloat16: "bf16", torch.float32: "fp32", torch.float64: "fp32"}


class PickledVideo(NamedTuple):
    """A video of such a bank: features in order of time, as stored there, and the timestamp of each as it is there."""

    video_id: str
    timestamps: Int64[Tensor, " N"]
    features: Float[Tensor, "N C"]


class PickledBank:
    """A bank file of mmaction2 or of the original release. Nothing in it is run (`files.torch_file`, `files.array_pickle`).

    Args:
        path: The file.
        video_names: The videos' names in the order of their numbers, needed where the file has numbers for them.

    Attributes:
        channels: Channels of the features.
        precision: Our precision that holds the features as they are.
        video_ids: Every video with a feature, sorted.

    Raises:
        InputError: Naming file, video and timestamp, for whatever is not as described above.
    """

    def __init__(self, path: str | Path, video_names: Sequence[str] | None = None) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"bank {path}: no such file.")
        content = (read_torch if is_torch_file(self.path) else load_arrays)(self.path, what="bank")
        if not isinstance(content, dict) or not all(isinstance(seconds, dict) for seconds in content.values()):
            raise InputError(f"bank {path}: expected {{video: {{second: features}}}}, found a {_kind(content)}.")
        self._content = {self._name(key, video_names): seconds for key, seconds in content.items()}
        self.video_ids = sorted(
            name for name, seconds in self._content.items() if not all(map(_is_empty, seconds.values()))
        )
        if not self.video_ids:
            raise InputError(f"bank {path}: holds no features.")
        self._dtype: torch.dtype | None = None
        self.channels = 0
        first = self.video(self.video_ids[0]).features
        self.channels, self._dtype = first.shape[1], first.dtype
        self.precision = _DTYPES[first.dtype]

    def video(self, video_id: str) -> PickledVideo:
        """Read the features of one video."""
        timestamps: list[int] = []
        rows: list[Tensor] = []
        for second, features in sorted(
            self._content[video_id].items(), key=lambda item: self._second(video_id, item[0])
        ):
            if not _is_empty(features):
                here = self._rows(video_id, second, features)
                timestamps += [self._second(video_id, second)] * len(here)
                rows.append(here)
        forms = {(part.shape[1], part.dtype) for part in rows}
        if self._dtype is not None:
            forms.add((self.channels, self._dtype))
        if len(forms) > 1:
            raise InputError(
                f"bank {self.path}: video {video_id}: features differ in width or dtype: {list(forms)[:3]}."
            )
        return PickledVideo(video_id, torch.tensor(timestamps, dtype=torch.int64), torch.cat(rows))

    def _name(self, key: Any, names: Sequence[str] | None) -> str:
        if isinstance(key, str):
            try:
                file_name(key)
            except InputError as error:
                raise InputError(f"bank {self.path}: {error}") from error
            return key
        if not isinstance(key, int | np.integer) or isinstance(key, bool):
            raise InputError(f"bank {self.path}: a video is {key!r:.100}, expected its id or its number.")
        if names is None:
            raise InputError(
                f"bank {self.path}: videos are numbers (AVA's in the original release); give their names, in that order, "
                "with video_names=<frame list or one id per line>."
            )
        if not 0 <= key < len(names):
            raise InputError(f"bank {self.path}: video {key}, but video_names has {len(names)} names.")
        return names[int(key)]

    def _second(self, video_id: str, key: Any) -> int:
        if isinstance(key, int | np.integer) and not isinstance(key, bool) and abs(int(key)) < 2**31:
            return int(key)
        raise InputError(
            f"bank {self.path}: video {video_id}: a second is {key!r:.100}, expected an integer of 32 bits."
        )

    def _rows(self, video_id: str, second: Any, features: Any) -> Float[Tensor, "n C"]:
        parts = features if isinstance(features, list | tuple) else [features]
        try:
            tensors = [
                (part.cpu() if isinstance(part, Tensor) else torch.from_numpy(np.asarray(part))) for part in parts
            ]
            stacked = [tensor[None] if tensor.ndim == 1 else tensor for tensor in tensors]
            if any(tensor.ndim != 2 or tensor.dtype not in _DTYPES or not tensor.shape[1] for tensor in stacked):
                raise TypeError(f"{[f'{tuple(tensor.shape)} {tensor.dtype}' for tensor in tensors][:3]}")
            return torch.cat(stacked)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"bank {self.path}: video {video_id}, second {second}: expected [C] or [n, C] floats, found {error}."
            ) from error


def read_video_names(path: str | Path) -> list[str]:
    """Read video names from a frame list of the original release, or from a file with one id per line.

    Returns:
        The distinct first words of the lines, in order.
    """
    names: dict[str, None] = {}
    try:
        with Path(path).open(encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    names[line.split(maxsplit=1)[0].split(",", 1)[0]] = None
                if len(names) > _MOST_NAMES:
                    raise InputError(
                        f"video names {path}: more than {_MOST_NAMES}; expected a line per video or frame."
                    )
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"video names {path}: cannot be read ({error}).") from error
    return [
        name for name in names if not name.startswith("original_v")
    ]  # the original release's frame lists begin with a heading


def export_bank(bank: FeatureBank, path: Path, *, track: Callable[[Sequence[str]], Iterable[str]] = iter) -> int:
    """Write a bank as mmaction2's pickle: fp16 as float16, every other precision as float32.

    Everything is held in memory until it is written, as that format asks for.

    Args:
        bank: The bank.
        path: The file.
        track: Shows progress over the video ids.

    Returns:
        The number of features.
    """
    content: dict[str, dict[int, list[Tensor]]] = {}
    for video_id in track(sorted(bank.videos)):
        video = bank.read_video(video_id)
        features = video.features if video.features.dtype == torch.float16 else video.decoded
        seconds: dict[int, list[Tensor]] = {}
        for second, row in zip(video.timestamps.tolist(), features, strict=True):
            seconds.setdefault(second, []).append(row)
        content[video_id] = seconds
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}).") from error
    save_durably(path, content)
    return bank.manifest.num_rows


def _is_empty(features: Any) -> bool:
    return hasattr(features, "__len__") and getattr(features, "ndim", 1) > 0 and len(features) == 0


def _kind(content: Any) -> str:
    if isinstance(content, dict) and content:
        return f"mapping of {type(next(iter(content.values()))).__name__}"
    return type(content).__name__
