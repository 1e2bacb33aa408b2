"""Views show the same persons in other pixels, and their scores are averaged as Wu et al. average them."""

import numpy as np
import pytest
import torch

from lfb_lightning.clips.views import View, make_views
from lfb_lightning.errors import InputError
from lfb_lightning.structures import ViewBatch


def frames_with_a_white_box(box, height=60, width=120):
    frames = np.zeros((2, height, width, 3), dtype=np.uint8)
    x1, y1, x2, y2 = (round(value * side) for value, side in zip(box, (width, height) * 2, strict=True))
    frames[:, y1:y2, x1:x2] = 255
    return frames


@pytest.mark.parametrize("view", make_views([60, 90], flip=True, crops=3, resize="torchvision"))
@pytest.mark.parametrize("box", [(0.1, 0.2, 0.3, 0.8), (0.45, 0.25, 0.6, 0.75), (0.85, 0.1, 1.0, 0.5)])
def test_the_box_of_a_view_is_the_box_of_its_pixels(view, box):
    clip, rois, inside = view(frames_with_a_white_box(box), np.array([box]))
    assert clip.shape[2:] == (view.short_side, view.short_side)
    white = clip[0, 0] > 127
    assert bool(inside[0]) == bool(white.any())
    if inside[0]:
        rows, columns = torch.where(white)
        found = torch.tensor([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]).float()
        torch.testing.assert_close(rois[0], found, atol=1.0, rtol=0)


def test_three_crops_cover_the_long_side():
    lefts = []
    for crop in range(3):
        view = View(None, False, crop, 3, "torchvision")
        _, rois, _ = view(np.zeros((1, 60, 120, 3), np.uint8), np.array([[0.0, 0.0, 1.0, 1.0]]))
        lefts.append(rois[0].tolist())
    assert lefts == [[0.0, 0.0, 60.0, 60.0]] * 3
    portrait = View(None, False, 2, 3, "torchvision")
    clip, rois, inside = portrait(
        np.zeros((1, 120, 60, 3), np.uint8), np.array([[0.0, 0.75, 1.0, 1.0], [0.0, 0.0, 1.0, 0.4]])
    )
    assert clip.shape[2:] == (60, 60)
    assert rois[0].tolist() == [0.0, 30.0, 60.0, 60.0]
    assert inside.tolist() == [True, False]


def test_scores_are_averaged_over_crops_then_over_groups():
    inside = torch.tensor([[True, True], [True, False], [False, True]])
    batch = ViewBatch(views=(), inside=inside, groups=[0, 0, 1])
    scores = torch.tensor([[[0.2], [0.6]], [[0.4], [9.0]], [[9.0], [0.8]]])
    # person 0: mean(.2, .4) in group 0, unseen in group 1; person 1: .6 in group 0, .8 in group 1
    torch.testing.assert_close(batch.reduced(scores), torch.tensor([[0.3], [0.7]]))


def test_other_numbers_of_crops_are_refused():
    with pytest.raises(InputError, match="test_crops is 2"):
        make_views([256], flip=False, crops=2, resize="torchvision")
