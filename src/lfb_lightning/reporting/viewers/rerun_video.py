"""A whole video in a recording, where Rerun can play it and it is small enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lfb_lightning.errors import InputError
from lfb_lightning.reporting.viewers.frames import Pictures
from lfb_lightning.reporting.viewers.rerun_layout import KEY_FRAME, TIME
from lfb_lightning.reporting.viewers.scenes import Scene
from lfb_lightning.video.container import open_video

if TYPE_CHECKING:
    import rerun as rr

LARGEST_VIDEO = 64_000_000  # bytes; of larger ones the key frames are taken
_DECODERS = ("h264", "hevc", "av1", "libdav1d", "vp9")  # of what Rerun's viewers play from an mp4


def log_video(recording: rr.RecordingStream, path: str, scene: Scene, pictures: Pictures) -> bool:
    """Log a video's file and which of its frames is shown when.

    Args:
        recording: Where to.
        path: The entity.
        scene: The video.
        pictures: Counts its bytes.

    Returns:
        Whether that was done; otherwise the video is none that Rerun plays the right way up, or too large.
    """
    import rerun as rr

    file = scene.file
    if file is None or not len(scene.moments) or not pictures.left or not _plays(scene):
        return False
    size = file.stat().st_size
    if size > min(LARGEST_VIDEO, pictures.left):
        return False
    asset = rr.AssetVideo(contents=file.read_bytes(), media_type="video/mp4")
    try:
        shown = np.sort(asset.read_frame_timestamps_nanos())
    except RuntimeError:  # not in the container that its name says
        return False
    if not len(shown) or not pictures.take(size):
        return False
    recording.log(path, asset, static=True)
    seconds = (shown - shown[0]) / 1e9
    recording.send_columns(
        path,
        indexes=[rr.TimeColumn(TIME, duration=seconds)],
        columns=rr.VideoFrameReference.columns_nanos(shown),
    )
    nearest = [int(np.abs(seconds - moment.second).argmin()) for moment in scene.moments]
    recording.send_columns(
        path,
        indexes=[rr.TimeColumn(KEY_FRAME, sequence=range(len(nearest)))],
        columns=rr.VideoFrameReference.columns_nanos(shown[nearest]),
    )
    return True


def _plays(scene: Scene) -> bool:
    """Say whether Rerun's viewers play a video: they know a few codecs, and do not turn what a phone has turned."""
    assert scene.file is not None
    if scene.video is None or scene.file.suffix.lower() != ".mp4":
        return False
    try:
        with open_video(scene.file) as container:
            decoder = container.decoder
        return decoder in _DECODERS and scene.video.properties().rotation == 0
    except InputError:
        return False
