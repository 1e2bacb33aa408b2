"""The vision transformer: mmaction2's own outputs, gradients and one step; clip sizes, drop path, layer decay."""

import re
from functools import partial

import pytest
import torch

from lfb_lightning.errors import InputError
from lfb_lightning.lightning.modules.parameter_groups import parameter_groups
from lfb_lightning.models import FBONone, MultiLabelLoss, RoIFeatures, VisionTransformer, assemble_detector
from lfb_lightning.models.backbones.positions import fill_sinusoids, resized_positions
from lfb_lightning.models.checkpoint import DETECTOR_PARTS
from lfb_lightning.models.parameter_limit import no_larger_than
from lfb_lightning.models.stored_objects import StoredObjects
from tests.models.backbones import golden
from tests.models.golden import generator

TINY = {"embed_dims": 48, "depth": 3, "num_heads": 3, "num_frames": 8, "image_size": 64}
SIZES = {"rect": (64, 96), "square": (64, 64), "odd": (70, 100)}
DROP_RATES = [0.0, 0.3, 0.6]


def theirs(name):
    """mmaction2's name of a detector's weight."""
    name = name.replace("head.", "roi_head.bbox_head.fc_cls.").replace("patch_embed.proj.", "patch_embed.projection.")
    return name.replace("mlp.fc1.", "mlp.layers.0.0.").replace("mlp.fc2.", "mlp.layers.1.")


def detector(num_classes=81, roi_features=None, **options):
    made = assemble_detector(
        backbone=VisionTransformer(**options),
        roi_features=roi_features or RoIFeatures(),
        fbo=partial(FBONone),
        num_classes=num_classes,
        dropout=0.0,
    )
    state = {name: golden.fill(theirs(name), tuple(value.shape)) for name, value in made.state_dict().items()}
    made.load_state_dict(state)
    return made.eval()


def recording(backbone):
    """What each part of a backbone gives, under the names of the recorded values."""
    seen = {}
    for index, block in enumerate(backbone.blocks):
        for name, part in [("", block), (".attn", block.attn), (".mlp", block.mlp)]:
            part.register_forward_hook(lambda _m, _i, out, name=f"block{index}{name}": seen.update({name: out}))
    backbone.patch_embed.register_forward_hook(
        lambda _m, _i, out: seen.update({"patch_embed": out.flatten(2).transpose(1, 2)})
    )
    backbone.blocks[0].register_forward_pre_hook(lambda _m, inputs: seen.update({"tokens_in": inputs[0]}))
    return seen


def clips_of(case):
    if case == "odd":
        return golden.video(2, 8, 80, 112)[..., :70, :100]
    return golden.video(2, 8, *SIZES[case])


@pytest.mark.parametrize("case", SIZES)
def test_outputs_of_a_tiny_one_equal_mmaction2s(case):
    recorded, made = golden.load("vit_tiny_io"), detector(**TINY)
    clips = clips_of(case)
    assert clips.double().sum().item() == pytest.approx(
        golden.figures("vit_tiny")["cases"][f"{case}.video"]["sum"], abs=1e-3
    )
    seen = recording(made.backbone)
    with torch.inference_mode():
        feature_map = made.backbone(clips)
        features = made.roi_features(feature_map, recorded[f"{case}.rois"], stride=16)
        logits = made.head(features)
    seen |= {"feature_map": feature_map, "temporal_mean": feature_map.mean(dim=2), "roi_feats": features}
    for name, value in seen.items():
        if name.endswith(("attn", "mlp")) and f"{case}.{name}" not in recorded and f"{case}.{name}.idx" not in recorded:
            continue  # recorded in the first block only
        golden.assert_recorded(value, recorded, f"{case}.{name}", atol=2e-5)
    golden.assert_recorded(logits, recorded, f"{case}.logits", atol=1e-5)
    golden.assert_recorded(logits.sigmoid(), recorded, f"{case}.scores", atol=5e-6)


@pytest.mark.parametrize(("clips", "frames"), [(2, 4), pytest.param(1, 16, marks=pytest.mark.thorough)])
def test_full_size_equals_mmaction2s(clips, frames):
    recorded, case = golden.load("vit_b"), f"t{frames}"
    made = detector(num_frames=frames, drop_path_rate=0.0)
    seen = recording(made.backbone)
    with torch.inference_mode():
        feature_map = made.backbone(golden.video(clips, frames, 224, 320))
        features = made.roi_features(feature_map, recorded[f"{case}.rois"], stride=16)
        logits = made.head(features)
    seen |= {"feature_map": feature_map, "temporal_mean": feature_map.mean(dim=2), "roi_feats": features}
    assert len(seen) == 12 * 3 + 2 + 3
    for name, value in seen.items():
        if f"{case}.{name}" in recorded or f"{case}.{name}.idx" in recorded:  # attn and mlp in the first block only
            golden.assert_recorded(value, recorded, f"{case}.{name}", atol=1e-4)
    golden.assert_recorded(logits, recorded, f"{case}.logits", atol=2e-5)
    golden.assert_recorded(logits.sigmoid(), recorded, f"{case}.scores", atol=1e-5)


