"""Backbones: what turns a clip into a feature map."""

from lfb_lightning.models.backbones.backbone import Backbone, LayeredBackbone
from lfb_lightning.models.backbones.huggingface import HuggingFaceVideo
from lfb_lightning.models.backbones.mvit import MViT
from lfb_lightning.models.backbones.resnet3d import ResNet3d
from lfb_lightning.models.backbones.slowfast import SlowFast
from lfb_lightning.models.backbones.swin3d import Swin3d
from lfb_lightning.models.backbones.vit import VisionTransformer
from lfb_lightning.models.backbones.vjepa2 import VJEPA2

__all__ = [
    "VJEPA2",
    "Backbone",
    "HuggingFaceVideo",
    "LayeredBackbone",
    "MViT",
    "ResNet3d",
    "SlowFast",
    "Swin3d",
    "VisionTransformer",
]
