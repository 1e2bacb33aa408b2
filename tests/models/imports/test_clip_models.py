"""The original release's models of whole clips: Charades' and EPIC-Kitchens', told from AVA's by their classifiers."""

import numpy as np
import pytest
import torch

from lfb_lightning.errors import InputError
from lfb_lightning.models import load_detector
from lfb_lightning.models.imports import import_weights
from lfb_lightning.structures import BankWindow
from tests.models.imports.caffe2 import blobs_of, clip_model, operator, write
from tests.models.imports.test_layouts import I3D, NONE, detector

NL = {"latent_channels": 8, "num_layers": 2, "mask_padding": False}
CLIPS = torch.randn(2, 3, 8, 64, 64, generator=torch.Generator().manual_seed(0))
ROIS = torch.tensor([[0, 3.0, 4, 9, 9], [1, 0.0, 0, 64, 64]])  # boxes are not looked at
CASES = {  # classes, the operator, the depth, the option fbo=, width of the bank, what is said
    "charades_r50_lfb_nl": (157, operator("NonLocal", pre_act=False, **NL), 50, None, 128),
    "charades_r50_lfb_avg": (157, operator("Avg"), 50, "avg", 128),
    "charades_r50_baseline": (157, NONE, 50, None, 128),
    "charades_r101_lfb_nl": (157, operator("NonLocal", pre_act=False, **NL), 101, None, 128),
    "epic55_verbs_r50_lfb_nl": (125, operator("NonLocal", **NL), 50, None, 128),
    "epic55_verbs_r50_lfb_max": (125, operator("Max"), 50, "max", 128),
    "epic55_nouns_r50_baseline": (352, NONE, 50, None, 128),
    "epic55_nouns_r50_lfb_nl": (352, operator("NonLocal", **NL), 50, None, 24),
    "epic55_nouns_r50_lfb_max": (352, operator("Max"), 50, "max", 24),
}


