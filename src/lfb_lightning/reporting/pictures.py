"""Small pictures of key frames, decoded from the videos or folders of frames where they can be found."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from lfb_lightning.reporting.sources import Sources

_SIDE, _QUALITY = 448, 72


def picture(sources: Sources, video_id: str, second: float) -> tuple[bytes, int, int]:
    """Decode the frame of a timestamp.

    Args:
        sources: Where the videos are, and when they begin.
        video_id: The video.
        second: The timestamp.

    Returns:
        A JPEG of at most 448 pixels on the longer side, and the width and height of the frame.

    Raises:
        InputError: The video is not there or cannot be read, or it is not known where it is.
    """
    frame = sources.library(video_id).open(video_id).clip(np.array([max(0.0, second - sources.origin_second)]))[0]
    image = Image.fromarray(frame)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue(), frame.shape[1], frame.shape[0]
