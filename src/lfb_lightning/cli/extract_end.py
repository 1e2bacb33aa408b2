"""The end of `lfb-extract`: the bank is packed, if that is wanted, and it is said what it holds and which command follows."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hydra.core.hydra_config import HydraConfig

from lfb_lightning.bank import BankConfig, FeatureBank, Manifest
from lfb_lightning.bank.claims import ending
from lfb_lightning.bank.layout import MANIFEST, SUFFIX
from lfb_lightning.bank.packed.packing import pack
from lfb_lightning.bank.packed.place import PackedPlace
from lfb_lightning.bank.shard import Shard
from lfb_lightning.bank.video_table import VIDEOS
from lfb_lightning.cli.next_command import command_on_this_data
from lfb_lightning.datasets import BankSplit
from lfb_lightning.datasets.bank_persons import refuse_packed_bank_of_others
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_json
from lfb_lightning.files.objects.url import Url

_log = logging.getLogger(__name__)
_OTHER = {"train": "val", "val": "train"}


def finish(bank: BankConfig, split: str, manifest: Manifest | None, failed: Mapping[str, str], run_dir: Path) -> int:
    """Pack the bank, if that is configured, and say what it holds.

    Args:
        bank: Where it is.
        split: Whose it is.
        manifest: What it holds; None for another rank than the first, or where another run has not finished yet.
        failed: Why videos are not in it.
        run_dir: The run folder.

    Returns:
        The exit status: 1 if a video failed.
    """
    for video_id, reason in failed.items():
        _log.error("not in the bank: %s: %s", video_id, reason)
    status = 1 if failed else 0
    if manifest is None:
        return status
    work, place = bank.folder_to_write(split), bank.folder(split)
    if bank.pack and isinstance(place, Url):
        _upload(work, place, manifest)
    elif bank.pack and manifest.failed:
        _log.warning(
            "not packed: %d videos failed; the same command does them and packs, `lfb-bank pack folder=%s to=%s` packs "
            "without them",
            *(len(manifest.failed), place, place),
        )
    elif bank.pack:
        pack(FeatureBank.open(work), place)
    summary = {"bank": str(place), "videos": manifest.num_videos, "rows": manifest.num_rows}
    write_json(run_dir / "metrics.json", summary | {"failed": manifest.failed})
    counts = (manifest.num_rows, manifest.num_videos, len(manifest.failed))
    _log.info("bank %s: %d features of %d videos, %d failed", place, *counts)
    return status


def is_done(bank: BankConfig, split: BankSplit, place: PackedPlace, shard: Shard) -> bool:
    """Say whether all is extracted and packed already; what a killed run has not removed after packing goes.

    Args:
        bank: How the bank is written.
        split: What is described.
        place: Where it is packed to.
        shard: Which of the split's videos are this run's.

    Raises:
        InputError: The packed bank there lacks videos of the split, has other persons, or, at a URL, was made otherwise.
    """
    there = place.bank()
    if there is None:
        place.refuse_other_bank()
        return False
    try:
        refuse_packed_bank_of_others(there, split, bank, shard)
    except InputError:
        if isinstance(place.place, Url) and any(bank.folder_to_write(split.name).glob(f"*{SUFFIX}")):
            return False  # it was unpacked there to get more videos: they are looked at as those of any folder are
        raise
    if isinstance(place.place, Path):
        pack(there, place.place)
    return True


def next_command(bank: BankConfig, split: str) -> str | None:
    """Write what follows on a split's bank: that of the other split, or a training that reads both; None for another split.

    Args:
        bank: Where the banks are.
        split: Whose bank is complete.
    """
    if split not in _OTHER:
        return None
    typed = HydraConfig.get().overrides.task
    kept = [one for one in typed if one.startswith(("bank=", "bank."))]
    trusted = [one for one in typed if one.startswith("trusted_packages")]
    checkpoint = [one for one in typed if one.startswith("ckpt_path=")]
    other = bank.folder(_OTHER[split])
    is_there = split == "val" if isinstance(other, Url) else (other / MANIFEST).is_file()
    if not is_there:
        return command_on_this_data("lfb-extract", *kept, *trusted, f"split={_OTHER[split]}", *checkpoint)
    read = [one for one in kept if not one.startswith(("bank.pack=", "bank.work_dir=", "bank.on_error="))]
    start = [one.replace("ckpt_path=", "init_from=") for one in checkpoint]
    made = command_on_this_data("lfb-train", *read, *trusted, "fbo=nl", *start, "hydra.run.dir=runs/nl")
    return f"{made}   # and what else the training of that checkpoint was given"


def _upload(work: Path, url: Url, manifest: Manifest) -> None:
    """Pack the bank of a folder to a URL, unless another run that shares the split has done so and removed its files."""
    with ending(work):
        there = None if (work / MANIFEST).is_file() else PackedPlace(url, manifest.provenance).manifest()
        if there is None or replace(there, packed=None) != replace(manifest, packed=None):
            pack(FeatureBank.open(work), url)
        _log.info("uploaded to %s; %s", url, _end_of_work(work, manifest))


def _end_of_work(folder: Path, manifest: Manifest) -> str:
    """Remove the files of a bank that is uploaded whole; returns what became of them."""
    if manifest.failed:
        return f"{folder} stays, so that the same command does the failed videos alone"
    for path in [folder / MANIFEST, folder / VIDEOS, *folder.glob(f"*{SUFFIX}")]:
        path.unlink(missing_ok=True)
    return f"the files in {folder} are removed"
