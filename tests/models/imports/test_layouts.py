"""Every layout: a model of ours, renamed to their names, comes back whole; what nobody knows is refused."""

import pickle

import numpy as np
import pytest
import torch

from lfb_lightning.errors import InputError
from lfb_lightning.models import build_detector, load_detector
from lfb_lightning.models.imports import import_weights

SLOWONLY = {
    "_target_": "lfb_lightning.models.ResNet3d",
    "depth": 50,
    "base_channels": 4,
    "spatial_dilations": [1, 1, 1, 2],
}
I3D = {
    **SLOWONLY,
    "stem_temporal_kernel": 5,
    "temporal_kernels": [3, [3, 1, 3, 1], [3, 1, 3, 1, 3, 1], [1, 3, 1]],
    "halve_time": True,
    "freeze_batch_norm": True,
    "nonlocal_after": [[], [1, 3], [1, 3, 5], []],
    "nonlocal_group_frames": 4,
}
NL = {
    "_target_": "lfb_lightning.models.FBONonLocal",
    "_partial_": True,
    "latent_channels": 8,
    "num_layers": 3,
    "mask_padding": False,
}
NONE = {"_target_": "lfb_lightning.models.FBONone", "_partial_": True}
CLIPS = torch.randn(1, 3, 8, 64, 64, generator=torch.Generator().manual_seed(0))
ROIS = torch.tensor([[0, 4.0, 4, 50, 60], [0, 10, 10, 40, 20]])


def detector(backbone, fbo, aligned=True):
    torch.manual_seed(0)
    made = build_detector(
        {
            "_target_": "lfb_lightning.models.assemble_detector",
            "backbone": backbone,
            "roi_features": {"_target_": "lfb_lightning.models.RoIFeatures", "output_size": 7, "aligned": aligned},
            "fbo": fbo,
            "num_classes": 81,
        }
    )
    for name, value in made.state_dict().items():
        if value.is_floating_point() and not name.startswith("fbo.mean"):
            value.copy_(
                torch.rand_like(value) + 0.5
                if name.endswith(("running_var", "fbo.std"))
                else 0.1 * torch.randn_like(value)
            )
    made.head.weight.data[0] = 0
    made.head.bias.data[0] = 0
    return made.eval()


def slowfast_name(key):
    parts = key.split(".")
    if parts[0] == "head":
        return f"head.projection.{parts[1]}"
    if parts[1] == "stem":
        return f"s1.pathway0_stem.{'.'.join(parts[2:])}"
    _, _, stage, block, part, kind, *leaf = parts
    branch = {"downsample": "branch1", "conv1": "branch2.a", "conv2": "branch2.b", "conv3": "branch2.c"}[part]
    return f"s{int(stage) + 2}.pathway0_res{block}.{branch}{'_bn' if kind == 'bn' else ''}.{'.'.join(leaf)}"


def pytorchvideo_name(key):
    parts = key.split(".")
    if parts[0] == "head":
        return f"detection_head.proj.{parts[1]}"
    if parts[1] == "stem":
        return f"model.blocks.0.{'conv' if parts[2] == 'conv' else 'norm'}.{parts[3]}"
    _, _, stage, block, part, kind, leaf = parts
    kind = {"conv": "conv", "bn": "norm"}[kind]
    names = {"downsample": f"branch1_{kind}", "conv1": f"branch2.{kind}_a", "conv2": f"branch2.{kind}_b"}
    return f"model.blocks.{int(stage) + 1}.res_blocks.{block}.{names.get(part, f'branch2.{kind}_c')}.{leaf}"


@pytest.mark.parametrize("name_of", [slowfast_name, pytorchvideo_name])
def test_slow_r50_detection_weights(tmp_path, name_of):
    made = detector(SLOWONLY, NONE)
    weights = {}
    for key, value in made.state_dict().items():
        weights[name_of(key)] = (
            value[1:] if key.startswith("head.") else value
        )  # their column is the action id minus one
    torch.save({"model_state": weights, "epoch": 3}, tmp_path / "their.pyth")
    result = import_weights(tmp_path / "their.pyth")
    assert result.report.unexplained == []
    torch.testing.assert_close(load_detector(tmp_path / "their.pyth")(CLIPS, ROIS), made(CLIPS, ROIS))


