"""From a video and a moment to a clip: which frames, how resized, cropped and normalized. Knows no data set."""

from lfb_lightning.clips.collate import collate
from lfb_lightning.clips.sampling import ClipSampling
from lfb_lightning.clips.settings import ClipSettings
from lfb_lightning.clips.transforms import ClipTransform

__all__ = ["ClipSampling", "ClipSettings", "ClipTransform", "collate"]
