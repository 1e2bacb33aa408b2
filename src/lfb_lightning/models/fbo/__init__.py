"""Feature bank operators (FBO): what a person's short-term feature makes of the bank's window around its clip."""

from lfb_lightning.models.fbo.cross_attention import FBOCrossAttention
from lfb_lightning.models.fbo.non_local import FBONonLocal
from lfb_lightning.models.fbo.operator import FBO
from lfb_lightning.models.fbo.pooling import FBOAvg, FBOMax, FBONone

__all__ = ["FBO", "FBOAvg", "FBOCrossAttention", "FBOMax", "FBONonLocal", "FBONone"]
