"""Resampled APs equal evaluation of the resampled files."""

import numpy as np
import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.metrics.box_rows import BoxRows
from lfb_lightning.metrics.comparison import compare
from lfb_lightning.metrics.csv_evaluation import NumberedRows
from lfb_lightning.metrics.frame_ap import evaluate
from lfb_lightning.metrics.ranking import rank

IDS = [1, 2, 3]
NUM_VIDEOS, FRAMES = 5, 4


def random_rows(seed, noise):
    """Ground truth is the same for every seed; detections are it, moved, with scores that noise spoils."""
    truth_rng, rng = np.random.default_rng(0), np.random.default_rng(seed)
    frames = np.repeat(np.arange(NUM_VIDEOS * FRAMES), 3)
    boxes = truth_rng.uniform(0, 0.5, (len(frames), 4))
    boxes[:, 2:] = boxes[:, :2] + 0.3
    classes = truth_rng.integers(1, 4, len(frames))
    truth = BoxRows(frames, classes, np.arange(len(frames), dtype=float), np.arange(len(frames)), boxes)
    moved = boxes + rng.normal(0, noise, boxes.shape)
    found = BoxRows(frames, classes, np.round(rng.random(len(frames)), 1), np.arange(len(frames)), moved)
    videos = np.repeat(np.arange(NUM_VIDEOS), FRAMES)
    return NumberedRows(truth, found, np.unique(frames), videos, np.arange(NUM_VIDEOS * FRAMES))


def repeated(rows, table, weights):
    """The table with the frames of each video `weights` times, as new frames."""
    picked = []
    for copy in range(max(weights)):
        kept = np.array([weights[rows.videos[frame]] > copy for frame in table.frames])
        part = table.select(kept)
        picked.append(BoxRows(part.frames + copy * 1000, part.classes, part.scores, part.box_of_row, part.boxes))
    columns = [
        np.concatenate([getattr(part, name) for part in picked])
        for name in ("frames", "classes", "scores", "box_of_row")
    ]
    return BoxRows(*columns, table.boxes)


@pytest.mark.parametrize("weights", [[1, 1, 1, 1, 1], [2, 0, 1, 1, 1], [0, 0, 5, 0, 0]])
def test_a_weighted_ap_is_the_ap_of_repeated_videos(weights):
    rows = random_rows(3, 0.03)
    expected = evaluate(repeated(rows, rows.ground_truth, weights), repeated(rows, rows.detections, weights), IDS)
    for ranked in rank(rows, IDS, protocol="official"):
        found = ranked.average_precision(np.array(weights, dtype=float))
        np.testing.assert_allclose(found, expected.per_class[ranked.action_id], atol=1e-12)


def test_the_better_result_is_told_from_the_same_one():
    good, bad = (
        list(rank(random_rows(seed, noise), IDS, protocol="official")) for seed, noise in ((1, 0.01), (2, 0.2))
    )
    found = compare(bad, good, NUM_VIDEOS, resamples=100, seed=0)
    assert found.low > 0
    assert found.second_is_better == 1.0
    assert found.low <= found.difference <= found.high
    assert found == compare(bad, good, NUM_VIDEOS, resamples=100, seed=0)
    same = compare(good, good, NUM_VIDEOS, resamples=20, seed=0)
    assert (same.low, same.high, same.second_is_better) == (0.0, 0.0, 0.0)


def test_nothing_to_compare_is_refused():
    ranked = list(rank(random_rows(1, 0.01), [9], protocol="official"))
    with pytest.raises(InputError, match="no ground truth"):
        compare(ranked, ranked, NUM_VIDEOS, resamples=10, seed=0)


def test_one_video_has_a_difference_and_no_interval():
    rows = [random_rows(seed, noise) for seed, noise in ((1, 0.05), (2, 0.0))]
    one_video = [
        NumberedRows(row.ground_truth, row.detections, row.annotated_frames, np.zeros_like(row.videos), row.keys)
        for row in rows
    ]
    first, second = (list(rank(row, IDS, protocol="official")) for row in one_video)
    found = compare(first, second, 1, resamples=20, seed=0)
    expected = [
        evaluate(row.ground_truth, row.detections, IDS, protocol="official", annotated_frames=row.annotated_frames).mean
        for row in rows
    ]
    assert [found.first, found.second] == pytest.approx(expected)
    assert np.isnan([found.low, found.high, found.second_is_better]).all()