def test_the_original_detectors_head_reads_smaller_regions():
    recorded, io = golden.load("vit_tiny_peers"), golden.load("vit_tiny_io")
    made = detector(roi_features=RoIFeatures(output_size=7, aligned=False), **TINY)
    with torch.inference_mode():
        logits = made(clips_of("rect"), recorded["orig.rois_extended"])
    torch.testing.assert_close(logits[:, 1:], recorded["orig.logits"], atol=1e-5, rtol=0)
    assert not torch.allclose(logits, io["rect.logits"], atol=0.1)


def trained_step(kind, monkeypatch=None):
    """mmaction2's recorded training batch through the detector: logits, loss, and the detector with gradients."""
    recorded, made = golden.load("vit_tiny_train"), detector(**TINY, drop_path_rate=0.6).train()
    if kind == "nodrop":
        for block in made.backbone.blocks:
            block.drop_path.rate = 0.0
    else:
        masks = golden.figures("vit_tiny_train")["droppath"]["masks"]
        for index, block in enumerate(made.backbone.blocks):
            assert block.drop_path.rate == pytest.approx(DROP_RATES[index])
            drawn = iter([masks.get(f"block{index}.attn"), masks.get(f"block{index}.mlp")])
            monkeypatch.setattr(block.drop_path, "kept", lambda _n, _d, drawn=drawn: torch.tensor(next(drawn)).bool())
    logits = made(clips_of("rect"), recorded[f"{kind}.rois"])
    loss = MultiLabelLoss()(logits, recorded[f"{kind}.labels"])
    loss.backward()
    return recorded, made, logits, loss


@pytest.mark.parametrize("kind", ["nodrop", "droppath"])
def test_gradients_equal_mmaction2s(kind, monkeypatch):
    recorded, made, logits, loss = trained_step(kind, monkeypatch)
    golden.assert_recorded(logits.detach(), recorded, f"{kind}.logits", atol=1e-5)
    assert loss.item() == pytest.approx(golden.figures("vit_tiny_train")[kind]["loss_action_cls"], abs=1e-6)
    total = torch.nn.utils.get_total_norm([parameter.grad for parameter in made.parameters()])
    assert total.item() == pytest.approx(golden.figures("vit_tiny_train")[kind]["grad_norm"], abs=1e-5)
    probe = partial(torch.randint, 0, size=(64,))
    for name, parameter in made.named_parameters():
        key = f"{kind}.grad/{theirs(name)}"
        if key in recorded:
            golden.assert_recorded(parameter.grad, recorded, key, atol=1e-6)
        else:
            index = probe(high=parameter.numel(), generator=generator("sample_idx", 0))
            torch.testing.assert_close(parameter.grad.flatten()[index], recorded[f"{key}.val"], atol=1e-6, rtol=0)


def test_one_step_with_layer_decay_equals_mmaction2s():
    recorded, made, _, _ = trained_step("nodrop")
    figures = golden.figures("vit_tiny_train")["optimizer"]
    groups = parameter_groups(made, layer_decay=0.75, decays_biases_and_norms=False)
    for group in groups:
        group["lr"] = figures["lr"] * group.pop("lr_scale")
    torch.optim.AdamW(groups, **{**figures, "betas": tuple(figures["betas"])}).step()
    for name, parameter in made.named_parameters():
        index = torch.randint(0, parameter.numel(), (64,), generator=generator("sample_idx", 0))
        expected = recorded[f"nodrop.after/{theirs(name)}.val"]
        torch.testing.assert_close(parameter.detach().flatten()[index], expected, atol=1e-7, rtol=0)


