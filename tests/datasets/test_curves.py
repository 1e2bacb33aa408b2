"""The precision-recall curves that AVA's evaluator gives to be drawn."""

import numpy as np
import torch

from lfb_lightning.metrics.evaluator import Curves
from lfb_lightning.structures import Detections
from tests.datasets.test_data import mini_data


def test_curves_come_best_first_with_the_names_of_actions_that_somebody_does(mini_dir):
    dataset, _ = mini_data(mini_dir)
    split = dataset.split("val")
    evaluator = split.evaluator(action_threshold=None)
    assert isinstance(evaluator, Curves)
    generator = torch.Generator().manual_seed(3)
    shown = set()
    for item in split.used_keyframes():
        boxes = split.annotated_boxes(item)
        labels = torch.from_numpy(split.stored_labels(item, boxes)[0]).float()
        noise = torch.rand(labels.shape, generator=generator) * torch.arange(labels.shape[1]) / 8
        shown |= set(labels.nonzero()[:, 1].tolist())
        evaluator.update(Detections([item], torch.zeros(len(boxes)), torch.from_numpy(boxes), labels + noise))
    figures = evaluator.compute()
    curves = evaluator.curves()
    names = split.columns().names
    assert sorted(curve.name for curve in curves) == sorted(names[one] for one in shown)
    assert [curve.ap for curve in curves] == sorted((curve.ap for curve in curves), reverse=True)
    assert curves[0].ap == 1.0 > curves[-1].ap
    for curve in curves:
        area, before = 0.0, 0.0
        for place, recall in enumerate(curve.recall):
            area += (recall - before) * max(curve.precision[place:])
            before = recall
        assert abs(area - curve.ap) < 1e-12
    assert abs(np.mean([curve.ap for curve in curves]) - figures["mAP"]) < 1e-12
