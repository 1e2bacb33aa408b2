"""mmaction2's recorded bank inference: the same files, pixels, boxes and features, from JPEGs on."""

import json

import numpy as np
import pytest
import torch

from lfb_lightning.boxes import rois_from_boxes
from lfb_lightning.clips import collate
from lfb_lightning.clips.normalize import normalize
from lfb_lightning.models import build_detector
from lfb_lightning.models.checkpoint import load_weights
from lfb_lightning.models.imports import import_weights
from lfb_lightning.structures import Keyframe, Sample
from tests.factories import ava_data
from tests.models import golden
from tests.models.imports.test_mmaction2 import tiny_weights

E2E = golden.GOLDEN / "e2e"
RECORDED = json.loads((E2E / "golden_e2e.json").read_text())


@pytest.fixture(scope="module")
def data():
    return ava_data(
        video_dir=str(E2E / "rawframes"),
        label_map=str(E2E / "labels.pbtxt"),
        annotations=str(E2E / "ava_{split}.csv"),
        proposals=str(E2E / "prop.pkl"),
        excluded=str(E2E / "excl.csv"),
        source="frames",
        frame_shift=1.0,
        resize="opencv",
        mean=[0.485, 0.456, 0.406],
        std=[58.395 / 255, 57.12 / 255, 57.375 / 255],
    )


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mmaction2")
    torch.save({"state_dict": tiny_weights("baseline")}, folder / "mmaction2.pth")
    result = import_weights(folder / "mmaction2.pth")
    built = build_detector(result.spec)
    load_weights(built, result.weights, "mmaction2.pth")
    return built.eval()


@pytest.mark.parametrize("case", RECORDED, ids=[case["img_key"] for case in RECORDED])
def test_keyframe_gives_the_recorded_features(data, detector, case):
    expected = golden.load("e2e/golden_e2e")
    video_id, _, second = case["img_key"].rpartition(",")
    dataset, clips = data
    times = clips.sampling.times(int(second) - dataset.origin_second)
    assert (np.round(times * 30).astype(int) + 1).tolist() == case["frame_inds"]
    boxes = np.array(case["proposals_relative"], dtype=np.float64)
    clip, rois, _ = clips.eval_view(dataset.videos.open(video_id).clip(times), boxes)
    assert list(clip.shape) == case["inputs_shape"]
    np.testing.assert_allclose(rois.numpy(), case["proposals_px"], atol=1e-4)
    if f"{case['img_key']}.inputs_uint8" in expected:
        assert torch.equal(clip, expected[f"{case['img_key']}.inputs_uint8"])
    sample = Sample(
        Keyframe(video_id, int(second)), clip, rois, torch.from_numpy(boxes), torch.ones(len(boxes)).double()
    )
    batch = normalize(collate([sample]), mean=clips.mean, std=clips.std)
    with torch.inference_mode():
        features = detector.short_term_features(batch.clips, rois_from_boxes([rois]))
        scores = torch.sigmoid(detector.classify(features, None, torch.zeros(len(rois), dtype=torch.long)))
    torch.testing.assert_close(features, expected[f"{case['img_key']}.roi_feats"], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(scores, expected[f"{case['img_key']}.scores"], atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(boxes, expected[f"{case['img_key']}.bboxes"].numpy(), atol=1e-5)


def test_keyframes_are_those_of_mmaction2(data):
    """mmaction2's keyframes are the annotated ones without the excluded; ours add those with proposals alone."""
    annotated = {str(keyframe) for keyframe in data[0].split("train").tables.annotations.keyframes}
    assert annotated == {case["img_key"] for case in RECORDED}
