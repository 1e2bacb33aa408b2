"""The windows of a batch's clips, and which of their slots show the batch's own persons."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from lfb_lightning.bank import FeatureBank, WindowSpec
from lfb_lightning.bank.window import window_generator
from lfb_lightning.bank_window import Packing
from lfb_lightning.errors import InputError
from lfb_lightning.persons import BankTracks
from lfb_lightning.structures import BankWindow, BankWindows, ClipBatch, ViewBatch
from lfb_lightning.video.protocol import Video

_USUAL_ASPECT = 16 / 9
_log = logging.getLogger(__name__)


class WindowReader:
    """Reads the windows of batches from a bank.

    Args:
        bank: The bank.
        video: Opens a video by its id, to ask how wide its pictures are; raises InputError where it is missing.
        seed: Of windows that are a random choice.
        identity: Whether windows say which slots show the same person as each region.

    Raises:
        InputError: Identity is asked of a bank whose entries are no persons.
    """

    def __init__(self, bank: FeatureBank, video: Callable[[str], Video], *, seed: int, identity: bool) -> None:
        self._bank = bank
        self._video = video
        self._seed = seed
        self._warned = False
        self._tracks = BankTracks(bank, aspect=self._aspect) if identity else None

    def __call__(self, batch: ClipBatch, spec: WindowSpec, *, epoch: int, pin_memory: bool = False) -> BankWindow:
        """Read the windows of a batch.

        Args:
            batch: Its key frames and regions.
            spec: Which windows.
            epoch: Decides a random choice, with the seed and the key frame.
            pin_memory: Whether the features are to be in page-locked memory.
        """
        keyframes = batch.keyframes

        def generators() -> list[np.random.Generator] | None:
            if spec.selection != "random":
                return None
            return [window_generator(self._seed, epoch, keyframe) for keyframe in keyframes]

        window = self._bank.windows(keyframes, spec, generators(), pin_memory=pin_memory)
        window = replace(window, packing=Packing.of(window.mask, batch.clip_of_roi))
        if self._tracks is None:
            return window
        rows = self._bank.window_rows(keyframes, spec, generators())  # the same choice once more
        same = self._tracks.same_person(keyframes, rows, batch.boxes.numpy(), batch.clip_of_roi.numpy())
        return replace(window, same_person=torch.from_numpy(same))

    def _aspect(self, video_id: str) -> float:
        """Width / height of a video's picture; of one that is not at hand, as with a bank alone, that of most videos."""
        try:
            properties = self._video(video_id).properties()
            return properties.width / properties.height
        except InputError as error:
            if not self._warned:
                _log.warning(
                    "tracks of the bank's persons are linked as in pictures of 16:9 where there is no video: %s", error
                )
            self._warned = True
            return _USUAL_ASPECT


def with_windows(
    batch: ClipBatch | ViewBatch, read: Callable[[ClipBatch], BankWindow | BankWindows]
) -> ClipBatch | ViewBatch:
    """Copy a batch with the windows of its clips; views of the same regions share them."""
    if not isinstance(batch, ViewBatch):
        return batch.with_window(read(batch))
    window = read(batch.views[0])
    return replace(batch, views=tuple(view.with_window(window) for view in batch.views))
