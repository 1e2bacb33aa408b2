"""Vision transformers and SlowFast in every published layout: each key accounted for, each weight where it belongs."""

import math
import pickle
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lfb_lightning.errors import InputError
from lfb_lightning.models import FBONone, RoIFeatures, SlowFast, VisionTransformer, load_detector
from lfb_lightning.models.imports import import_weights
from lfb_lightning.models.loading import load_backbone
from tests.models.backbones import golden, test_slowfast, test_vit
from tests.models.backbones.test_slowfast import PYSLOWFAST, SLOW_4, SLOW_8
from tests.models.backbones.test_vit import TINY

NON_COMMERCIAL = "CC-BY-NC-4.0"


def sinusoids(positions, channels):
    """The fixed table by its definition, a position and a channel at a time."""
    angle = [[p / 10000 ** (2 * (c // 2) / channels) for c in range(channels)] for p in range(positions)]
    return torch.tensor([[math.cos(a) if c % 2 else math.sin(a) for c, a in enumerate(row)] for row in angle])[None]


def original(weights):
    return {name.removeprefix("backbone."): value for name, value in weights.items()}


def finetuned(weights):
    """The original's clip classifier: another norm, another head."""
    body = {name: value for name, value in original(weights).items() if not name.startswith(("norm.", "head."))}
    extra = {"fc_norm.weight": torch.ones(48), "fc_norm.bias": torch.ones(48)}
    return {**body, **extra, "head.weight": torch.ones(174, 48), "head.bias": torch.ones(174)}


def their_detector(weights):
    return {name: value[1:] if name.startswith("head.") else value for name, value in original(weights).items()}


def pretrained(weights):
    body = {f"encoder.{name}": value for name, value in original(weights).items() if not name.startswith("head.")}
    return {**body, "mask_token": torch.ones(1, 1, 24), "decoder.norm.bias": torch.ones(24)}


def hugging_face(weights, *, published):
    """Their names, of which the published files have older ones; queries, keys and values lie apart."""
    found = {"fc_norm.weight": torch.ones(48), "classifier.weight": torch.ones(7, 48), "classifier.bias": torch.ones(7)}
    parts = {"norm1": "layernorm_before", "norm2": "layernorm_after", "attn.proj": "attention.output.dense"}
    parts |= {"mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense"}
    for name, value in weights.items():
        match = re.fullmatch(r"backbone\.blocks\.(\d)\.(.*)", name)
        if match is None:
            if "patch_embed" in name:
                leaf = name.rpartition(".")[2]
                found[f"videomae.embeddings.patch_embeddings.projection.{leaf}"] = value
            continue
        attention = f"videomae.encoder.layer.{match[1]}.attention.attention."
        if match[2] == "attn.qkv.weight":
            for index, part in enumerate(("query", "key", "value")):
                found[f"{attention}{part}.weight"] = value[48 * index : 48 * (index + 1)].clone()
        elif match[2] in ("attn.q_bias", "attn.v_bias"):
            letter = match[2][5]
            found[attention + (f"{letter}_bias" if published else {"q": "query.bias", "v": "value.bias"}[letter])] = (
                value
            )
        else:
            part, _, leaf = match[2].rpartition(".")
            found[f"videomae.encoder.layer.{match[1]}.{parts[part]}.{leaf}"] = value
    return found


def mmaction2(weights):
    return {test_vit.theirs(name): value for name, value in weights.items()} | {"backbone.pos_embed": sinusoids(64, 48)}


def recognizer(weights):
    body = {
        name: value for name, value in mmaction2(weights).items() if ".norm." not in name and "roi_head" not in name
    }
    return {**body, "backbone.fc_norm.weight": torch.ones(48), "cls_head.fc_cls.weight": torch.ones(7, 48)}


VIT_FORMS = {
    "mmaction2 detector": (mmaction2, True, True),
    "mmaction2 recognizer": (recognizer, False, False),
    "original finetuned": (lambda weights: {"module": finetuned(weights)}, False, False),
    "original pretrained": (lambda weights: {"model": pretrained(weights)}, False, True),
    "original detector": (lambda weights: {"model": their_detector(weights)}, True, True),
    "Hugging Face": (lambda weights: hugging_face(weights, published=False), False, False),
    "Hugging Face, published": (lambda weights: hugging_face(weights, published=True), False, False),
}


def accounted(report):
    """The source's names in a report; `{a,b}` stands for several."""
    for entry in report.entries:
        if entry.source is not None:
            match = re.fullmatch(r"(.*)\{(.*)\}(.*)", entry.source)
            yield from [f"{match[1]}{part}{match[3]}" for part in match[2].split(",")] if match else [entry.source]


@pytest.mark.parametrize("form", VIT_FORMS)
def test_each_weight_of_a_vision_transformer_comes_home(form, tmp_path):
    make, has_head, has_norm = VIT_FORMS[form]
    expected = test_vit.detector(**TINY).state_dict()
    content = make(expected)
    if form == "Hugging Face, published":
        path = tmp_path / "model.safetensors"
        save_file({name: value.contiguous() for name, value in content.items()}, path)
    else:
        path = tmp_path / "their.pth"
        torch.save(content, path)
    result = import_weights(path)
    assert result.report.unexplained == []
    weights = content.get("model", content.get("module", content))
    assert sorted(accounted(result.report)) == sorted(weights)
    assert (result.has_head, result.license.startswith(NON_COMMERCIAL)) == (has_head, True)
    for name, value in expected.items():
        if name.startswith("head.") and not has_head:
            continue
        if name.startswith("backbone.norm.") and not has_norm:
            value = torch.ones(48) if name.endswith("weight") else torch.zeros(48)
        if name.startswith("head.") and form == "original detector":
            value = torch.cat([torch.zeros_like(value[:1]), value[1:]])
        torch.testing.assert_close(result.weights[name], value, atol=0, rtol=0, msg=name)
    assert result.clips["num_frames"] == (8 if "mmaction2" in form else 16)
    assert len(result.note) > 0 if form == "original detector" else result.note == ""


def test_an_imported_detector_gives_mmaction2s_scores(tmp_path):
    torch.save({"state_dict": mmaction2(test_vit.detector(**TINY).state_dict())}, tmp_path / "their.pth")
    recorded, made = golden.load("vit_tiny_io"), load_detector(tmp_path / "their.pth")
    with torch.inference_mode():
        logits = made(test_vit.clips_of("rect"), recorded["rect.rois"])
    golden.assert_recorded(logits, recorded, "rect.logits", atol=1e-5)


def test_an_imported_original_detector_has_its_own_head(tmp_path, caplog):
    torch.save({"model": their_detector(test_vit.detector(**TINY).state_dict())}, tmp_path / "their.pth")
    pooling = load_detector(tmp_path / "their.pth").roi_features
    assert (pooling.output_size, pooling.aligned, pooling.enlarge) == (7, False, (0.1, 0.05))
    assert len([record for record in caplog.records if "task.times_person_score=true" in record.message]) == 1
    imported = import_weights(tmp_path / "their.pth")
    assert imported.config(source="their.pth")["task"] == {"times_person_score": True}


def test_positions_that_were_trained_stay_weights(tmp_path):
    weights = original(
        test_vit.detector(**{**TINY, "tubelet": 1, "num_frames": 16}, learned_positions=True).state_dict()
    )
    weights["pos_embed"] = torch.randn(1, 16 * 196, 48)
    torch.save({"model": weights}, tmp_path / "umt.pth")
    result = import_weights(tmp_path / "umt.pth")
    assert (result.report.layout, result.license.partition(" ")[0]) == ("UMT", "MIT")
    assert result.spec["backbone"]["learned_positions"] is True
    assert (result.spec["backbone"]["num_frames"], result.spec["backbone"]["tubelet"]) == (16, 1)
    assert torch.equal(result.weights["backbone.pos_embed"], weights["pos_embed"])


def test_another_clip_length_starts_from_the_same_weights(tmp_path):
    torch.save({"module": finetuned(test_vit.detector(**TINY).state_dict())}, tmp_path / "their.pth")
    backbone = VisionTransformer(**{**TINY, "num_frames": 4, "image_size": 224})
    start = load_backbone(backbone, tmp_path / "their.pth")
    assert start.license is not None
    assert start.license in start.text


def pyslowfast_name(name):
    """PySlowFast's name of a SlowFast detector's weight."""
    parts = name.split(".")
    if parts[0] == "head":
        return f"head.projection.{parts[1]}"
    if parts[1] == "laterals":
        kind = "conv_f2s" if parts[3] == "conv" else "bn"
        return f"s{int(parts[2]) + 1}_fuse.{kind}.{parts[4]}"
    path = {"slow": "pathway0", "fast": "pathway1"}[parts[1]]
    if parts[2] == "stem":
        return f"s1.{path}_stem.{'.'.join(parts[3:])}"
    if parts[2] == "nonlocals":
        stage, block = parts[3].split("_")
        return f"s{int(stage) + 2}.{path}_nonlocal{block}.{'' if parts[4] == 'bn' else 'conv_'}{'.'.join(parts[4:])}"
    branch = {"downsample": "branch1", "conv1": "branch2.a", "conv2": "branch2.b", "conv3": "branch2.c"}[parts[5]]
    return f"s{int(parts[3]) + 2}.{path}_res{parts[4]}.{branch}{'_bn' if parts[6] == 'bn' else ''}.{parts[7]}"


SMALL = {"stage_blocks": (1, 1, 1, 1), "base_channels": 8, "fast_base_channels": 2}


@pytest.mark.parametrize("nonlocal_after", [((), (), (), ()), ((), (), (0,), ())])
def test_each_weight_of_pyslowfasts_slowfast_comes_home(nonlocal_after, tmp_path):
    expected = test_slowfast.detector(**SMALL, **PYSLOWFAST, nonlocal_after=nonlocal_after).state_dict()
    weights = {pyslowfast_name(name): value[1:] if "head" in name else value for name, value in expected.items()}
    torch.save({"model_state": weights, "epoch": 3}, tmp_path / "their.pyth")
    result = import_weights(tmp_path / "their.pyth")
    assert result.report.unexplained == []
    assert sorted(accounted(result.report)) == sorted(weights)
    for name, value in expected.items():
        if name.startswith("backbone."):
            assert torch.equal(result.weights[name], value), name
    assert torch.equal(result.weights["head.weight"][1:], expected["head.weight"][1:])
    backbone = result.spec["backbone"]
    assert (backbone["alpha"], backbone["slow_frames"], backbone["lateral_norm"]) == (4, "linspace", True)
    assert backbone.get("nonlocal_after", [[], [], [], []]) == [list(row) for row in nonlocal_after]
    assert result.spec["roi_features"]["output_size"] == 7


def caffe2_name(name):
    """The name of a SlowFast detector's weight in the Caffe2 files of PySlowFast's model zoo."""
    parts = name.split(".")
    leaf = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}
    if parts[0] == "head":
        return f"pred_{parts[1][0]}"
    if parts[1] == "laterals":
        place = "t_pool1" if parts[2] == "0" else f"t_res{int(parts[2]) + 1}_0_branch2c_bn"
        return f"{place}_subsample_" + ("w" if parts[3] == "conv" else f"bn_{leaf[parts[4]]}")
    mark = "t_" if parts[1] == "fast" else ""
    if parts[2] == "stem":
        return f"{mark}conv1_w" if parts[3] == "conv" else f"{mark}res_conv1_bn_{leaf[parts[4]]}"
    if parts[2] == "nonlocals":
        stage, block = parts[3].split("_")
        end = f"bn_{leaf[parts[5]]}" if parts[4] == "bn" else f"{parts[4]}_{parts[5][0]}"
        return f"nonlocal_conv{int(stage) + 2}_{block}_{end}"
    branch = {"downsample": "1", "conv1": "2a", "conv2": "2b", "conv3": "2c"}[parts[5]]
    end = "w" if parts[6] == "conv" else f"bn_{leaf[parts[7]]}"
    return f"{mark}res{int(parts[3]) + 2}_{parts[4]}_branch{branch}_{end}"


def test_each_weight_of_pyslowfasts_caffe2_slowfast_comes_home(tmp_path):
    nonlocal_after = ((), (), (0,), ())
    expected = test_slowfast.detector(**SMALL, **PYSLOWFAST, nonlocal_after=nonlocal_after).state_dict()
    expected = {name: value for name, value in expected.items() if not name.endswith("num_batches_tracked")}
    weights = {caffe2_name(name): (value[1:] if "head" in name else value).numpy() for name, value in expected.items()}
    assert len(weights) == len(expected)
    blobs = {
        **weights,
        "conv1_w_momentum": weights["conv1_w"],
        "t_res_conv1_bn_s_momentum": np.zeros(2),
        "lr": np.ones(1),
    }
    (tmp_path / "their.pkl").write_bytes(pickle.dumps({"blobs": blobs}, protocol=2))
    result = import_weights(tmp_path / "their.pkl")
    assert (result.report.layout, result.report.unexplained) == ("PySlowFast (SlowFast, Caffe2)", [])
    assert sorted(accounted(result.report)) == sorted(blobs)
    for name, value in expected.items():
        if name.startswith("backbone."):
            assert torch.equal(result.weights[name], value), name
    assert torch.equal(result.weights["head.bias"][1:], expected["head.bias"][1:])
    backbone, pooling = result.spec["backbone"], result.spec["roi_features"]
    assert (backbone["alpha"], backbone["slow_frames"], backbone["lateral_norm"]) == (4, "linspace", True)
    assert (backbone["nonlocal_after"], backbone["fusion_kernel"]) == ([[], [], [0], []], 7)
    assert (pooling["output_size"], pooling["aligned"]) == (7, False)


@pytest.mark.parametrize(
    ("case", "form", "pooling"),
    [
        pytest.param("tiny_4x16", SLOW_4, {}, marks=pytest.mark.thorough),
        pytest.param("tiny_8x8", SLOW_8, {}, marks=pytest.mark.thorough),
        ("tiny_context", SLOW_4, {"context": True}),
        ("tiny_temporal_max", SLOW_8, {"temporal_max": True}),
    ],
)
def test_an_imported_slowfast_gives_mmaction2s_scores(case, form, pooling, tmp_path):
    expected = test_slowfast.detector(RoIFeatures(**pooling), **test_slowfast.TINY, **form).state_dict()
    weights = {test_slowfast.theirs(name): value for name, value in expected.items()}
    config = "bbox_roi_extractor=dict(temporal_pool_mode='max')" if "temporal_max" in pooling else ""
    torch.save({"state_dict": weights, "meta": {"cfg": config}}, tmp_path / "their.pth")
    made, recorded = load_detector(tmp_path / "their.pth"), golden.load("slowfast")
    assert isinstance(made.backbone, SlowFast)
    assert isinstance(made.fbo, FBONone)
    with torch.inference_mode():
        logits = made(golden.video(2, 32, 48, 64), recorded["tiny.rois"])
    golden.assert_recorded(logits, recorded, f"{case}.logits", atol=2e-4)


def smaller(key, shape, factor):
    """A published model's shape with an eighth or a sixteenth of its channels; classes, positions and kernels stay."""
    kept = {0} if re.search(r"fc_cls|head\.|classifier", key) else {1} if key.endswith("pos_embed") else set()
    return tuple(
        size if place in kept or size % factor or (place > 1 and len(shape) == 5) else size // factor
        for place, size in enumerate(shape)
    )


FILES = golden.GOLDEN.glob("layout_*.json")
PUBLISHED = sorted(path.stem.removeprefix("layout_") for path in FILES if "mvit" not in path.stem)


ALIKE = {"mmaction2_slowfast_r50_8x8_detector", "mmaction2_videomae_l_detector"}  # they differ in numbers


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.thorough] if name in ALIKE else []) for name in PUBLISHED]
)
def test_every_key_of_a_published_file_is_accounted_for(name, tmp_path):
    table = golden.layout(name)
    shapes = {key: smaller(key, shape, 8 if "slowfast" in name else 16) for key, shape in table.items()}
    weights = {key: torch.zeros(shape) for key, shape in shapes.items()}
    if "backbone.pos_embed" in weights:
        weights["backbone.pos_embed"] = sinusoids(*shapes["backbone.pos_embed"][1:])
    torch.save({"model_state" if "pyslowfast" in name else "model": weights}, tmp_path / "their.pth")
    result = import_weights(tmp_path / "their.pth")
    assert result.report.unexplained == []
    assert sorted(accounted(result.report)) == sorted(table)
    assert result.has_head == ("detector" in name or "ava" in name)
    assert len(result.spec) == 6
    expected = {"umt_b_finetuned": (8, 1)}.get(name, (16, 2))
    if "slowfast" not in name:
        backbone = result.spec["backbone"]
        assert (backbone["num_frames"], backbone["tubelet"], backbone["image_size"]) == (*expected, 224)
        assert backbone["depth"] == (24 if "_l_" in name else 12)
    else:
        blocks = [3, 4, 23, 3] if "r101" in name else [3, 4, 6, 3]
        assert result.spec["backbone"]["stage_blocks"] == blocks
        assert result.spec["backbone"]["alpha"] == (8 if "4x16" in name else 4)


