"""A detector that runs under onnxruntime: what `lfb-export format=onnx` has written, without torch's modules."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lfb_lightning.errors import InputError
from lfb_lightning.exporting.onnx_file import OnnxFile
from lfb_lightning.models.fbo.several import MAIN
from lfb_lightning.persons.digest import file_digest
from lfb_lightning.structures import Attention, BankWindow

_DIGEST = re.compile("[0-9a-f]{64}")
_LARGEST_COUNT = 1_000_000


class OnnxDetector:
    """The exported detector of a folder; it is an `InferenceDetector`.

    Args:
        folder: The folder.
        config: Its configuration, whose section `exported` says what the programs take and give.
        on_gpu: Whether onnxruntime's CUDA device is used if there is one.

    Raises:
        InputError: A file is missing, damaged or not as the configuration says.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], *, on_gpu: bool = False) -> None:
        self._folder, self._config, self._on_gpu = folder, config, on_gpu
        stated = _Stated(folder, config)
        self.channels, self.bank_channels = stated.count("channels"), stated.count("bank_channels")
        self.num_classes = stated.count("num_classes")
        self.bank_name = bank_name_in(config)
        self._reads_bank, self._attends = stated.switch("reads_bank"), stated.switch("attends")
        self._reads_identity = self._reads_bank and stated.switch("reads_identity", default=False)
        self._fbo_name, self._backbone = stated.text("fbo"), stated.text("backbone")
        self._backbone_digest = stated.digest("backbone_digest")
        window = {"window": 3, "mask": 2} if self._reads_bank else {}
        window |= {"same_person": 2} if self._reads_identity else {}
        whose = {"clip_of_roi": 1} if self._reads_bank else {}
        attention = ["attention", "attention_empty"] if self._attends else []
        paths = {name: folder / f"{name}.onnx" for name in ("features", "scores")}
        self._features = OnnxFile(
            paths["features"], inputs={"clips": 5, "rois": 2}, outputs=["features"], on_gpu=on_gpu
        )
        self._scores = OnnxFile(
            paths["scores"], inputs={"features": 2, **whose, **window}, outputs=["logits", *attention], on_gpu=on_gpu
        )
        self._digests = {name: file_digest(path) for name, path in paths.items()}

    @property
    def reads_bank(self) -> bool:
        """Whether `classify` needs a window."""
        return self._reads_bank

    @property
    def attends(self) -> bool:
        """Whether `classify` can say where it looked."""
        return self._attends

    @property
    def reads_identity(self) -> bool:
        """Whether windows are to say which slots show the same person as each region."""
        return self._reads_identity

    @property
    def fbo_name(self) -> str:
        """How results call what reads the bank."""
        return self._fbo_name

    def digest(self) -> str:
        """Compute a digest of the files, which decide logits to the last bit."""
        return hashlib.sha256(" ".join(self._digests.values()).encode()).hexdigest()

    def backbone_digest(self) -> str:
        """Give the digest of the backbone's weights, as it was exported."""
        return self._backbone_digest

    def describe_backbone(self) -> str:
        """Describe the backbone's architecture in the line that it had when it was exported."""
        return self._backbone

    def describe_features(self) -> str:
        """Name the file that computes the short-term features by its digest."""
        return f"onnx {self._digests['features']}"

    def to(self, device: torch.device) -> OnnxDetector:
        """Run on onnxruntime's GPU for a GPU of torch's, if it has one; tensors are taken from any device."""
        on_gpu = device.type == "cuda"
        return self if on_gpu == self._on_gpu else OnnxDetector(self._folder, self._config, on_gpu=on_gpu)

    def short_term_features(
        self, clips: Float[Tensor, "B 3 T H W"], rois: Float[Tensor, "R 5"]
    ) -> Float[Tensor, "R C"]:
        """Compute the regions' own features; see `InferenceDetector`."""
        (features,) = self._features(_array(clips), _array(rois))
        return self._checked(features, "features", (len(rois), self.channels)).to(clips.device)

    def classify(
        self,
        short_term: Float[Tensor, "R C"],
        window: BankWindow | None,
        clip_of_roi: Int[Tensor, " R"],
        return_attention: bool = False,
    ) -> Any:
        """Compute logits, and where they come from; see `InferenceDetector`."""
        given = [_array(short_term)]
        if self._reads_bank:
            if window is None:
                raise ValueError("this detector reads the feature bank, but no window was given")
            given += [clip_of_roi.cpu().numpy(), _array(window.padded(torch.float32)), window.mask.cpu().numpy()]
        if self._reads_identity:
            assert window is not None
            if window.same_person is None:
                raise ValueError("this detector asks which slots show the same person (same_person), which is None")
            given.append(window.same_person.cpu().numpy())
        logits, *attention = self._scores(*given)
        device = short_term.device
        scores = self._checked(logits, "logits", (len(short_term), self.num_classes)).to(device)
        if not return_attention:
            return scores
        if not self._attends:
            raise ValueError(f"return_attention: {self._fbo_name} has no attention; ask detector.attends first")
        whole = ((len(short_term), None, given[-1].shape[1]), (len(short_term), None))
        named = zip(attention, ("attention", "attention_empty"), whole, strict=True)
        weights, empty = (self._checked(part, name, expected).to(device) for part, name, expected in named)
        return scores, Attention(weights=weights, empty=empty)

    def _checked(self, made: Any, name: str, expected: tuple[int | None, ...]) -> Tensor:
        """Give what a program made as a tensor, if it has the expected sizes; None: any size."""
        fits = len(made.shape) == len(expected)
        if not fits or any(size not in (None, found) for size, found in zip(expected, made.shape, strict=True)):
            raise InputError(
                f"checkpoint {self._folder}: made {name} of shape {list(made.shape)}, expected "
                f"{['any' if size is None else size for size in expected]}; its files are not of one export."
            )
        return torch.from_numpy(made)


