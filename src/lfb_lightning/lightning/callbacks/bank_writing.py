"""The callback that gives predicted features to the bank, and at the end, when every rank is done, has it finished."""

from __future__ import annotations

from typing import Any

import torch.distributed as dist
from pytorch_lightning import Callback, LightningModule, Trainer

from lfb_lightning.bank import Manifest
from lfb_lightning.bank.collecting import BankCollecting, Plan, finish
from lfb_lightning.bank.packed.place import PackedPlace
from lfb_lightning.structures import PersonFeatures, VideoFailure


class BankWriting(Callback):
    """Collects a video's features until its last keyframe, then writes the video.

    Args:
        plan: What there is to do for the bank.
        on_error: What happens where a video cannot be written: see `BankConfig`.
        place: Where the bank is packed to; None: its folder.

    Attributes:
        manifest: The finished bank's, after the run; None where another run is still at some of the videos, and on
            other ranks than the first.
        failed: On the first rank, why a video is not in the bank.
    """

    def __init__(self, plan: Plan, *, on_error: str, place: PackedPlace | None = None) -> None:
        self.manifest: Manifest | None = None
        self.failed: dict[str, str] = {}
        self._plan = plan
        self._place = place
        self._collecting = BankCollecting(plan, on_error=on_error)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log what is left to do."""
        self._collecting.start(says=trainer.is_global_zero)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the batch's features, and write its video if it is complete."""
        if isinstance(outputs, VideoFailure):
            self._collecting.fail(outputs.video_id, outputs.reason)
            return
        assert isinstance(outputs, PersonFeatures)
        self._collecting.add(outputs)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the manifest when every rank is done."""
        self._collecting.write_all()
        trainer.strategy.barrier("bank files written")
        failed: dict[str, str] = {}
        for part in _gather(self._collecting.failed):
            failed |= part
        if trainer.is_global_zero:
            self.manifest, self.failed = finish(self._plan, failed, self._place)
            self._collecting.say_speed(" on this rank")
        trainer.strategy.barrier("manifest written")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write the videos that are complete."""
        self._collecting.end()


def _gather(value: Any) -> list[Any]:
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values
