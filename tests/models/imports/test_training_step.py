"""mmaction2's recorded training step: the same persons, loss to 1e-6, gradients to 1e-5, batch norm statistics."""

import json

import numpy as np
import pytest
import torch

from lfb_lightning.boxes import rois_from_boxes
from lfb_lightning.datasets.ava.assignment import sample_persons
from lfb_lightning.models import MultiLabelLoss, build_detector
from lfb_lightning.models.checkpoint import load_weights
from lfb_lightning.models.imports import import_weights
from lfb_lightning.models.imports.layouts import MMACTION2
from lfb_lightning.models.imports.rules import rename
from lfb_lightning.structures import GroundTruth
from tests.models import golden
from tests.models.imports.test_mmaction2 import tiny_weights, window_of

CLIP_NORM = {"baseline": 40.0, "nl": 20.0, "max": 20.0}


@pytest.mark.parametrize("model", CLIP_NORM)
def test_first_step_equals_mmaction2s(model, tmp_path):
    recorded = golden.load("tiny_c4_train")
    figures = json.loads((golden.GOLDEN / "tiny_c4_train.json").read_text())[f"{model}.step0"]
    torch.save({"state_dict": tiny_weights(model)}, tmp_path / "theirs.pth")
    result = import_weights(tmp_path / "theirs.pth", fbo=model)
    spec = {**result.spec, "dropout": 0.0}
    if model == "nl":
        spec["fbo"] = {**spec["fbo"], "dropout": 0.0}
    detector = build_detector(spec)
    load_weights(detector, result.weights, "theirs.pth")
    boxes, labels = [], []
    for clip in ("clip0", "clip1"):
        given = {
            name: recorded[f"{model}.{clip}.{name}"].double().numpy()
            for name in ("gt_bboxes", "gt_labels", "proposals")
        }
        truth = GroundTruth(boxes=given["gt_bboxes"], labels=given["gt_labels"].astype(bool))
        persons = sample_persons(truth, given["proposals"])
        boxes.append(torch.from_numpy(persons.boxes).float())
        labels.append(torch.from_numpy(persons.labels).float())
    rois = rois_from_boxes(boxes)
    torch.testing.assert_close(rois, recorded[f"{model}.rois"])
    window = window_of(recorded[f"{model}.lt_feat"]) if model != "baseline" else None
    detector.train()
    features = detector.short_term_features(golden.load("tiny_c4_io")["input.video"], rois)
    logits = detector.classify(features, window, torch.arange(len(rois)))
    torch.testing.assert_close(logits, recorded[f"{model}.logits_train"], atol=2e-5, rtol=1e-5)
    loss = MultiLabelLoss()(logits, torch.cat(labels))
    assert loss.item() == pytest.approx(figures["loss"], abs=1e-6)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(detector.parameters(), CLIP_NORM[model])
    assert norm.item() == pytest.approx(figures["grad_norm_before_clip"], rel=1e-5)
    gradients = {name: parameter.grad for name, parameter in detector.named_parameters()}
    prefix = f"{model}.grad_clipped."
    compared = 0
    for key, expected in recorded.items():
        if key.startswith(prefix):
            name, _ = rename(MMACTION2, key.removeprefix(prefix))
            torch.testing.assert_close(gradients[name].flatten(), expected.flatten(), atol=1e-5, rtol=1e-4, msg=key)
            compared += 1
    assert compared >= 4
    for key in (key for key in recorded if key.startswith(f"{model}.after1.")):
        name, _ = rename(MMACTION2, key.removeprefix(f"{model}.after1."))
        np.testing.assert_allclose(detector.state_dict()[name].numpy(), recorded[key].numpy(), atol=1e-5, rtol=1e-4)