def bank_name_in(config: Mapping[str, Any]) -> str | None:
    """Read the name of another bank than its own that the exported detector reads: programs of earlier versions may."""
    model = config.get("model")
    name = model.get("bank_name") if isinstance(model, Mapping) else None
    if name is None and isinstance(model, Mapping) and isinstance(fbo := model.get("fbo"), Mapping):
        banks = fbo.get("banks")
        only = list(banks) if isinstance(banks, Mapping | list) and len(banks) == 1 else [MAIN]
        name = None if only == [MAIN] else only[0]
    return name if isinstance(name, str) else None


class _Stated:
    """The section `exported` of a folder's configuration, which is data."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self._source = f"checkpoint {folder / 'config.json'}"
        section = config.get("exported")
        if not isinstance(section, Mapping):
            raise InputError(f"{self._source}: has no section exported; write the folder again with lfb-export.")
        self._section = section

    def count(self, name: str) -> int:
        value = self._section.get(name)
        if type(value) is not int or not 1 <= value <= _LARGEST_COUNT:
            raise self._wrong(name, f"a whole number of 1 to {_LARGEST_COUNT}")
        return value

    def switch(self, name: str, *, default: bool | None = None) -> bool:
        value = self._section.get(name, default)
        if type(value) is not bool:
            raise self._wrong(name, "true or false")
        return value

    def text(self, name: str) -> str:
        value = self._section.get(name)
        if not isinstance(value, str) or len(value) > 1000:
            raise self._wrong(name, "a short text")
        return value

    def digest(self, name: str) -> str:
        value = self._section.get(name)
        if not isinstance(value, str) or not _DIGEST.fullmatch(value):
            raise self._wrong(name, "64 hexadecimal digits")
        return value

    def _wrong(self, name: str, expected: str) -> InputError:
        return InputError(f"{self._source}: exported.{name} is {self._section.get(name)!r:.60}, expected {expected}.")


def _array(value: Tensor) -> Any:
    return value.detach().float().cpu().numpy()