def caffe2_name(key):
    parts = key.split(".")
    leaf = {"weight": "w", "bias": "b"}.get(parts[-1])
    if parts[0] == "head":
        return f"pred_{leaf}"
    if parts[0] == "fbo":
        if parts[1] in ("mean", "std") or "norm" in parts:
            return None
        if parts[1] == "layers":
            part = {"query": "theta", "key": "phi", "value": "g", "out": "out"}[parts[3]]
            return f"lfb_nl{parts[2]}_{part}_{leaf}"
        return {"short_term_projection": "box_pooled_fbonl_reduc", "long_term_projection": "lfb_1x1"}[
            parts[1]
        ] + f"_{leaf}"
    norm = {"weight": "s", "bias": "b"}.get(parts[-1])
    if parts[1] == "stem":
        return "conv1_w" if parts[2] == "conv" else norm and f"res_conv1_bn_{norm}"
    if parts[1] == "nonlocals":
        stage, block = parts[2].split("_")
        prefix = f"nonlocal_conv{int(stage) + 2}_{block}_{parts[3]}"
        return (norm and f"{prefix}_{norm}") if parts[3] == "bn" else f"{prefix}_{leaf}"
    branch = {"downsample": "branch1", "conv1": "branch2a", "conv2": "branch2b", "conv3": "branch2c"}[parts[4]]
    prefix = f"res{int(parts[2]) + 2}_{parts[3]}_{branch}"
    return f"{prefix}_w" if parts[5] == "conv" else norm and f"{prefix}_bn_{norm}"


@pytest.mark.parametrize("protocol", [2, 4])
def test_original_caffe2_pickle_with_affine_norms(tmp_path, protocol):
    made = detector(I3D, NL, aligned=False)
    for name, value in made.state_dict().items():  # affine layers: no statistics; the FBO's norm has no weights
        if name.endswith("running_mean") or (".norm." in name and name.endswith("bias")):
            value.zero_()
        elif name.endswith("running_var"):
            value.fill_(1 - 1e-5)
        elif ".norm." in name:
            value.fill_(1)
    made.fbo.set_statistics(torch.zeros(made.channels), torch.ones(made.channels))
    blobs = {}
    for key, value in made.state_dict().items():
        name = caffe2_name(key)
        if name:
            array = value[1:].numpy() if key.startswith("head.") else value.numpy()
            blobs[name] = array
            blobs[f"{name}_momentum"] = np.zeros_like(array)
    blobs["lr"] = np.array(0.04)
    (tmp_path / "their.pkl").write_bytes(pickle.dumps({"blobs": blobs}, protocol=protocol))
    result = import_weights(tmp_path / "their.pkl")
    assert result.report.unexplained == []
    back = load_detector(tmp_path / "their.pkl")
    torch.testing.assert_close(back.short_term_features(CLIPS, ROIS), made.short_term_features(CLIPS, ROIS))
    for name, value in made.state_dict().items():
        torch.testing.assert_close(back.state_dict()[name], value, msg=name)


def mmaction2_weights():
    from tests.models.imports.test_mmaction2 import tiny_weights

    return tiny_weights("max")


def test_prefixes_averages_and_optimizers_are_explained(tmp_path):
    weights = mmaction2_weights()
    content = {f"module.{key}": value for key, value in weights.items()}
    content |= {"module.data_preprocessor.mean": torch.zeros(3), "module.ema_backbone_conv1": torch.zeros(2)}
    torch.save({"state_dict": content, "optimizer": {"state": {}}}, tmp_path / "theirs.pth")
    result = import_weights(tmp_path / "theirs.pth", fbo="max")
    assert result.report.counts["unused"] == 2
    assert result.report.unexplained == []
    bare = tmp_path / "bare.pth"
    torch.save(weights, bare)
    assert torch.equal(import_weights(bare, fbo="max").weights["head.bias"], result.weights["head.bias"])


