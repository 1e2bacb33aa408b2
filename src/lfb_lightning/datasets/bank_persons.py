"""Which persons, or other regions, a split asks a bank for, and whether a packed bank holds them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int

from lfb_lightning.bank import BankConfig, FeatureBank
from lfb_lightning.bank.packed.videos import PackedVideos
from lfb_lightning.bank.shard import Shard
from lfb_lightning.datasets.bank_split import BankSplit
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe

OTHER_PERSONS = (
    "holds other persons or seconds than are asked for now (data.proposals, data.excluded, data.first_second, "
    "data.last_second, data.key_step); choose another bank.dir"
)


class Persons(NamedTuple):
    """The rows of a video without their features: ticks, normalized boxes and scores."""

    timestamps: Int[np.ndarray, " N"]
    boxes: Float64[np.ndarray, "N 4"]
    scores: Float64[np.ndarray, " N"]


def persons_asked_for(
    split: BankSplit, choice: str, keyframes: Iterable[Keyframe], video_ids: Collection[str]
) -> Iterator[tuple[str, Persons]]:
    """Give the rows that a split asks for, video by video in the order of their ids.

    Args:
        split: Whose bank it is.
        choice: Value of the key `bank.keyframes`.
        keyframes: All that the bank describes.
        video_ids: The videos whose rows are given.
    """
    moments: dict[str, list[Keyframe]] = {}
    for keyframe in sorted(keyframes):
        if keyframe.video_id in video_ids:
            moments.setdefault(keyframe.video_id, []).append(keyframe)
    for video_id, found in moments.items():
        regions = [split.bank_regions(keyframe, choice) for keyframe in found]
        yield (
            video_id,
            Persons(
                timestamps=np.repeat([keyframe.timestamp for keyframe in found], [len(one) for one in regions]),
                boxes=np.concatenate([one.boxes for one in regions]),
                scores=np.concatenate([one.scores for one in regions]),
            ),
        )


def refuse_packed_bank_of_others(packed: FeatureBank, split: BankSplit, bank: BankConfig, shard: Shard) -> None:
    """Refuse a packed bank that is not what extraction would make now; its features are not read.

    Args:
        packed: The packed bank.
        split: Whose bank is asked for.
        bank: Which keyframes are chosen.
        shard: Of which videos the persons are looked at.

    Raises:
        InputError: It lacks videos of the split, or one of the shard's has other persons or seconds.
    """
    keyframes = split.bank_keyframes(bank.keyframes)
    wanted = sorted({keyframe.video_id for keyframe in keyframes})
    held = packed.videos.keys()
    if missing := [video_id for video_id in wanted if video_id not in held]:
        raise InputError(
            f"bank {packed.folder}: is packed and holds {len(wanted) - len(missing)} of {len(wanted)} videos of the split "
            f"({missing[0]} is missing); {_way_on(packed, split, bank)}, or choose another bank.dir."
        )
    own = shard.share(wanted)
    source = packed.source
    assert isinstance(source, PackedVideos)
    asked = persons_asked_for(split, bank.keyframes, keyframes, set(own))
    for (video_id, persons), rows in zip(asked, source.persons(own), strict=True):
        if not all(
            np.array_equal(value.astype(there.dtype), there) for value, there in zip(persons, rows, strict=True)
        ):
            raise InputError(f"bank {packed.folder}: is packed, and of video {video_id} {OTHER_PERSONS}.")


def _way_on(packed: FeatureBank, split: BankSplit, bank: BankConfig) -> str:
    """Say how a packed bank gets more videos: at a URL by way of the folder in which it is made."""
    work = bank.folder_to_write(split.name)
    if work != packed.folder:
        return f"unpack it to go on: `lfb-bank unpack folder={packed.folder} to={work}`, then the same command"
    return (
        f"unpack it to go on: `lfb-bank unpack folder={packed.folder} to=<folder>/{work.name}`, then the same command with "
        "bank.dir=<folder>"
    )
