"""SlowFast: mmaction2's and PySlowFast's own outputs, both forms of everything in which they differ."""

import re
from functools import partial

import pytest
import torch

from lfb_lightning.errors import InputError
from lfb_lightning.models import FBONone, RoIFeatures, SlowFast, assemble_detector
from tests.models.backbones import golden

TINY = {"depth": 50, "base_channels": 16, "fast_base_channels": 2}
SLOW_4, SLOW_8 = {"alpha": 8, "fusion_kernel": 5}, {"alpha": 4, "fusion_kernel": 7}
STAGES = {
    "spatial_strides": (1, 2),
    "spatial_dilations": (1, 1),
    "slow_temporal_kernels": (1, 3),
    "fast_temporal_kernels": (3, 3),
}
PYSLOWFAST = {**SLOW_8, "slow_frames": "linspace", "lateral_norm": True, "spatial_dilations": (1, 1, 1, 2)}


def theirs(name):
    """mmaction2's name of a detector's weight."""
    name = re.sub(r"^head\.", "roi_head.bbox_head.fc_cls.", name)
    name = re.sub(r"^backbone\.(slow|fast)\.", r"backbone.\1_path.", name).replace("_path.stem.", "_path.conv1.")
    name = name.replace("backbone.laterals.0.", "backbone.slow_path.conv1_lateral.")
    name = re.sub(r"^backbone\.laterals\.(\d)\.", r"backbone.slow_path.layer\1_lateral.", name)
    return re.sub(r"\.stages\.(\d)\.", lambda match: f".layer{int(match[1]) + 1}.", name)


def detector(roi_features=None, **options):
    made = assemble_detector(
        backbone=SlowFast(**options),
        roi_features=roi_features or RoIFeatures(),
        fbo=partial(FBONone),
        num_classes=81,
    )
    state = {name: golden.fill(theirs(name), tuple(value.shape)) for name, value in made.state_dict().items()}
    made.load_state_dict(state)
    return made.eval()


def outputs(made, clips, rois):
    """What each part gives, under the names of the recorded values."""
    backbone, seen = made.backbone, {}

    def record(module, name):
        module.register_forward_hook(lambda _m, _i, out: seen.update({name: out}))

    backbone.slow.stem.register_forward_pre_hook(lambda _m, inputs: seen.update({"slow.input": inputs[0]}))
    for name in ("slow", "fast"):
        record(getattr(backbone, name).stem, f"{name}.conv1")
        for index, stage in enumerate(getattr(backbone, name).stages, 1):
            record(stage[-1], f"{name}.layer{index}")  # a stage itself is never called
    for index, lateral in enumerate(backbone.laterals):
        record(lateral, f"lateral{index}")
    with torch.inference_mode():
        feature_map = backbone(clips)
        seen["pooled_map"] = feature_map.amax(2) if made.roi_features.temporal_max else feature_map.mean(2)
        seen["roi_feats"] = made.roi_features(feature_map, rois, stride=backbone.stride)
        seen["logits"] = made.head(seen["roi_feats"])
    assert len(seen) == 18
    return {**seen, "scores": seen["logits"].sigmoid()}


@pytest.mark.parametrize(
    ("case", "form", "pooling"),
    [
        ("tiny_4x16", SLOW_4, {}),
        ("tiny_8x8", SLOW_8, {}),
        ("tiny_context", SLOW_4, {"context": True}),
        ("tiny_temporal_max", SLOW_8, {"temporal_max": True}),
    ],
)
def test_outputs_of_tiny_ones_equal_mmaction2s(case, form, pooling):
    recorded = golden.load("slowfast")
    made = detector(RoIFeatures(**pooling), **TINY, **form)
    found = outputs(made, golden.video(2, 32, 48, 64), recorded["tiny.rois"])
    assert made.channels == recorded[f"{case}.roi_feats"].shape[1]
    for name, value in found.items():
        golden.assert_recorded(value, recorded, f"{case}.{name}", atol=2e-4)


@pytest.mark.parametrize(
    ("case", "form"), [("r50_4x16", SLOW_4), pytest.param("r50_8x8", SLOW_8, marks=pytest.mark.thorough)]
)
def test_full_size_equals_mmaction2s(case, form):
    recorded = golden.load("slowfast")
    found = outputs(detector(depth=50, **form), golden.video(1, 32, 224, 320), recorded["r50.rois"])
    for name, value in found.items():
        tolerance = {"scores": 1e-4, "logits": 1e-3}.get(name, 1e-2 if "layer" in name else 1e-3)
        golden.assert_recorded(value, recorded, f"{case}.{name}", atol=tolerance)