def test_a_foreign_safetensors_file_that_is_damaged_is_one_line(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"videomae.x": torch.ones(4)}, path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"model\.safetensors: cannot be read"):
        import_weights(path)
    path.write_bytes(b"\xff" * 20)
    with pytest.raises(InputError, match=r"model\.safetensors: cannot be read"):
        import_weights(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("backbone.patch_embed.projection.weight", torch.zeros(0, 3, 2, 16, 16)),
        ("backbone.patch_embed.projection.weight", torch.zeros(48, 3, 2, 0, 0)),
        ("backbone.patch_embed.projection.weight", torch.zeros(50, 3, 2, 16, 16)),
        ("backbone.pos_embed", torch.zeros(1, 47, 48)),
        ("backbone.pos_embed", torch.zeros(48)),
        ("backbone.blocks.0.mlp.layers.0.0.weight", torch.tensor(1.0)),
        ("backbone.blocks.1.attn.qkv.weight", torch.zeros(48, 48)),
        ("backbone.blocks.1.attn.surprise", torch.zeros(2)),
    ],
)
def test_weights_that_no_vision_transformer_has_are_one_line(name, value, tmp_path):
    torch.save(
        {"state_dict": {**mmaction2(test_vit.detector(**TINY).state_dict()), name: value}}, tmp_path / "their.pth"
    )
    with pytest.raises(InputError, match=r"^checkpoint .*their\.pth: "):
        import_weights(tmp_path / "their.pth")