def normalized(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def linear(blobs, name, x):
    return x @ blobs[f"{name}_w"].reshape(len(blobs[f"{name}_b"]), -1).T + blobs[f"{name}_b"]


def scored(blobs, pooled, slots, kind):
    """The head in numpy: `lfb_helper.py` of the release by its names; slots are zero where the window is empty."""
    if kind == "lfb_nl":
        query = linear(blobs, "res5_2_branch2c_bn_pooled_fbonl_reduc", pooled)
        memory = linear(blobs, "lfb_1x1", slots)
        for layer in range(2):
            theta, phi, g = (
                linear(blobs, f"lfb_nl{layer}_{part}", of)
                for part, of in (("theta", query), ("phi", memory), ("g", memory))
            )
            logits = np.einsum("rc,rsc->rs", theta, phi) / np.sqrt(theta.shape[1])
            weights = np.exp(logits - logits.max(1, keepdims=True))
            y = np.einsum("rs,rsc->rc", weights / weights.sum(1, keepdims=True), g)
            if len(blobs["pred_b"]) == 157:
                query = np.maximum(query + normalized(linear(blobs, f"lfb_nl{layer}_out", y)), 0)
            else:
                query = query + linear(blobs, f"lfb_nl{layer}_out", np.maximum(normalized(y), 0))
        pooled = np.concatenate([pooled, query], axis=1)
    elif kind != "baseline":
        pooled = np.concatenate([pooled, slots.max(1) if kind == "lfb_max" else slots.mean(1)], axis=1)
    return linear(blobs, "pred", pooled)


FURTHER = {"charades_r50_baseline", "epic55_verbs_r50_lfb_max", "epic55_nouns_r50_baseline", "epic55_nouns_r50_lfb_nl"}


@pytest.mark.parametrize(
    "preset", [pytest.param(name, marks=[pytest.mark.thorough] if name in FURTHER else []) for name in CASES]
)
@torch.no_grad()
def test_a_clip_model_is_told_by_its_classes_and_scores_as_the_releases_head(preset, tmp_path):
    classes, fbo, depth, hint, width = CASES[preset]
    kind = preset.split("_", 2)[2] if preset.startswith("charades") else preset.split("_", 3)[3]
    dilated = preset.startswith("charades_r50")
    made = clip_model(classes, fbo, depth=depth, dilated=dilated, bank_channels=width if width != 128 else None)
    blobs = blobs_of(made)
    result = import_weights(write(tmp_path / "model_final.pkl", blobs), fbo=hint)
    assert result.report.unexplained == []
    assert result.report.model.endswith(f"experiment={preset}")
    assert (result.has_head, result.spec["num_classes"]) == (True, classes)
    assert result.spec["backbone"].get("spatial_dilations", [1] * 4) == [1, 1, 1, 2 if dilated else 1]
    assert (result.clips["num_frames"], result.clips["frame_stride"]) == (32, 4 if classes == 157 else 2)
    assert bool(result.loss) == (classes != 157)  # softmax: one verb, one noun
    reads_objects = classes == 352 and kind != "baseline"
    assert result.spec.get("bank_name") == ("objects" if reads_objects else None)
    back = load_detector(tmp_path / "model_final.pkl") if hint is None else None
    if back is None:
        result.save(tmp_path / "ours.ckpt", source="model_final.pkl")
        back = load_detector(tmp_path / "ours.ckpt")
    slots, mask = torch.randn(2, 5, width).relu(), torch.tensor([[1, 1, 1, 0, 0], [1] * 5], dtype=torch.bool)
    slots[~mask] = 0
    pooled = made.backbone(CLIPS).mean(dim=(2, 3, 4))
    expected = scored(blobs, pooled.double().numpy(), slots.double().numpy(), kind)
    got = back.eval()(CLIPS, ROIS, None if kind == "baseline" else BankWindow(slots, mask))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(got.numpy(), expected, atol=2e-4 * np.abs(expected).max())


def of_classes(number, pooled, tmp_path):
    return write(tmp_path / "other.pkl", blobs_of(clip_model(number, operator("NonLocal", **NL)), pooled=pooled))


def test_another_number_of_classes_is_told_in_a_line(tmp_path):
    path = write(tmp_path / "other.pkl", blobs_of(clip_model(97, NONE)))
    expected = r"97 classes, expected 80 \(AVA\), 157 \(Charades\), 125 \(EPIC.* verbs\), 352 .*; strict=false takes it"
    with pytest.raises(InputError, match=expected) as error:
        import_weights(path)
    assert "\n" not in str(error.value)
    assert import_weights(path, strict=False).spec["roi_features"]["_target_"].endswith("RoIFeatures")


@pytest.mark.parametrize("number", [80, 97])
def test_a_projection_that_reads_clips_is_no_detector_of_persons(number, tmp_path):
    path = of_classes(number, "res5_2_branch2c_bn_pooled", tmp_path)
    for strict in (True, False):
        with pytest.raises(InputError, match=rf"{number} classes, expected .*: it scores whole clips of none of these"):
            import_weights(path, strict=strict)


@pytest.mark.parametrize("number", [60, 157])
def test_a_projection_that_reads_boxes_is_a_detector_of_persons_whatever_it_scores(number, tmp_path):
    result = import_weights(of_classes(number, "box_pooled", tmp_path))
    assert result.report.model == ""
    assert result.spec["roi_features"]["_target_"].endswith("RoIFeatures")
    assert result.spec["num_classes"] == number + 1  # the score column is the action id
    assert result.clips["frame_stride"] == 2


def test_a_classifier_of_kinetics_gives_a_backbone(tmp_path):
    result = import_weights(write(tmp_path / "r50_k400_pretrained.pkl", blobs_of(clip_model(400, NONE))))
    assert (result.has_head, result.report.model, result.loss) == (False, "", None)


def test_avas_baseline_is_one_of_persons_as_ever(tmp_path):
    blobs = blobs_of(detector(I3D, NONE, aligned=False))
    for name in ("pred_w", "pred_b"):
        blobs[name] = blobs[name][1:]
    blobs = {name: value for name, value in blobs.items() if not name.endswith("momentum")}
    result = import_weights(write(tmp_path / "ava.pkl", blobs))
    assert (result.spec["num_classes"], result.report.model) == (81, "")
    assert result.spec["backbone"]["spatial_dilations"] == [1, 1, 1, 2]
    assert result.spec["roi_features"]["_target_"].endswith("RoIFeatures")
