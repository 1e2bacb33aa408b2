"""A checkpoint of mmaction2 gives its numbers here: outputs of its own modules at full size, and a complete tiny model."""

import pytest
import torch

from lfb_lightning.models import load_detector
from lfb_lightning.models.imports import import_weights
from lfb_lightning.structures import BankWindow
from tests.models import golden

LAYOUT = {
    "baseline": "baseline_detector",
    "nl": "lfb_nl_detector",
    "max": "lfb_max_detector",
    "avg": "lfb_avg_detector",
}


def imported(folder, model, weights):
    """Through files, as a user would: a file of mmaction2 in, a checkpoint of ours out."""
    torch.save({"meta": {}, "state_dict": weights}, folder / f"{model}.pth")
    result = import_weights(folder / f"{model}.pth", fbo=model)
    assert result.report.unexplained == []
    result.save(folder / f"{model}.ckpt", source="a test")
    return load_detector(folder / f"{model}.ckpt")


def window_of(features):
    return BankWindow(features=features, mask=(features != 0).any(dim=2))


@pytest.fixture(scope="module")
def full():
    return golden.load("golden_public")


@pytest.fixture(scope="module")
def roi_features(full, tmp_path_factory):
    detector = imported(tmp_path_factory.mktemp("full"), "baseline", golden.state_dict("baseline_detector"))
    stages = {}
    for name, module in [("conv1", detector.backbone.stem), ("maxpool", detector.backbone.pool)]:
        module.register_forward_hook(lambda _m, _i, out, name=name: stages.update({name: out}))
    for index, stage in enumerate(detector.backbone.stages, 1):
        stage[-1].register_forward_hook(lambda _m, _i, out, name=f"layer{index}": stages.update({name: out}))
    with torch.inference_mode():
        clips, rois = golden.video(), golden.rois()
        features = detector.short_term_features(clips, rois)
        logits = detector(clips, rois)
    return features.clone(), logits.clone(), stages


def test_full_size_backbone_layer_by_layer(full, roi_features):
    features, logits, stages = roi_features
    assert len(stages) == 6
    for name, value in stages.items():
        probe = value.flatten()[full[f"backbone.{name}.idx"]]
        torch.testing.assert_close(probe, full[f"backbone.{name}.val"], atol=1e-3, rtol=1e-4, msg=name)
    torch.testing.assert_close(features, full["roi_feats"], atol=1e-3, rtol=0)
    assert (logits - full["baseline.logits"]).abs().max() < 1e-3
    assert (torch.sigmoid(logits) - full["baseline.scores"]).abs().max() < 1e-4


@pytest.mark.parametrize("model", ["nl", "max", "avg"])
def test_full_size_logits(full, roi_features, model, tmp_path):
    detector = imported(tmp_path, model, golden.state_dict(LAYOUT[model]))
    window = window_of(golden.long_term())
    with torch.inference_mode():
        logits = detector.classify(roi_features[0], window, torch.arange(9))
    assert (logits - full[f"{model}.logits"]).abs().max() < 1e-3
    assert (torch.sigmoid(logits) - full[f"{model}.scores"]).abs().max() < 1e-4


def tiny_weights(model):
    weights = golden.load("tiny_c4_weights")
    own = {key.split("/", 1)[1]: value for key, value in weights.items() if key.startswith(f"{model}/")}
    backbone = {
        key.split("/", 1)[1]: value
        for key, value in weights.items()
        if key.startswith("baseline/") and "backbone." in key
    }
    return {**backbone, **own}


