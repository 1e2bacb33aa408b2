"""A fingerprint of a data set's frames: did two runs, or two machines, train on the same pixels?

Another FFmpeg, another cut or an offset of one frame moves results by points; the annotations do not show it. Some
keyframes, spread evenly over the split, are decoded: the hash tells whether pixels are identical, the 8 x 8 grey
thumbnail whether they are at least alike.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from PIL import Image

from lfb_lightning.datasets.ava.split import Split
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe


def probe_keyframes(split: Split, number: int) -> list[Keyframe]:
    """`number` used keyframes with proposals, spread evenly over the split (fewer if there are fewer)."""
    keyframes = split.proposals.persons.select(split.used(split.proposals.persons))
    places = np.unique(np.linspace(0, len(keyframes) - 1, min(number, len(keyframes))).round().astype(int))
    return [keyframes[place] for place in places.tolist()]


def probe_frame(split: Split, keyframe: Keyframe) -> np.ndarray:
    """The frame at a keyframe, `[H, W, 3]` uint8 RGB."""
    times = split.data.clip_sampling.times(keyframe.timestamp)
    return split.data.videos.open(keyframe.video_id).clip(times)[len(times) // 2]


def fingerprint(split: Split, number: int = 8) -> dict[str, Any]:
    """`digest` over all probes, and each probe's hash and thumbnail; a frame that cannot be read has its reason instead."""
    probes: dict[str, Any] = {}
    for keyframe in probe_keyframes(split, number):
        try:
            frame = probe_frame(split, keyframe)
        except (InputError, OSError) as error:
            probes[str(keyframe)] = {"unreadable": str(error)}
            continue
        grey = Image.fromarray(frame).convert("L").resize((8, 8), Image.Resampling.BOX)
        probes[str(keyframe)] = {
            "sha256": hashlib.sha256(f"{frame.shape}".encode() + frame.tobytes()).hexdigest(),
            "size": f"{frame.shape[1]}x{frame.shape[0]}",
            "thumbnail": np.asarray(grey).reshape(-1).tolist(),
        }
    digest = hashlib.sha256("".join(str(probe.get("sha256")) for probe in probes.values()).encode()).hexdigest()
    return {"digest": digest[:16], "probes": probes}
