"""Makes banks of banks: another precision, several as one, one as several.

Each goes on where it was interrupted, as extraction does, and leaves its sources as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from lfb_lightning.bank.layout import MANIFEST
from lfb_lightning.bank.manifest import Manifest, Provenance, finish_bank
from lfb_lightning.bank.precision import stored_dtype
from lfb_lightning.bank.reader import FeatureBank
from lfb_lightning.bank.writer import BankWriter
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Url

Tracker = Callable[[Sequence[str]], Iterable[str]]  # shows progress over video ids


def convert(bank: FeatureBank, to: Path, precision: str, *, track: Tracker = iter) -> Manifest:
    """Write a bank in another precision. From fp32 the result is, byte for byte, what extraction would have written.

    Args:
        bank: The bank.
        to: The folder of the new one.
        precision: Its precision.
        track: Shows progress over the video ids.

    Raises:
        InputError: If the bank is in that precision, or the folder holds something else.
    """
    stored_dtype(precision)
    made = bank.manifest.provenance
    if made.precision == precision:
        raise InputError(f"bank {bank.folder} is in {precision} already.")
    origin = made.origin if made.precision == "fp32" else f"{made.origin}, then converted from {made.precision}"
    refuse_other_videos(to, bank.videos.keys() | bank.manifest.failed.keys())
    writer = BankWriter(to, replace(made, precision=precision, origin=origin))
    for video_id in track(sorted(bank.videos)):
        if not writer.is_finished(video_id):
            video = bank.read_video(video_id)
            writer.write(
                video_id,
                timestamps=video.timestamps.long(),
                boxes=video.boxes.double(),
                scores=video.scores.double(),
                features=video.decoded,
            )
    return finish_bank(to, writer.provenance, sorted(bank.videos | bank.manifest.failed), bank.manifest.failed)


def merge(banks: Sequence[FeatureBank], to: Path, *, split: str | None = None, track: Tracker = iter) -> Manifest:
    """Put the videos of several banks of one making into one.

    Args:
        banks: The banks. A video that failed in one and is in another has not failed.
        to: The folder of the new bank.
        split: The name of its split, where theirs differ.
        track: Shows progress over the video ids.

    Raises:
        InputError: Where the banks were made differently, or hold different features of the same video.
    """
    made = _of_split(banks[0].manifest.provenance, split)
    owners: dict[str, FeatureBank] = {}
    failed: dict[str, str] = {}
    for bank in banks:
        differences = made.differences(_of_split(bank.manifest.provenance, split))
        if differences:
            raise InputError(f"bank {bank.folder} does not go with {banks[0].folder}: {'; '.join(differences)}.")
        for video_id, entry in bank.videos.items():
            owner = owners.setdefault(video_id, bank)
            if owner.videos[video_id].checksum != entry.checksum:
                raise InputError(f"video {video_id}: {owner.folder} and {bank.folder} hold different features of it.")
        failed |= bank.manifest.failed
    failed = {video_id: reason for video_id, reason in failed.items() if video_id not in owners}
    refuse_other_videos(to, owners.keys() | failed.keys())
    writer = BankWriter(to, made)
    for video_id in track(sorted(owners)):
        if not writer.is_finished(video_id):
            writer.write_stored(video_id, owners[video_id].read_video(video_id))
    return finish_bank(to, made, sorted(owners | failed), failed)


def pick(
    bank: FeatureBank, to: Path, video_ids: Collection[str], *, split: str | None = None, track: Tracker = iter
) -> Manifest:
    """Write some videos of a bank as a bank of their own.

    Args:
        bank: The bank.
        to: The folder of the new one.
        video_ids: The videos.
        split: The name of its split; None: as before.
        track: Shows progress over the video ids.

    Raises:
        InputError: For a video that the bank does not have.
    """
    unknown = sorted(set(video_ids) - bank.videos.keys() - bank.manifest.failed.keys())
    if unknown:
        raise InputError(
            f"bank {bank.folder}: has no video {unknown[0]!r} ({len(unknown)} of {len(video_ids)} unknown)."
        )
    provenance = _of_split(bank.manifest.provenance, split)
    failed = {video_id: reason for video_id, reason in bank.manifest.failed.items() if video_id in video_ids}
    refuse_other_videos(to, video_ids)
    writer = BankWriter(to, provenance)
    for video_id in track(sorted(set(video_ids) - failed.keys())):
        if not writer.is_finished(video_id):
            writer.write_stored(video_id, bank.read_video(video_id))
    return finish_bank(to, provenance, sorted(video_ids), failed)


def deal_videos(bank: FeatureBank, parts: int) -> list[list[str]]:
    """Deal the bank's videos to groups of nearly equal numbers of rows; the same for the same bank.

    Args:
        bank: The bank.
        parts: Number of groups.

    Returns:
        The video ids of each group.
    """
    if not 1 <= parts <= bank.manifest.num_videos:
        raise InputError(f"parts is {parts}, expected 1 to {bank.manifest.num_videos}, the number of videos.")
    groups: list[list[str]] = [[] for _ in range(parts)]
    rows = [0] * parts
    for video_id, entry in sorted(bank.videos.items(), key=lambda item: (-item[1].rows, item[0])):
        smallest = rows.index(min(rows))
        groups[smallest].append(video_id)
        rows[smallest] += entry.rows
    return groups


def refuse_other_videos(to: Path | Url, video_ids: Collection[str]) -> None:
    """A manifest names all videos of its bank: writing some of them there would take it from the others."""
    if isinstance(to, Url) or (to / MANIFEST).is_file():
        others = sorted(FeatureBank.open(to).videos.keys() - set(video_ids))
        if others:
            raise InputError(
                f"bank {to}: holds {len(others)} other videos, such as {others[0]}; choose another folder."
            )


def _of_split(provenance: Provenance, split: str | None) -> Provenance:
    return provenance if split is None else replace(provenance, split=split)
