"""Finds, for rows of AVA-Kinetics, the clip that shows their second of a YouTube video, and the tick in it.

A clip's first frame lies at the clock's origin, as that of an AVA movie's cut does: with AVA's origin of 900, second 17.25
of a YouTube video is second 905.25 of the clip that begins at its second 12.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from lfb_lightning.ava.annotations import Annotations
from lfb_lightning.ava.box_rules import BOX_COLUMNS
from lfb_lightning.ava.kinetics import ClipTable, KineticsRows, clip_of_name, is_clip_name
from lfb_lightning.ava.label_map import LabelMap
from lfb_lightning.ava.person_rows import person_rows
from lfb_lightning.ava.proposals import ProposalTable
from lfb_lightning.clock import Clock

_MOMENT = ["video", "timestamp"]


@dataclass(frozen=True, slots=True)
class PlacedRows:
    """Rows whose clip is there.

    Args:
        rows: `clip`, `tick`, `video` (YouTube's id), `timestamp` (second of the YouTube video), `x1`, `y1`, `x2`, `y2`,
            `action_id`.
        missing: The videos, or clips where rows name them, that are not there, sorted.
        missing_moments: The moments that are lost with them.
        between: Moments that lie between two ticks of the clock, and are at the nearest.
    """

    rows: pd.DataFrame
    missing: tuple[str, ...]
    missing_moments: int
    between: int


def place_rows(read: KineticsRows, clips: ClipTable, clock: Clock) -> PlacedRows:
    """Find the clip and the tick of rows.

    Args:
        read: The rows.
        clips: The clips that there are.
        clock: What the ticks count, and where a clip begins.
    """
    moments = read.rows[_MOMENT].drop_duplicates()
    named = zip(moments["video"].astype(str), moments["timestamp"], strict=True)
    if read.names_clips:
        found = [name if name in clips else None for name, _ in named]
    else:
        found = [clips.at(name, second) for name, second in named]
    moments = moments.assign(clip=pd.Series(found, index=moments.index, dtype=object))
    lost = moments["clip"].isna()
    there = moments[~lost]
    parsed = [clip for name in there["clip"] if (clip := clip_of_name(name)) is not None]
    starts = np.array([clip.start for clip in parsed], dtype=np.float64)
    ticks, between = _nearest_ticks(there["timestamp"].to_numpy() - starts + float(clock.origin), clock)
    there = there.assign(tick=ticks, youtube=[clip.video for clip in parsed])
    rows = read.rows.merge(there, on=_MOMENT, how="inner")
    rows["video"] = rows.pop("youtube")
    missing = sorted(moments.loc[lost, "video"].astype(str).unique())
    return PlacedRows(rows, tuple(missing), int(lost.sum()), between)


def annotations_of(placed: PlacedRows, label_map: LabelMap) -> Annotations:
    """Make the annotations of placed rows."""
    columns = {"video_id": placed.rows["clip"].astype("category"), "timestamp": placed.rows["tick"]}
    columns |= {name: placed.rows[name] for name in [*BOX_COLUMNS, "action_id"]}
    rows = pd.DataFrame(columns).assign(person_id=-1)  # nobody has said who is who
    return Annotations(person_rows(rows), label_map)


def proposals_of(placed: PlacedRows, rows: pd.DataFrame, clock: Clock) -> ProposalTable:
    """Make the proposals at the moments of placed rows.

    Args:
        placed: The annotated persons.
        rows: Proposals as `read_proposal_rows` gives them: of a YouTube video and a second of it, with its fraction or (in
            mmaction2's pickle) without; or of a clip and a second on the data set's clock, as `lfb-detect` writes them. Those
            of other videos are left alone.
        clock: The data set's, as of which the ticks of `rows` are.
    """
    names = rows["video_id"].astype(str)
    of_clips = names.map(is_clip_name).to_numpy(dtype=bool)
    own = rows[of_clips & names.isin(set(placed.rows["clip"])).to_numpy()]
    moments = placed.rows[["video", "timestamp", "clip", "tick"]].drop_duplicates(["clip", "tick"])
    seconds = moments["timestamp"].to_numpy()
    whole = Clock(clock.ticks_per_second)
    exact = moments.assign(key=_nearest_ticks(seconds, whole)[0])
    floored = moments.assign(key=_nearest_ticks(np.floor(seconds), whole)[0])
    keys = pd.concat([exact, floored]).drop_duplicates(["video", "clip", "key"])
    found = (
        rows[~of_clips]
        .assign(video_id=names[~of_clips])
        .merge(keys, left_on=["video_id", "timestamp"], right_on=["video", "key"], suffixes=("", "_there"))
    )
    found = found.assign(video_id=found["clip"], timestamp=found["tick"])[list(rows.columns)]
    return ProposalTable(pd.concat([own.assign(video_id=own["video_id"].astype(str)), found], ignore_index=True))


def _nearest_ticks(seconds: Float64[np.ndarray, " N"], clock: Clock) -> tuple[Int64[np.ndarray, " N"], int]:
    """Find the ticks next to N seconds, and how many of those lie between two."""
    ticks, on = clock.ticks(seconds)
    nearest = np.rint(seconds * float(clock.ticks_per_second)).astype(np.int64)
    return np.where(on, ticks, nearest), int((~on).sum())