@pytest.mark.parametrize("model", ["baseline", "nl", "max", "avg"])
def test_tiny_model_from_end_to_end(model, tmp_path):
    io = golden.load("tiny_c4_io")
    detector = imported(tmp_path, model, tiny_weights(model))
    window = None if model == "baseline" else window_of(io["input.lt_feat"])
    with torch.inference_mode():
        features = detector.short_term_features(io["input.video"], io["input.rois"])
        logits = detector.classify(features, window, torch.arange(9))
    torch.testing.assert_close(features, io["mid.roi_feats"], atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(logits, io[f"out.{model}.logits"], atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("model", ["baseline", "nl", "max"])
def test_a_classifier_of_two_layers(model, tmp_path):
    """mmaction2's `mlp_head`: a linear layer, ReLU, and a linear layer in the place of the one."""
    io, weights, name = golden.load("tiny_c4_io"), tiny_weights(model), "roi_head.bbox_head.fc_cls"
    generator = torch.Generator().manual_seed(0)
    width = weights[f"{name}.weight"].shape[1]
    first = torch.randn(7, width, generator=generator), torch.randn(7, generator=generator)
    last = torch.randn(len(weights.pop(f"{name}.bias")), 7, generator=generator)
    del weights[f"{name}.weight"]
    weights |= {f"{name}.0.weight": first[0], f"{name}.0.bias": first[1]}
    weights |= {f"{name}.2.weight": last, f"{name}.2.bias": torch.arange(float(len(last)))}
    detector = imported(tmp_path, model, weights)
    window = None if model == "baseline" else window_of(io["input.lt_feat"])
    with torch.inference_mode():
        short_term = io["mid.roi_feats"].flatten(1)
        read = detector.fbo(short_term, window, torch.arange(9))
        features = short_term if model == "baseline" else torch.cat([short_term, read], dim=1)
        hidden = (features @ first[0].T + first[1]).clamp(min=0)
        expected = hidden @ last.T + torch.arange(float(len(last)))
        torch.testing.assert_close(
            detector.classify(short_term, window, torch.arange(9)), expected, atol=1e-4, rtol=1e-5
        )


def test_tiny_nl_layer_by_layer(tmp_path):
    io = golden.load("tiny_c4_io")
    detector = imported(tmp_path, "nl", tiny_weights("nl"))
    seen = {}
    parts = {"st_feat_conv": detector.fbo.short_term_projection}
    parts |= {f"non_local_layer_{n}.ln": layer.norm for n, layer in enumerate(detector.fbo.layers, 1)}
    parts |= {f"non_local_layer_{n}.st_feat_conv": layer.query for n, layer in enumerate(detector.fbo.layers, 1)}
    parts |= {f"non_local_layer_{n}.out_conv": layer.out for n, layer in enumerate(detector.fbo.layers, 1)}
    for name, module in parts.items():
        module.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out}))
    with torch.inference_mode():
        seen["whole"] = detector.fbo(io["mid.roi_feats"], window_of(io["input.lt_feat"]), torch.arange(9))
    assert len(seen) == 8
    for name, value in seen.items():
        expected = io[f"mid.nl.roi_head.shared_head.fbo.{name}".removesuffix(".whole")].flatten(1)
        torch.testing.assert_close(value, expected, atol=2e-5, rtol=1e-5, msg=name)


@pytest.mark.parametrize("path", sorted((golden.GOLDEN / "checkpoints").glob("*.pth")), ids=lambda path: path.stem)
def test_real_saves_of_both_branches_load(path, tmp_path):
    result = import_weights(path)
    assert result.has_head
    assert result.report.layout == "mmaction2"
    assert result.report.unexplained == []
    result.save(tmp_path / "model.ckpt", source=path.name)
    io = golden.load("tiny_c4_io")
    detector = load_detector(tmp_path / "model.ckpt")
    with torch.inference_mode():
        assert torch.isfinite(detector(io["input.video"], io["input.rois"])).all()


def test_recognizer_gives_a_backbone(tmp_path):
    weights = golden.state_dict("k400_recognizer")
    torch.save({"state_dict": weights, "optimizer": {}}, tmp_path / "k400.pth")
    result = import_weights(tmp_path / "k400.pth")
    assert not result.has_head
    assert result.report.unexplained == []
    torch.testing.assert_close(
        result.weights["backbone.stages.3.2.conv3.bn.bias"], weights["backbone.layer4.2.conv3.bn.bias"]
    )
