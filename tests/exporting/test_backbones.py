"""Programs of the newer backbones; of those that torch.export cannot follow through sizes, for one size."""

from functools import partial

import pytest
import torch

from lfb_lightning.exporting.exporting import export_detector
from lfb_lightning.exporting.programs import programs
from lfb_lightning.exporting.tracing import axes_of, fixed_sizes, trace
from lfb_lightning.models import (
    FBONone,
    FBONonLocal,
    MViT,
    RoIFeatures,
    SlowFast,
    Swin3d,
    VisionTransformer,
    assemble_detector,
)

SWIN = {"embed_dims": 12, "depths": (1, 1), "num_heads": (2, 4), "window_size": (2, 4, 4)}
MVIT = {"embed_dims": 8, "stage_blocks": (1, 2, 1), "image_size": 32, "num_frames": 4}


def detector_with(backbone, fbo):
    detector = assemble_detector(backbone=backbone, roi_features=RoIFeatures(), fbo=fbo, num_classes=5)
    draw = torch.Generator().manual_seed(0)
    for parameter in detector.parameters():
        parameter.data.normal_(std=0.05, generator=draw)
    return detector.eval()


@pytest.mark.slow
def test_a_backbone_that_says_so_is_traced_at_one_size():
    program, *_ = programs(detector_with(Swin3d(**SWIN), FBONone))
    traced = trace(program, num_frames=4, height=48, width=64, one_size=Swin3d.traced_at_one_size)
    axes = axes_of(program, traced)
    assert fixed_sizes(axes, program) == {"frames": 4, "height": 48, "width": 64}
    assert axes["clips"][0] == "clips"
    assert axes["rois"][0] == "persons"


@pytest.mark.thorough
@pytest.mark.parametrize("form", ["onnx", "torch_export"])
@pytest.mark.parametrize(
    ("backbone", "free"),
    [
        (lambda: MViT(**MVIT), set()),
        (lambda: Swin3d(**SWIN), set()),
        (
            lambda: VisionTransformer(embed_dims=48, depth=2, num_heads=3, image_size=64, num_frames=4),
            {"height", "width"},
        ),
        (lambda: SlowFast(stage_blocks=(1, 1, 1, 1), base_channels=8, alpha=2), {"height", "width"}),
    ],
    ids=["mvit", "swin", "vit", "slowfast"],
)
def test_each_family_is_written_and_equals_its_detector(backbone, free, form, tmp_path):
    detector = detector_with(backbone(), partial(FBONonLocal, latent_channels=16))
    exported = export_detector(detector, {"model": {}, "data": {"num_frames": 4}}, tmp_path / form, format=form)
    assert max(exported.files.values()) < 1e-4
    assert {"height", "width"} - exported.fixed.keys() == free
