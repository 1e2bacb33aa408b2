"""Refuses a bank that does not fit its reader, and says what differs and what to do."""

from __future__ import annotations

from collections.abc import Collection

from lfb_lightning.bank.reader import FeatureBank
from lfb_lightning.errors import InputError


def refuse_unfit(
    bank: FeatureBank,
    *,
    split: str,
    channels: int,
    backbone_digest: str | None = None,
    whose: str = "the detector's",
    key: str = "bank.dir",
    video_ids: Collection[str] | None = None,
) -> None:
    """Raise InputError unless a bank fits what is about to read it.

    Args:
        bank: The bank.
        split: The split that it must be of.
        channels: The channels that its features must have.
        backbone_digest: The backbone that must have made it; None: any.
        whose: What that backbone is, for messages.
        key: The key that names the bank's folder, for messages.
        video_ids: Videos of which it must have features of one at least; None: none.
    """
    found = bank.manifest.provenance
    differences, begin = [], ""
    if found.split != split:
        differences.append(f"it holds split {found.split!r}, expected {split!r}")
    if found.channels != channels:
        differences.append(f"its features have {found.channels} channels, the detector's {channels}")
    if backbone_digest is not None and found.backbone_digest != backbone_digest:
        begin = "start from the checkpoint that made this one (in training init_from=FILE), "
        differences.append(f"backbone {found.backbone_digest[:12]} made it, {whose} is {backbone_digest[:12]}")
    if bank.manifest.num_rows == 0:
        differences.append("it holds no features")
    elif video_ids and not any(video_id in bank for video_id in video_ids):
        differences.append(f"it holds none of the split's {len(video_ids)} videos, such as {min(video_ids)}")
    if differences:
        raise InputError(
            f"bank {bank.folder} does not fit: {'; '.join(differences)}. Make one with "
            f"`lfb-extract split={split} ckpt_path=<the baseline's checkpoint> bank.dir=<new folder>`, {begin}or set {key}."
        )
