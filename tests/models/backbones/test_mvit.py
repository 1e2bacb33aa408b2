"""MViTv2: mmaction2's recorded feature map on torchvision's blocks; other sizes, gradient checkpointing, layer numbers."""

import re
from copy import deepcopy

import pytest
import torch
from torchvision.models.video import mvit_v2_s
from torchvision.models.video.mvit import MultiscaleAttention

from lfb_lightning.models import Backbone, LayeredBackbone, MViT
from lfb_lightning.models.backbones.multiscale_attention import FusedMultiscaleAttention
from tests.models.backbones import golden
from tests.models.golden import generator

TINY = {"embed_dims": 8, "stage_blocks": (1, 2, 1), "image_size": 32, "num_frames": 4}
RENAMED = [
    (r"^conv_proj\.", "patch_embed.projection."),
    (r"^norm\.", "norm3."),
    (r"^pos_encoding\.class_token$", "cls_token"),
    (r"\.attn\.project\.0\.", ".attn.proj."),
    (r"\.attn\.pool_([qkv])\.pool\.", r".attn.pool_\1."),
    (r"\.attn\.pool_([qkv])\.norm_act\.0\.", r".attn.norm_\1."),
    (r"\.mlp\.0\.", ".mlp.fc1."),
    (r"\.mlp\.3\.", ".mlp.fc2."),
    (r"\.project\.(weight|bias)$", r".proj.\1"),
]


def filled(name, shape):
    """The tensor that mmaction2's module had; its names, and torchvision's shapes."""
    for pattern, theirs in RENAMED:
        name = re.sub(pattern, theirs, name)
    name = f"backbone.{name}"
    if name.endswith("cls_token") or ".rel_pos_" in name:
        drawn = (1, 1, *shape) if name.endswith("cls_token") else shape
        return 0.2 * torch.randn(drawn, generator=generator(name, 0)).view(shape)
    return golden.fill(name, tuple(shape))


@pytest.mark.slow
def test_small_ones_feature_map_equals_mmaction2s():
    recorded, made = golden.load("mvit"), MViT().eval()
    made.load_state_dict({name: filled(name, value.shape) for name, value in made.state_dict().items()})
    seen = {}
    for index in (0, 1, 2, 3, 13, 14, 15):
        made.blocks[index].register_forward_hook(
            lambda _m, _i, out, index=index: seen.update({f"block{index}": out[0]})
        )
    with torch.inference_mode():
        feature_map = made(golden.video(1, 16, 128, 192))
    assert feature_map.shape == (1, 768, 8, 4, 6)
    for name, value in {**seen, "feature_map": feature_map, "feature_map_mean_t": feature_map.mean(dim=2)}.items():
        golden.assert_recorded(value, recorded, f"mvit_s.{name}", atol=2e-4)


def test_its_weights_have_torchvisions_names_and_shapes():
    with torch.device("meta"):
        ours = {name: tuple(value.shape) for name, value in MViT().state_dict().items()}
        theirs = {name: tuple(value.shape) for name, value in mvit_v2_s().state_dict().items()}
    assert ours == {name: shape for name, shape in theirs.items() if not name.startswith("head.")}
    published = golden.layout("torchvision_mvit_v2_s")
    assert ours == {name: shape for name, shape in published.items() if not name.startswith("head.")}


@pytest.mark.parametrize(("frames", "size"), [(4, (32, 32)), (4, (48, 80)), (6, (50, 33)), (2, (16, 16))])
def test_any_size_gives_a_map_of_its_stride(frames, size):
    made = MViT(**TINY).eval()
    assert isinstance(made, Backbone)
    assert isinstance(made, LayeredBackbone)
    feature_map = made(torch.randn(2, 3, frames, *size, generator=generator("clips", 0)))
    assert feature_map.shape == (2, 32, frames // 2, *(-(-side // 16) for side in size))
    assert (made.out_channels, made.stride) == (32, 16)


def test_recomputing_changes_no_gradient():
    clips = torch.randn(2, 3, 4, 32, 48, generator=generator("clips", 1))
    gradients = []
    for recomputes in (False, True):
        torch.manual_seed(0)
        made = MViT(**TINY, drop_path_rate=0.0, gradient_checkpointing=recomputes)
        made(clips).square().mean().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in made.parameters()]))
    assert gradients[0].abs().sum() > 0
    torch.testing.assert_close(gradients[1], gradients[0])


def test_layers_are_numbered_from_the_clip():
    made = MViT(**TINY)
    numbers = {name: made.layer_of(name) for name, _ in made.named_parameters()}
    assert numbers["conv_proj.weight"] == numbers["pos_encoding.class_token"] == 0
    assert [numbers[f"blocks.{index}.norm1.weight"] for index in range(4)] == [1, 2, 3, 4]
    assert numbers["norm.weight"] == 5


@pytest.mark.parametrize(
    "wrong", [{"image_size": 40}, {"stage_blocks": (1, 0)}, {"drop_path_rate": 1.0}, {"num_frames": 1}]
)
def test_numbers_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        MViT(**{**TINY, **wrong})


@pytest.mark.parametrize("size", [(2, 32, 32), (3, 16, 48), (1, 8, 8)], ids=str)
@pytest.mark.parametrize(("of_queries", "of_keys"), [(1, 4), (2, 2), (2, 1)])
def test_its_attention_and_gradients_equal_torchvisions(size, of_queries, of_keys):
    theirs = MultiscaleAttention(
        [2, 32, 32], 8, 16, 2, [3, 3, 3], [3, 3, 3], [1, of_queries, of_queries], [1, of_keys, of_keys],
        residual_pool=True, residual_with_cls_embed=False, rel_pos_embed=True,
    ).double()  # fmt: skip
    draw = generator("attention", 0)
    for value in theirs.parameters():
        value.data = torch.randn(value.shape, generator=draw, dtype=torch.float64)
    ours = FusedMultiscaleAttention(deepcopy(theirs))
    tokens = torch.randn(2, 1 + size[0] * size[1] * size[2], 8, generator=draw, dtype=torch.float64)
    expected, size_after = theirs(tokens, size)
    found, ours_after = ours(tokens, size)
    assert tuple(ours_after) == tuple(size_after)
    torch.testing.assert_close(found, expected)
    for result in (expected, found):
        result.square().sum().backward()
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, msg=name)
