"""A peer's bank file as a bank of ours."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch

from lfb_lightning.bank.manifest import Manifest, Provenance, finish_bank
from lfb_lightning.bank.peer_files import PeerBank
from lfb_lightning.bank.writer import BankWriter
from lfb_lightning.errors import InputError
from lfb_lightning.version import __version__


def import_bank(
    peer: PeerBank,
    to: Path,
    *,
    split: str,
    precision: str | None = None,
    track: Callable[[Sequence[str]], Iterable[str]] = iter,
) -> Manifest:
    """Write a peer's bank into folder `to`; goes on where it was interrupted.

    `precision` is the file's own unless given. What made the features is not known, so the manifest names the file's
    SHA-256 instead, and `bank.strict=true` refuses the bank.
    """
    digest = _sha256(peer.path)
    provenance = Provenance(
        checkpoint_digest="unknown",
        backbone_digest="unknown",
        backbone="unknown",
        channels=peer.channels,
        precision=precision or peer.precision,
        compute_precision="unknown",
        clip={},
        keyframes="imported",
        score_threshold=0.0,
        split=split,
        package_version=__version__,
        origin=f"imported from {peer.path.name}, SHA-256 {digest}",
    )
    writer = BankWriter(to, provenance)
    for video_id in track(peer.video_ids):
        if not writer.is_finished(video_id):
            video = peer.video(video_id)
            boxes = torch.zeros(len(video.timestamps), 4, dtype=torch.float64)
            scores = torch.ones(len(video.timestamps), dtype=torch.float64)
            try:
                writer.write(video_id, timestamps=video.timestamps, boxes=boxes, scores=scores, features=video.features)
            except InputError as error:
                raise InputError(f"bank {peer.path}: {error}") from error
    return finish_bank(to, provenance, peer.video_ids)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
