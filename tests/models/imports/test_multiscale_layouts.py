"""MViTv2, Swin and V-JEPA 2 in every published layout: each key accounted for, each weight where it belongs."""

import re

import pytest
import torch

from lfb_lightning.models import VJEPA2, MViT, Swin3d
from lfb_lightning.models.imports import import_weights
from lfb_lightning.models.loading import load_backbone
from tests.models.backbones import golden
from tests.models.backbones.test_mvit import RENAMED
from tests.models.backbones.test_mvit import TINY as TINY_MVIT
from tests.models.backbones.test_swin3d import TINY as TINY_SWIN
from tests.models.backbones.test_vjepa2 import TINY as TINY_VJEPA2
from tests.models.imports.test_modern_layouts import smaller


def body(backbone):
    """A backbone's weights without the prefix, each of its own values."""
    torch.manual_seed(1)
    return {
        name: torch.randn(value.shape) if value.is_floating_point() else value
        for name, value in backbone.state_dict().items()
    }


def theirs(weights, last_norm):
    """PySlowFast's names; mmaction2's have another last norm and another first convolution."""
    found = {}
    for name, value in weights.items():
        for pattern, replacement in RENAMED:
            name = re.sub(pattern, replacement.replace("norm3.", last_norm), name)
        found[name] = value.view(1, 1, -1) if name == "cls_token" else value
    return found


def torchvision_mvit(weights):
    return {**weights, "head.1.weight": torch.ones(400, 32), "head.1.bias": torch.ones(400)}


def pyslowfast_mvit(weights):
    renamed = {
        name.replace("patch_embed.projection", "patch_embed.proj"): value
        for name, value in theirs(weights, "norm.").items()
    }
    head = {"head.projection.weight": torch.ones(80, 32), "head.projection.bias": torch.ones(80)}
    return {"model_state": {**renamed, **head}}


def mmaction2_mvit(weights):
    named = {f"backbone.{name}": value for name, value in theirs(weights, "norm3.").items()}
    return {
        "state_dict": {**named, "cls_head.fc_cls.weight": torch.ones(400, 32), "cls_head.fc_cls.bias": torch.ones(400)}
    }


def torchvision_swin(weights):
    return {**weights, "head.weight": torch.ones(400, 32), "head.bias": torch.ones(400)}


def transformers_vjepa2(weights):
    return {**weights, "predictor.layernorm.weight": torch.ones(3)}


def classifier_vjepa2(weights):
    named = {f"vjepa2.{name}": value for name, value in weights.items()}
    return {**named, "pooler.query_tokens": torch.ones(1, 1, 48), "classifier.weight": torch.ones(7, 48)}


FORMS = {
    "torchvision MViT": (MViT, TINY_MVIT, torchvision_mvit),
    "PySlowFast MViT": (MViT, TINY_MVIT, pyslowfast_mvit),
    "mmaction2 MViT": (MViT, TINY_MVIT, mmaction2_mvit),
    "torchvision Swin": (Swin3d, TINY_SWIN, torchvision_swin),
    "V-JEPA 2": (VJEPA2, {**TINY_VJEPA2, "num_heads": 3}, transformers_vjepa2),
    "V-JEPA 2 classifier": (VJEPA2, {**TINY_VJEPA2, "num_heads": 3}, classifier_vjepa2),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_weight_comes_home_and_the_model_is_read_off_their_shapes(form, tmp_path):
    make, options, written = FORMS[form]
    weights = body(make(**options))
    content = written(weights)
    torch.save(content, tmp_path / "their.pth")
    result = import_weights(tmp_path / "their.pth")
    assert result.report.unexplained == []
    sources = [entry.source for entry in result.report.entries if entry.source is not None]
    assert sorted(sources) == sorted(content.get("model_state", content.get("state_dict", content)))
    for name, value in weights.items():
        torch.testing.assert_close(result.weights[f"backbone.{name}"], value, atol=0, rtol=0, msg=name)
    read = result.spec["backbone"]
    assert read["_target_"] == f"lfb_lightning.models.{make.__name__}"
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    assert given.items() <= read.items()
    assert result.has_head == (form == "PySlowFast MViT")


@pytest.mark.parametrize("form", FORMS)
def test_a_backbone_starts_from_it(form, tmp_path):
    make, options, written = FORMS[form]
    weights = body(make(**options))
    torch.save(written(weights), tmp_path / "their.pth")
    backbone = make(**options)
    load_backbone(backbone, tmp_path / "their.pth")
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, weights[name]), name


@pytest.mark.parametrize("name", ["torchvision_mvit_v2_s", "pyslowfast_mvitv2_s", "mmaction2_mvitv2_s_recognizer"])
def test_every_key_of_a_published_file_is_accounted_for(name, tmp_path):
    table = golden.layout(name)
    weights = {key: torch.zeros(smaller(key, shape, 16)) for key, shape in table.items()}
    torch.save({"model_state" if "pyslowfast" in name else "state_dict": weights}, tmp_path / "their.pth")
    result = import_weights(tmp_path / "their.pth")
    assert result.report.unexplained == []
    assert sorted(entry.source for entry in result.report.entries if entry.source is not None) == sorted(table)
    expected = {"embed_dims": 6, "num_heads": 1, "stage_blocks": [1, 2, 11, 2], "num_frames": 16, "image_size": 224}
    assert expected.items() <= result.spec["backbone"].items()
