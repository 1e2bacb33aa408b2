"""Frames of a video by presentation time: from a video file, a folder of JPEGs, or the frame cache."""

from lfb_lightning.video.file import VideoFile
from lfb_lightning.video.folder import FrameFolder
from lfb_lightning.video.library import VideoLibrary
from lfb_lightning.video.protocol import Video

__all__ = ["FrameFolder", "Video", "VideoFile", "VideoLibrary"]
