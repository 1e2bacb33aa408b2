"""Imports another project's bank file as a bank of this package."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch

from lfb_lightning.bank.manifest import Manifest, Provenance, finish_bank
from lfb_lightning.bank.pickled_bank import PickledBank
from lfb_lightning.bank.writer import BankWriter
from lfb_lightning.clock import exact
from lfb_lightning.errors import InputError


def import_bank(
    source: PickledBank,
    to: Path,
    *,
    split: str,
    precision: str | None = None,
    ticks_per_second: str | int | float = "1",
    entries: str = "persons",
    spacing: Sequence[int] = (),
    track: Callable[[Sequence[str]], Iterable[str]] = iter,
) -> Manifest:
    """Write another project's bank into folder `to`; goes on where it was interrupted.

    What made the features is not known, so the manifest names the file's SHA-256 instead, and `bank.strict=true` refuses the
    bank.

    Args:
        source: The file.
        to: The folder of the new bank, `<bank.dir>/<split>`.
        split: Which split the file is.
        precision: How features are stored; None: as in the file.
        ticks_per_second: What the file's keys count: 1 for seconds (AVA), 24 for Charades' frames, 30 for EPIC-Kitchens'.
        entries: What a feature is of: persons, clips or objects.
        spacing: Ticks from one entry to the next and the first one's tick, where they are evenly spaced.
        track: Shows progress over the video ids.
    """
    provenance = Provenance.unknown(
        channels=source.channels,
        precision=precision or source.precision,
        keyframes="imported",
        split=split,
        origin=f"imported from {source.path.name}, SHA-256 {_sha256(source.path)}",
        ticks_per_second=str(exact(ticks_per_second, "ticks_per_second")),
        entries=entries,
        spacing=tuple(spacing),
    )
    writer = BankWriter(to, provenance)
    for video_id in track(source.video_ids):
        if not writer.is_finished(video_id):
            video = source.video(video_id)
            boxes = torch.zeros(len(video.timestamps), 4, dtype=torch.float64)
            scores = torch.ones(len(video.timestamps), dtype=torch.float64)
            try:
                writer.write(video_id, timestamps=video.timestamps, boxes=boxes, scores=scores, features=video.features)
            except InputError as error:
                raise InputError(f"bank {source.path}: {error}") from error
    return finish_bank(to, provenance, source.video_ids)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