def test_full_size_in_pyslowfasts_form_equals_it():
    recorded = golden.load("slowfast_pyslowfast")
    made = detector(RoIFeatures(output_size=7), depth=50, **PYSLOWFAST)
    clips = golden.video(1, 32, 96, 128)
    for frames, name in [("linspace", "own"), ("nearest", "mm")]:
        made.backbone.slow_frames = frames
        with torch.inference_mode():
            scores = made(clips, recorded["psf_r50.rois"]).sigmoid()
        torch.testing.assert_close(scores[:, 1:], recorded[f"psf_r50.scores_{name}_frames"], atol=1e-5, rtol=0)


def test_context_is_the_clips_own():
    pooling = RoIFeatures(output_size=2, context=True)
    feature_map = torch.arange(2 * 3 * 1 * 4 * 4.0).reshape(2, 3, 1, 4, 4)
    rois = torch.tensor([[1.0, 0, 0, 16, 16], [0, 0, 0, 16, 16]])
    features = pooling(feature_map, rois, stride=16)
    # Of each channel's 4 x 4 cells, the mean of the last 2 x 2 is the largest: 12.5 above the first cell.
    torch.testing.assert_close(features[:, 3:], torch.tensor([[60.5, 76.5, 92.5], [12.5, 28.5, 44.5]]))
    assert pooling(feature_map, torch.zeros(0, 5), stride=16).shape == (0, 6)
    assert vars(RoIFeatures()).keys() == vars(RoIFeatures(temporal_max=False)).keys()
    assert "context" not in vars(RoIFeatures())  # what features are known by is as before where it is off


def test_wrong_frames_and_options_are_named():
    made = SlowFast(**TINY, **SLOW_4)
    with pytest.raises(
        InputError, match=r"12 frames \(data\.num_frames\), expected a multiple of backbone\.alpha, which is 8"
    ):
        made(torch.zeros(1, 3, 12, 32, 32))
    for options, message in [
        ({"fusion_kernel": 4}, "odd"),
        ({"alpha": 0}, "at least 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            SlowFast(**{**TINY, **options})


@pytest.mark.parametrize(("form", "expected"), [("nearest", [0, 4, 8, 12]), ("linspace", [0, 5, 10, 15])])
def test_the_slow_pathway_sees_its_frames(form, expected):
    made = SlowFast(stage_blocks=(1, 1, 1, 1), base_channels=4, alpha=4, slow_frames=form).eval()
    seen = []
    made.slow.stem.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    clips = torch.arange(16.0)[None, None, :, None, None].expand(1, 3, 16, 32, 32)
    assert made(clips).shape == (1, 32 * 4 + 64 * 4, 16, 2, 2)
    assert seen[0][0, 0, :, 0, 0].tolist() == expected


def test_nonlocal_blocks_of_pyslowfasts_kind_by_a_loop():
    made = SlowFast(stage_blocks=(1, 1), base_channels=4, alpha=4, nonlocal_after=((), (0,)), **STAGES).eval()
    block = made.slow.nonlocals["1_0"]
    torch.nn.init.normal_(block.out.weight)
    x = torch.randn(1, 32, 4, 4, 4)
    pooled = torch.nn.functional.max_pool3d(x, 2)
    theta, phi, g = block.theta(x).flatten(2)[0], block.phi(pooled).flatten(2)[0], block.g(pooled).flatten(2)[0]
    found = torch.zeros_like(theta)
    for position in range(theta.shape[1]):
        for other in range(phi.shape[1]):
            found[:, position] += (theta[:, position] @ phi[:, other]) * g[:, other] / phi.shape[1]
    expected = x + block.bn(block.out(found.reshape(1, 16, 4, 4, 4)))
    torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-5)


def test_layers_frozen_norms_and_checkpointing():
    options = {"stage_blocks": (1, 1), "base_channels": 4, "alpha": 4, "lateral_norm": True, **STAGES}
    frozen = SlowFast(**options, freeze_batch_norm=True)
    assert not any(module.training for module in frozen.modules() if isinstance(module, torch.nn.BatchNorm3d))
    names = ["slow.stem.conv.weight", "laterals.0.conv.weight", "fast.stages.0.0.conv1.bn.bias", "laterals.1.bn.bias"]
    assert [frozen.layer_of(name) for name in [*names, "slow.stages.1.0.conv3.conv.weight"]] == [0, 0, 1, 1, 2]

    def gradients(**more):
        torch.manual_seed(0)
        made = SlowFast(**options, **more)
        made(torch.randn(2, 3, 8, 32, 32)).square().mean().backward()
        return {name: parameter.grad for name, parameter in made.named_parameters()}, made.state_dict()

    (plain, state), (again, same) = gradients(), gradients(gradient_checkpointing=True)
    assert all(torch.equal(value, again[name]) for name, value in plain.items())
    assert all(torch.equal(value, same[name]) for name, value in state.items())
