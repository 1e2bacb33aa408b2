"""The head's options: two layers by value, in checkpoints and in training's groups; and longer clips for every family."""

from functools import partial

import pytest
import torch

from lfb_lightning.errors import InputError
from lfb_lightning.lightning.modules.parameter_groups import parameter_groups
from lfb_lightning.models import VJEPA2, FBOMax, MViT, ResNet3d, SlowFast, Swin3d, VisionTransformer, load_detector
from lfb_lightning.models.loading import start_from
from tests.models.test_detector import CLIPS, ROIS, SPEC, save, tiny

TWO = {"head_layers": 2, "head_channels": 5}


def test_two_layers_by_hand():
    detector = tiny(**TWO).eval()
    torch.nn.init.normal_(detector.head[2].weight)
    short_term = detector.short_term_features(CLIPS, ROIS)
    hidden = torch.stack([detector.head[0].weight @ row + detector.head[0].bias for row in short_term]).clamp(min=0)
    expected = torch.stack([detector.head[2].weight @ row + detector.head[2].bias for row in hidden])
    assert (hidden == 0).any()
    torch.testing.assert_close(detector(CLIPS, ROIS), expected)
    assert detector.head[0].weight.shape == (5, detector.channels)
    assert detector(CLIPS, ROIS[:0]).shape == (0, 6), "nobody is normal"


def test_one_layer_keeps_the_names_and_the_draws_that_it_had():
    assert [name for name in tiny().state_dict() if name.startswith("head")] == ["head.weight", "head.bias"]
    torch.manual_seed(0)
    ResNet3d(stage_blocks=(1, 1), base_channels=4, spatial_strides=(1, 2), temporal_kernels=(1, 3))
    linear = torch.nn.Linear(32, 6)
    torch.nn.init.normal_(linear.weight, std=0.01)
    assert torch.equal(tiny().head.weight, linear.weight)
    assert not tiny().head.bias.any()


def test_the_hidden_layer_is_as_wide_as_the_short_term_features():
    detector = tiny(partial(FBOMax), head_layers=2)
    assert detector.head[0].weight.shape == (detector.channels, 2 * detector.channels)


def test_a_checkpoint_is_loaded_with_its_head(tmp_path):
    detector = tiny(**TWO).eval()
    save(tmp_path / "two.ckpt", detector, {**SPEC, **TWO})
    assert torch.equal(load_detector(tmp_path / "two.ckpt")(CLIPS, ROIS), detector(CLIPS, ROIS))
    save(tmp_path / "wide.ckpt", detector, {**SPEC, **TWO, "head_channels": 10**9})
    with pytest.raises(InputError, match="by far do not fill"):
        load_detector(tmp_path / "wide.ckpt")


def test_an_fbo_begins_with_the_baseline_s_two_layers(tmp_path):
    baseline = tiny(head_layers=2)
    save(tmp_path / "base.ckpt", baseline, {**SPEC, "head_layers": 2})
    detector = tiny(partial(FBOMax), head_layers=2)
    for parameter in detector.head.parameters():
        torch.nn.init.constant_(parameter, 7.0)
    start = start_from(detector, tmp_path / "base.ckpt")
    assert "the head's short-term columns" in start.text
    channels = detector.channels
    assert torch.equal(detector.head[0].weight[:, :channels], baseline.head[0].weight)
    assert (detector.head[0].weight[:, channels:] == 7).all()
    for name in ("0.bias", "2.weight", "2.bias"):
        assert torch.equal(detector.head.get_parameter(name), baseline.head.get_parameter(name))


@pytest.mark.parametrize(("ours", "theirs"), [({}, TWO), (TWO, {}), (TWO, {"head_layers": 2})])
def test_another_head_is_not_begun_with(ours, theirs, tmp_path):
    save(tmp_path / "base.ckpt", tiny(**theirs), {**SPEC, **theirs})
    detector = tiny(**ours)
    before = {name: value.clone() for name, value in detector.head.state_dict().items()}
    assert "a new head" in start_from(detector, tmp_path / "base.ckpt").text
    assert all(torch.equal(value, before[name]) for name, value in detector.head.state_dict().items())


@pytest.mark.parametrize("wrong", [{"head_layers": 3}, {"head_layers": 0}, {"head_layers": 2, "head_channels": 0}])
def test_another_number_is_one_line(wrong):
    with pytest.raises(InputError, match=r"model\.head_(layers|channels) is [03], expected"):
        tiny(**wrong)


def test_both_layers_learn_at_the_full_rate():
    detector = tiny(**TWO)
    groups = parameter_groups(detector, layer_decay=0.5)
    scale = {id(one): group["lr_scale"] for group in groups for one in group["params"]}
    assert {scale[id(one)] for one in detector.head.parameters()} == {1.0}
    assert max(scale[id(one)] for one in detector.backbone.parameters()) < 1


FAMILIES = {  # at tiny size, made for clips of 8 or 16 frames
    "resnet": lambda: ResNet3d(stage_blocks=(1, 1), base_channels=4, spatial_strides=(1, 2), temporal_kernels=(1, 3)),
    "slowfast": lambda: SlowFast(stage_blocks=[1, 1, 1, 1], base_channels=8, fast_base_channels=2),
    "mvit": lambda: MViT(embed_dims=8, stage_blocks=[1, 1, 1, 1], image_size=64, num_frames=8),
    "swin": lambda: Swin3d(embed_dims=8, depths=[1, 1], num_heads=[1, 2], window_size=[2, 3, 3]),
    "vjepa2": lambda: VJEPA2(embed_dims=48, depth=1, num_heads=3),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_takes_32_frames(name):
    backbone = FAMILIES[name]().eval()
    with torch.no_grad():
        found = backbone(torch.randn(1, 3, 32, 64, 64))
    assert found.shape[:2] == (1, backbone.out_channels)
    assert found.shape[2] in (16, 32)
    assert found.isfinite().all()


def test_a_vit_is_built_for_32_frames_or_refuses_them():
    clip = torch.randn(1, 3, 32, 32, 32)
    sizes = {"embed_dims": 48, "depth": 1, "num_heads": 3, "image_size": 32}
    with pytest.raises(InputError, match=r"backbone\.num_frames is 16, and clips have 32 frames \(data\.num_frames\)"):
        VisionTransformer(**sizes)(clip)
    assert VisionTransformer(**sizes, num_frames=32)(clip).shape == (1, 48, 16, 2, 2)
