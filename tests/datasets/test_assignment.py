"""mmaction2's eight worked examples of assigning and sampling."""

import json

import numpy as np
import pytest
import torch

from lfb_lightning.datasets.ava.assignment import assign, sample_persons
from lfb_lightning.structures import GroundTruth
from tests.models import golden

EXAMPLES = json.loads((golden.GOLDEN / "loss_assign_golden.json").read_text())["assign"]


def truth_of(example):
    labels = np.zeros((len(example["gt"]), 81), dtype=bool)
    for row, ids in zip(labels, example["gt_labels"], strict=True):
        row[ids] = True
    return GroundTruth(boxes=np.array(example["gt"], dtype=np.float64), labels=labels)


@pytest.mark.parametrize("name", ["A", "B", "C", "D", "E", "H"])
def test_worked_example(name):
    example = EXAMPLES[name]
    proposals = np.array(example["proposals"], dtype=np.float64).reshape(-1, 4)
    truth = truth_of(example)
    assigned = assign(truth.boxes, proposals)
    assert (assigned + 1).tolist() == example["assigned_before_gt_added"]["gt_inds"]
    persons = sample_persons(truth, proposals)
    np.testing.assert_allclose(persons.boxes, example["rois"])
    assert persons.num_positive == example["n_pos"]
    assert [np.flatnonzero(row).tolist() for row in persons.labels] == example["roi_labels"]
    assert persons.source.tolist() == [*example["pos_inds"], *example["neg_inds"]]


@pytest.mark.parametrize(("name", "proposal"), [("F", [0, 0, 100, 100]), ("G", [200, 200, 300, 300])])
def test_more_than_thirty_two_are_drawn_from(name, proposal):
    example = EXAMPLES[name]
    proposals = np.array([proposal] * 40, dtype=np.float64)
    persons = sample_persons(truth_of(example), proposals, generator=torch.Generator().manual_seed(0))
    assert len(persons.boxes) == 32
    assert persons.num_positive == example["n_pos"]
    assert (np.diff(persons.source[: persons.num_positive]) > 0).all()
    assert (np.diff(persons.source[persons.num_positive :]) > 0).all()
    assert not persons.labels[persons.num_positive :].any()