def test_avg_and_max_cannot_be_told_apart_unless_the_file_says(tmp_path):
    weights = mmaction2_weights()
    torch.save({"state_dict": weights}, tmp_path / "theirs.pth")
    with pytest.raises(InputError, match="add fbo=max or fbo=avg"):
        import_weights(tmp_path / "theirs.pth")
    for key, kind, config in [
        ("cfg", "FBOMax", "shared_head=dict(type='FBOHead', fbo_cfg=dict(type='max'))"),
        (
            "config",
            "FBOAvg",
            "shared_head=dict(\n    fbo_cfg=dict(\n        channels=9, type='avg'),\n    type='FBOHead')",
        ),
        ("cfg", "FBOAvg", "{'shared_head': {'fbo_cfg': {'type': 'avg'}, 'type': 'FBOHead'}}"),
    ]:
        torch.save({"state_dict": weights, "meta": {key: config}}, tmp_path / "theirs.pth")
        assert import_weights(tmp_path / "theirs.pth").spec["fbo"]["_target_"].endswith(kind)


def test_unexplained_weights_are_an_error_until_told_otherwise(tmp_path):
    weights = mmaction2_weights()
    weights["backbone.surprise"] = torch.zeros(1)
    del weights["backbone.layer1.0.conv1.conv.weight"]
    weights["backbone.layer1.0.conv1.conv.weight"] = golden_like = torch.zeros(4, 4, 1, 1, 1)
    assert golden_like.numel() == 16
    torch.save({"state_dict": weights}, tmp_path / "theirs.pth")
    with pytest.raises(InputError, match=r"theirs\.pth: not every weight .* 'backbone\.surprise' is unused; strict"):
        import_weights(tmp_path / "theirs.pth", fbo="max")
    assert (
        import_weights(tmp_path / "theirs.pth", fbo="max", strict=False).report.unexplained[0].source
        == "backbone.surprise"
    )


def test_foreign_objects_are_stubbed_and_malice_is_not_run(tmp_path):
    weights = mmaction2_weights()

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "pwned"), "w"))

    torch.save({"state_dict": weights, "message_hub": {"history": Evil()}}, tmp_path / "theirs.pth")
    import_weights(tmp_path / "theirs.pth", fbo="max")
    torch.save({"state_dict": weights, "x": Evil()}, tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    import_weights(tmp_path / "legacy.pth", fbo="max")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"blobs": Evil()}))
    with pytest.raises(InputError, match=r"io\.open"):
        import_weights(tmp_path / "evil.pkl")
    assert not (tmp_path / "pwned").exists()


def test_unknown_layouts_show_their_first_names(tmp_path):
    torch.save({"state_dict": {"encoder.weight": torch.zeros(1)}}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"no known layout.*encoder\.weight"):
        import_weights(tmp_path / "other.pth")


def without(*names):
    return lambda weights: [weights.pop(name) for name in names]


STEM, HEAD = "backbone.conv1.conv.weight", "roi_head.bbox_head.fc_cls.weight"


@pytest.mark.parametrize(
    "spoil",
    [
        without("backbone.layer2.1.conv1.conv.weight"),
        lambda weights: weights.update({"backbone.layer1.0.conv1.conv.weight": torch.zeros(16)}),
        lambda weights: weights.update({"backbone.layer1.0.conv2.conv.weight": torch.zeros(3)}),
        lambda weights: weights.update({"backbone.layer1.0.conv2.conv.weight": torch.zeros(4, 4, 1, 3, 3) * 1j}),
        lambda weights: weights.update({HEAD: torch.tensor(1.0)}),
        lambda weights: weights.update({HEAD: torch.zeros(81)}),
        lambda weights: weights.update({STEM: torch.zeros(1 << 16, 0, 1, 7, 7)}),
    ],
)
def test_weights_that_no_model_has_are_one_line(tmp_path, spoil):
    weights = dict(mmaction2_weights())
    assert {STEM, HEAD} <= weights.keys()
    spoil(weights)
    torch.save({"state_dict": weights}, tmp_path / "theirs.pth")
    with pytest.raises(InputError, match=r"^checkpoint .*theirs\.pth: "):
        import_weights(tmp_path / "theirs.pth", fbo="max")
