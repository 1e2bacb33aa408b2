"""Frame-mAP over batches: which scores are detections, whose keyframes count, and which of two arrivals."""

import numpy as np
import pandas as pd
import pytest
import torch

from lfb_lightning.ava.annotations import Annotations, no_annotations, read_annotations
from lfb_lightning.ava.label_map import LabelMap
from lfb_lightning.metrics import FrameMeanAP
from lfb_lightning.structures import Detections, Keyframe

LABELS = LabelMap({1: "one", 2: "two"})
KEY = Keyframe("v", 902)
RIGHT, WRONG = [0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]


def truth(tmp_path, text="v,902,0.1,0.1,0.5,0.5,1,0\n"):
    (tmp_path / "gt.csv").write_text(text)
    return read_annotations(tmp_path / "gt.csv", LABELS)


def batch(keyframes, boxes, scores):
    return Detections(
        keyframes,
        torch.arange(len(keyframes)),
        torch.tensor(boxes, dtype=torch.float64),
        torch.tensor([[0.0, *row] for row in scores], dtype=torch.float64),
    )


@pytest.mark.parametrize(("threshold", "kept"), [(None, [0.5, 0.75]), (0.5, [0.75]), (0.75, [])])
def test_a_score_equal_to_the_threshold_is_no_detection(tmp_path, threshold, kept):
    metric = FrameMeanAP(truth(tmp_path), action_threshold=threshold)
    metric.update(batch([KEY], [RIGHT], [[0.5, 0.75]]))
    metric.compute()
    assert metric.detections["score"].tolist() == kept
    assert metric.result.per_class[1] == (1.0 if threshold is None else 0.0)


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_a_keyframe_that_arrives_twice_counts_as_it_was_first_seen(tmp_path, in_one_batch):
    metric = FrameMeanAP(truth(tmp_path))
    if in_one_batch:
        metric.update(batch([KEY, KEY], [RIGHT, WRONG], [[0.5, 0.1], [0.9, 0.2]]))
    else:
        metric.update(batch([KEY], [RIGHT], [[0.5, 0.1]]))
        metric.update(batch([KEY], [WRONG], [[0.9, 0.2]]))
    assert float(metric.compute()) == 1.0  # with the second arrival, a better scored false positive, it would be 0.5
    assert metric.detections["score"].tolist() == [0.5, 0.1]
    assert metric.result.num_detections == {1: 1, 2: 1}


def test_a_second_arrival_at_another_keyframe_is_no_repetition(tmp_path):
    metric = FrameMeanAP(truth(tmp_path))
    metric.update(batch([KEY, Keyframe("v", 903), Keyframe("w", 902)], [RIGHT] * 3, [[0.5, 0.1]] * 3))
    metric.compute()
    assert len(metric.detections) == 6


def test_who_is_found_in_a_keyframe_of_nobody_is_wrong(tmp_path):
    text = "v,902,0.1,0.1,0.5,0.5,1,0\n"
    for rows, expected in ((text, 1.0), (text + "v,903\n", 0.5), ("a,1\n" + text, 1.0)):
        metric = FrameMeanAP(truth(tmp_path, rows))
        metric.update(batch([KEY, Keyframe("v", 903)], [RIGHT, WRONG], [[0.5, 0.0], [0.9, 0.0]]))
        assert float(metric.compute()) == expected


def test_without_truth_there_are_detections_and_no_map():
    metric = FrameMeanAP(no_annotations(LABELS))
    metric.update(batch([KEY], [RIGHT], [[0.5, 0.25]]))
    assert np.isnan(float(metric.compute()))
    assert metric.detections["score"].tolist() == [0.5, 0.25]
    assert isinstance(metric.annotations, Annotations)
    assert metric.annotations.keyframes == []
    assert isinstance(metric.annotations.rows, pd.DataFrame)


def test_the_curve_of_each_class_with_truth(tmp_path):
    rows = "v,902,0.1,0.1,0.5,0.5,1,0\nv,903,0.1,0.1,0.5,0.5,1,0\nv,904,0.1,0.1,0.5,0.5,1,0\n"
    metric = FrameMeanAP(truth(tmp_path, rows))
    moments = [Keyframe("v", 902), Keyframe("v", 903), Keyframe("v", 904)]
    metric.update(batch(moments, [RIGHT, WRONG, RIGHT], [[0.9, 0.1], [0.8, 0.1], [0.7, 0.1]]))
    metric.compute()
    assert metric.result.curves.keys() == {1}
    precision, recall = metric.result.curves[1]
    assert precision.tolist() == [1.0, 2 / 3]
    assert recall.tolist() == [1 / 3, 2 / 3]
    assert metric.result.per_class[1] == pytest.approx(1 / 3 + 1 / 3 * 2 / 3)
