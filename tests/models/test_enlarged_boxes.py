"""Boxes as VideoMAE's detection code enlarges them in tests: its own recorded boxes and logits."""

import pytest
import torch

from lfb_lightning.models import RoIFeatures
from lfb_lightning.models.regions import enlarged
from tests.models.backbones import golden
from tests.models.backbones.test_vit import TINY, clips_of, detector

SHARES = (0.1, 0.05)


def test_boxes_are_enlarged_as_the_source_does():
    recorded, given = golden.load("vit_tiny_peers"), golden.load("vit_tiny_io")["rect.rois"]
    found = enlarged(given, SHARES, height=64, width=96)
    torch.testing.assert_close(found, recorded["orig.rois_extended"], atol=1e-5, rtol=0)
    assert enlarged(given[:0], SHARES, height=64, width=96).shape == (0, 5)


def test_a_detector_that_enlarges_gives_the_sources_logits_of_the_boxes_as_detected():
    recorded, given = golden.load("vit_tiny_peers"), golden.load("vit_tiny_io")["rect.rois"]
    made = detector(roi_features=RoIFeatures(output_size=7, aligned=False, enlarge=[0.1, 0.05]), **TINY)
    with torch.inference_mode():
        logits = made(clips_of("rect"), given)
    torch.testing.assert_close(logits[:, 1:], recorded["orig.logits"], atol=1e-5, rtol=0)


def test_training_sees_boxes_as_they_are():
    feature_map, rois = torch.rand(1, 2, 1, 4, 6), torch.tensor([[0.0, 20, 10, 60, 40]])
    plain, enlarging = RoIFeatures(output_size=2).train(), RoIFeatures(output_size=2, enlarge=[0.5, 0.5]).train()
    assert torch.equal(enlarging(feature_map, rois, stride=16), plain(feature_map, rois, stride=16))
    assert not torch.equal(enlarging.eval()(feature_map, rois, stride=16), plain(feature_map, rois, stride=16))
    assert "enlarge" not in vars(plain)  # what features are known by is as before where it is off


@pytest.mark.parametrize("shares", [[0.1], [-0.1, 0.1], [0.1, float("nan")], [99.0, 0.0]])
def test_other_shares_are_refused(shares):
    with pytest.raises(ValueError, match="expected the shares of width and height"):
        RoIFeatures(enlarge=shares)
