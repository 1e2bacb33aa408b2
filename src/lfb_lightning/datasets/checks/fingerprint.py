"""A fingerprint of a data set's frames, which tells whether two runs, or two machines, read the same pixels.

Another version of FFmpeg, another cut or an offset of one frame moves results by points, and the annotations do not
show it. Some keyframes, spread evenly over the split, are decoded: the hash tells whether pixels are identical, the 8 x
8 gray thumbnail whether they are at least alike.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from lfb_lightning.clips import ClipSampling
from lfb_lightning.datasets.action_dataset import ActionSplit
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Item, Keyframe


def probe_items(split: ActionSplit, number: int) -> list[Item]:
    """Choose items spread evenly over the keyframes that are evaluated of a split.

    Args:
        split: Any split.
        number: How many; fewer if there are fewer.
    """
    items = list({item.keyframe: item for item in split.evaluation_items()}.values())
    places = np.unique(np.linspace(0, len(items) - 1, min(number, len(items))).round().astype(int))
    return [items[place] for place in places.tolist()]


def probe_frame(split: ActionSplit, keyframe: Keyframe, sampling: ClipSampling) -> UInt8[np.ndarray, "H W 3"]:
    """Decode the RGB frame at a keyframe.

    Args:
        split: Any split.
        keyframe: The moment.
        sampling: Which frames make its clip; the middle one is taken.
    """
    times = sampling.times(split.clock.seconds_in_video(keyframe.timestamp))
    return split.video(keyframe.video_id).clip(times)[len(times) // 2]


def fingerprint(split: ActionSplit, sampling: ClipSampling, number: int = 8) -> dict[str, Any]:
    """Fingerprint the frames of a split.

    Args:
        split: Any split.
        sampling: Of the clips, whose frame at the keyframe is taken.
        number: Of probes.

    Returns:
        `digest` over all probes, and each probe's hash and thumbnail; a frame that cannot be read has its reason instead.
    """
    probes: dict[str, Any] = {}
    for keyframe in [item.keyframe for item in probe_items(split, number)]:
        try:
            frame = probe_frame(split, keyframe, sampling)
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
