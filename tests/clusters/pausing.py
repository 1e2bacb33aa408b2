"""A data set whose videos wait half way where a test wants it, so that it can kill who reads them at that very place."""

import os
import time
from pathlib import Path

from lfb_lightning.datasets import AvaDataset, AvaSplit

READ_BEFORE = 17  # clips: one batch is on its way, and the second begun


class PausingAva(AvaDataset):
    """AVA's, except that a video with a file `pause/<id>` beside the folder of videos writes `pause/<id>.pid` and waits."""

    __slots__ = ()

    def split(self, name):
        return PausingSplit(self, name)


class PausingSplit(AvaSplit):
    def video(self, video_id):
        wanted = Path(self.data.video_dir).parent / "pause" / video_id
        return _PausingVideo(super().video(video_id), wanted)


class _PausingVideo:
    def __init__(self, video, wanted):
        self._video, self._wanted = video, wanted

    def __getattr__(self, name):
        return getattr(self._video, name)

    def stream(self, times, **more):
        for number, clip in enumerate(self._video.stream(times, **more)):
            if number == READ_BEFORE and self._wanted.exists():
                pid = self._wanted.with_suffix(".part")
                pid.write_text(str(os.getpid()))
                pid.rename(self._wanted.with_suffix(".pid"))
                time.sleep(600)
            yield clip
