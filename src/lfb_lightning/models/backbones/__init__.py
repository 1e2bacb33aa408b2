"""Backbones: what turns a clip into a feature map."""

from lfb_lightning.models.backbones.backbone import Backbone, LayeredBackbone
from lfb_lightning.models.backbones.resnet3d import ResNet3d
from lfb_lightning.models.backbones.slowfast import SlowFast
from lfb_lightning.models.backbones.vit import VisionTransformer

__all__ = ["Backbone", "LayeredBackbone", "ResNet3d", "SlowFast", "VisionTransformer"]