@pytest.mark.parametrize(("size", "width", "depth", "heads"), [("vit_base", 768, 12, 12), ("vit_large", 1024, 24, 16)])
def test_layer_decay_makes_mmaction2s_groups(size, width, depth, heads):
    expected = golden.figures("layer_decay_groups")[size]
    with torch.device("meta"):
        backbone = VisionTransformer(embed_dims=width, depth=depth, num_heads=heads)
        made = assemble_detector(backbone=backbone, roi_features=RoIFeatures(), fbo=partial(FBONone), num_classes=81)
    names = {id(parameter): theirs(name) for name, parameter in made.named_parameters()}
    groups = parameter_groups(made, layer_decay=expected["decay"], decays_biases_and_norms=False)
    found = {(round(group["lr_scale"], 12), group.get("weight_decay", 0.05)): group["params"] for group in groups}
    assert len(found) == len(groups) == len(expected["groups"])
    for group in expected["groups"]:
        members = found[round(group["lr_scale"], 12), group["weight_decay"]]
        assert (len(members), sum(one.numel() for one in members)) == (group["n_params"], group["numel"])
        if isinstance(group["params"], list):  # those of the middle layers are recorded in words
            assert {names[id(one)] for one in members} == set(group["params"])


def test_positions_are_alternating_sinusoids_over_the_flat_index():
    table = fill_sinusoids(torch.empty(1, 6, 4))[0]
    angles = torch.tensor([5.0, 5.0, 0.05, 0.05])
    expected = torch.stack([angles[0].sin(), angles[1].cos(), angles[2].sin(), angles[3].cos()])
    torch.testing.assert_close(table[5], expected)
    short, long = VisionTransformer(**{**TINY, "num_frames": 4}), VisionTransformer(**TINY)
    assert torch.equal(short.pos_embed, long.pos_embed[:, :32])  # a shorter clip has the first rows
    assert torch.equal(resized_positions(long.pos_embed, steps=4, size=(4, 4)), long.pos_embed)
    assert "pos_embed" not in long.state_dict()
    norms = [module for module in long.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert {norm.eps for norm in norms} == {1e-6}  # too little to be seen in any recorded value


def test_learned_positions_are_a_weight_of_the_lowest_layer():
    made = VisionTransformer(**TINY, learned_positions=True)
    assert made.state_dict()["pos_embed"].shape == (1, 64, 48)
    assert made.pos_embed.requires_grad
    layers = [
        made.layer_of(name) for name in ("pos_embed", "patch_embed.proj.bias", "blocks.2.norm1.bias", "norm.bias")
    ]
    assert layers == [0, 0, 3, 4]


def test_tubelets_of_one_frame_keep_every_time_step():
    made = VisionTransformer(**{**TINY, "tubelet": 1}).eval()
    assert made(torch.zeros(1, 3, 8, 32, 48)).shape == (1, 48, 8, 2, 3)


def test_another_clip_length_or_size_is_one_line():
    made = VisionTransformer(**TINY)
    with pytest.raises(InputError, match=r"num_frames is 8, and clips have 4 frames \(data\.num_frames\)"):
        made(torch.zeros(1, 3, 4, 64, 64))
    with pytest.raises(InputError, match="no whole patch of 16 x 16"):
        made(torch.zeros(1, 3, 8, 64, 15))
    for options, message in [
        ({"num_heads": 5}, "embed_dims is 48, expected a multiple of num_heads"),
        ({"num_frames": 9}, "num_frames is 9, expected a multiple of tubelet"),
        ({"drop_path_rate": 1.0}, "drop_path_rate is 1.0"),
        ({"depth": 0}, "at least 1"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            VisionTransformer(**{**TINY, **options})


def test_a_stored_configuration_makes_no_larger_table_than_its_weights():
    spec = {"_target_": "lfb_lightning.models.VisionTransformer", **TINY}
    weights = VisionTransformer(**TINY).state_dict()
    built = StoredObjects(source="a file", trusted_packages=())
    with no_larger_than(weights, source="a file"):
        built.build(spec, "backbone", DETECTOR_PARTS)
    with pytest.raises(InputError, match="by far do not fill"), no_larger_than(weights, source="a file"):
        built.build({**spec, "image_size": 4096}, "backbone", DETECTOR_PARTS)


def test_drop_path_leaves_out_whole_clips_in_training_only():
    torch.manual_seed(0)
    branch = torch.ones(400, 2, 3)
    drop = VisionTransformer(**TINY, drop_path_rate=0.25).blocks[2].drop_path
    rows = drop(branch).flatten(1)
    assert (rows == rows[:, :1]).all()
    assert sorted(rows[:, 0].unique().tolist()) == pytest.approx([0, 4 / 3])
    assert (rows[:, 0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.06)
    assert torch.equal(drop.eval()(branch), branch)


def test_gradient_checkpointing_changes_no_bit():
    def gradients(**options):
        torch.manual_seed(0)
        made = VisionTransformer(**TINY, drop_path_rate=0.5, **options)
        torch.manual_seed(1)
        made(clips_of("square")).square().mean().backward()
        return [parameter.grad for parameter in made.parameters()]

    assert all(map(torch.equal, gradients(), gradients(gradient_checkpointing=True)))
