"""Runs whose evaluators store no detections are compared where both say that they were judged by the same."""

import pytest

from lfb_lightning.reporting.comparison import compare_subjects
from lfb_lightning.reporting.run_folder import RunFolder
from lfb_lightning.reporting.sources import Sources
from lfb_lightning.reporting.subjects import Subject


def subject(folder, accuracy, **truth):
    metrics = {"main_figure": "all_verb_accuracy_at_1", "all_verb_accuracy_at_1": accuracy, **truth}
    run = RunFolder(name="a", path=folder, config=None, metrics=metrics, log=None, results=None)
    return Subject(name="a", place=str(folder), kind="test", sources=Sources(), run=run)


@pytest.mark.parametrize(
    ("one", "two", "difference", "reason"),
    [
        ({"truth_digest": "a"}, {"truth_digest": "a"}, 5.0, "no interval, since the first has no stored detections"),
        ({"truth_digest": "a"}, {"truth_digest": "b"}, None, "it was judged by another ground truth or other classes"),
        ({"truth_digest": "a"}, {}, None, "nothing says whether it was judged by the same ground truth"),
    ],
)
def test_segments_are_compared_by_the_digest_of_their_truth(one, two, difference, reason, tmp_path):
    first, second = subject(tmp_path, 50.0, **one), subject(tmp_path, 55.0, **two)
    found = compare_subjects(first, second, 0, resamples=10, seed=0)
    assert (found.comparable, found.difference, found.reason) == (difference is not None, difference, reason)
