"""The actor that holds a model and computes the features of one batch of clips after another."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from lfb_lightning.clips.normalize import normalized
from lfb_lightning.clusters.place import stand_in
from lfb_lightning.clusters.records import Record, from_table, to_table
from lfb_lightning.errors import InputError
from lfb_lightning.models.compiling import compile_detector
from lfb_lightning.models.detector import ActionDetector
from lfb_lightning.models.region_model import RegionModel
from lfb_lightning.processes import usable_cores


@dataclass(frozen=True, slots=True)
class Describing:
    """What an actor has to know to compute features as `Trainer.predict` does.

    Args:
        model: Computes them; on the CPU.
        mean: Of the normalization.
        std: Of the normalization.
        precision: Lightning's word for it: `32`, `bf16-mixed` or `16-mixed`.
        compiled: The detector in it whose parts go through `torch.compile`; None: nothing does.
        num_threads: torch's threads on the CPU; None: torch decides.
        seed: Of torch's generator; nothing here is random.
        folder: The command's working directory.
    """

    model: RegionModel
    mean: Sequence[float]
    std: Sequence[float]
    precision: str
    compiled: ActionDetector | None
    num_threads: int | None
    seed: int
    folder: str


class Describer:
    """Computes features: the class of which Ray Data makes actors.

    Args:
        describing: Reference to a stored `Describing`.
        on_gpu: Whether the actor has a GPU of its own.
    """

    def __init__(self, describing: Any, on_gpu: bool) -> None:
        self._describing = describing
        self._device = torch.device("cuda" if on_gpu else "cpu")  # Ray shows an actor its own GPU alone
        self._known: Describing | None = None

    def __call__(self, table: Any) -> Any:
        """Compute the features of a batch; what is no batch is passed on."""
        record = from_table(table)
        if record is None or record.failure:
            return table
        try:
            return to_table(replace(record, tensors={"features": self._features(record)}))
        except InputError as error:
            return to_table(replace(record, tensors={}, failure=str(error)))
        except Exception:
            return to_table(replace(record, tensors={}, failure=traceback.format_exc(), is_fault=True))

    def _prepared(self) -> Describing:
        """Give the model where it computes; not at the start, where an error would be tried again and reach nobody."""
        if self._known is None:
            import ray

            known: Describing = ray.get(self._describing)
            stand_in(known.folder)
            # Ray lets a process have as many threads as it has cores reserved.
            torch.set_num_threads(known.num_threads or usable_cores())
            torch.set_flush_denormal(True)  # as in every command: see cli.building.settle_process
            torch.manual_seed(known.seed)
            cast(nn.Module, known.model).to(self._device).eval()
            if known.compiled is not None:
                compile_detector(known.compiled)
            self._known = known
        return self._known

    def _features(self, record: Record) -> Tensor:
        known = self._prepared()
        clips, rois = (record.tensors[name].to(self._device) for name in ("clips", "rois"))
        with torch.inference_mode(), _autocast(known.precision, self._device):
            shown = normalized(clips, mean=known.mean, std=known.std)
            return known.model.short_term_features(shown, rois).float().cpu()


def _autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Give the context of a precision, as Lightning's plugin for it has it."""
    half = {"16": torch.float16, "16-mixed": torch.float16, "bf16": torch.bfloat16, "bf16-mixed": torch.bfloat16}
    return torch.autocast(device.type, dtype=half[precision]) if precision in half else nullcontext()
