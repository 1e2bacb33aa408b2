"""Plain `nn.Module`s: backbones, region features, feature bank operators, the detector. No Lightning, no Hydra.

clips [B,3,T,H,W] -> backbone -> [B,C,T,h,w] -> region features -> short-term [R,C] --+--> head -> logits [R,A]
                                                                 bank window -> FBO --+
"""

from lfb_lightning.models.assembly import assemble_detector
from lfb_lightning.models.backbones import (
    VJEPA2,
    Backbone,
    HuggingFaceVideo,
    LayeredBackbone,
    MViT,
    ResNet3d,
    SlowFast,
    Swin3d,
    VisionTransformer,
)
from lfb_lightning.models.block_loss import Block, BlockLoss
from lfb_lightning.models.checkpoint import build_detector
from lfb_lightning.models.detector import ActionDetector
from lfb_lightning.models.digest import state_digest
from lfb_lightning.models.fbo import FBO, FBOAvg, FBOCrossAttention, FBOMax, FBONone, FBONonLocal
from lfb_lightning.models.inference import InferenceDetector
from lfb_lightning.models.loading import load_detector
from lfb_lightning.models.losses import Loss, MultiLabelLoss, SingleLabelLoss
from lfb_lightning.models.region_model import RegionModel
from lfb_lightning.models.regions import GlobalMean, RegionFeatures, RoIFeatures
from lfb_lightning.models.softmax_blocks import softmax_blocks

__all__ = [
    "FBO",
    "VJEPA2",
    "ActionDetector",
    "Backbone",
    "Block",
    "BlockLoss",
    "FBOAvg",
    "FBOCrossAttention",
    "FBOMax",
    "FBONonLocal",
    "FBONone",
    "GlobalMean",
    "HuggingFaceVideo",
    "InferenceDetector",
    "LayeredBackbone",
    "Loss",
    "MViT",
    "MultiLabelLoss",
    "RegionFeatures",
    "RegionModel",
    "ResNet3d",
    "RoIFeatures",
    "SingleLabelLoss",
    "SlowFast",
    "Swin3d",
    "VisionTransformer",
    "assemble_detector",
    "build_detector",
    "load_detector",
    "softmax_blocks",
    "state_digest",
]
