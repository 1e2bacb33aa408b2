"""The mAP over videos: every oracle case by every published program's rules, and a naive loop on anything else."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lfb_lightning.errors import InputError
from lfb_lightning.metrics import max_over_views, video_mean_ap
from lfb_lightning.metrics.video_map import weighted_mean
from tests.conftest import GOLDEN

FOLDER = GOLDEN / "paper_datasets" / "charades_map"
CASES = sorted(path.stem for path in FOLDER.glob("c*.json"))
OFFICIAL = {"ties": "order", "unlabeled": "last", "nan": "last"}
NEGATIVE = {"unlabeled": "negative"}


def numbers(values):
    return np.array(values, dtype=np.float64)  # "nan", "inf" and "-inf" are texts there


def close(found, expected):
    return np.testing.assert_allclose(found, numbers(expected), rtol=0, atol=1e-12)


def read(name):
    """Scores and labels of a case as a tester has them: views are reduced, rows that only fill a batch repeat a view."""
    case = json.loads((FOLDER / f"{name}.json").read_text())
    labels = np.array(case["labels"])
    if "scores" in case:
        return case, numbers(case["scores"]).astype(case["dtype"]), labels
    views = numbers(case["views_scores_kvc"]).astype(case["dtype"])
    count, videos = views.shape[:2]
    rows = np.concatenate(
        [views.reshape(count * videos, -1), np.repeat(views[0, :1] + 9, case.get("padded_rows", 0), 0)]
    )
    places = np.concatenate([np.arange(count * videos), np.zeros(case.get("padded_rows", 0), dtype=int)])
    items, scores = max_over_views(rows, places % videos, places // videos)
    assert items.tolist() == list(range(videos))
    return case, scores, labels


def test_all_cases_are_here():
    assert len(CASES) == 18
    assert [case["case"] for case in json.loads((FOLDER / "index.json").read_text())] == CASES


@pytest.mark.parametrize("name", CASES)
def test_tied_scores_as_one_threshold(name):
    case, scores, labels = read(name)
    expected = case["expected"].get("ties_as_one_threshold")
    if expected is None:  # NaN, or infinite scores, which scikit-learn refuses
        return
    per_class, mean = video_mean_ap(scores, labels, **NEGATIVE)
    close(per_class, expected["ap"])
    close(mean, expected["mAP_over_classes_with_positives"])
    labeled_only = case["expected"].get("ties_as_one_threshold_labelled_videos_only", expected)
    if labels.any(axis=1).all() or "ties_as_one_threshold_labelled_videos_only" in case["expected"]:
        per_class, mean = video_mean_ap(scores, labels)
        close(per_class, labeled_only["ap"])
        close(mean, labeled_only["mAP_over_classes_with_positives"])


@pytest.mark.parametrize("name", CASES)
def test_the_papers_code_and_pyslowfast(name):
    case, scores, labels = read(name)
    expected = case["expected"]["lfb"]
    if "ties_as_one_threshold" not in case["expected"]:
        assert expected["mAP"] == 0  # what they say of scores that are no numbers
        return
    per_class, mean = video_mean_ap(scores, labels, **NEGATIVE)
    close(np.nan_to_num(per_class), expected["ap_zero_where_empty"])
    close(np.nan_to_num(mean), expected["mAP"])
    close(np.nan_to_num(mean), case["expected"]["pyslowfast"]["mAP"])
    close(np.nan_to_num(weighted_mean(per_class, labels)), expected["wAP"])


@pytest.mark.parametrize("name", CASES)
def test_the_official_program(name):
    case, scores, labels = read(name)
    expected = case["expected"]["matlab"]
    scores = scores.astype(np.float64)
    absent = np.isin(case["video_ids"], case.get("videos_without_prediction", []))
    scores[absent] = -np.inf
    per_class, mean = video_mean_ap(scores, labels, **OFFICIAL)
    close(per_class, expected["ap"])
    close(per_class.mean(), expected["mAP_as_printed"])
    close(mean, expected["mAP_over_classes_with_positives"])
    for ties, name in (("worst", "ap_min_over_tie_orders"), ("best", "ap_max_over_tie_orders")):
        close(video_mean_ap(scores, labels, **{**OFFICIAL, "ties": ties})[0], expected[name])


@pytest.mark.parametrize("name", CASES)
def test_the_authors_own_approximation_where_nothing_is_tied(name):
    case, scores, labels = read(name)
    expected = case["expected"].get("gsig_python")
    is_tied = any(len(np.unique(column)) < len(column) for column in scores.T)
    if expected is None or is_tied or case.get("videos_without_prediction"):
        return
    close(video_mean_ap(scores, labels, **OFFICIAL)[0], expected["ap"])


def test_the_authors_approximation_is_compared_somewhere():
    compared = [
        name
        for name in CASES
        if "gsig_python" in (case := read(name))[0]["expected"]
        and all(len(np.unique(column)) == len(column) for column in case[1].T)
    ]
    assert len(compared) >= 10


@pytest.mark.parametrize("name", ["c07_nan"])
def test_nan_is_an_error_unless_it_is_said_to_rank_last(name):
    _, scores, labels = read(name)
    row, column = np.argwhere(np.isnan(scores))[0]
    with pytest.raises(InputError, match=f"2 are NaN, the first in row {row}, class {column} "):
        video_mean_ap(scores, labels)
    behind = np.where(np.isnan(scores), -1e9, scores)
    close(video_mean_ap(scores, labels, nan="last")[0], video_mean_ap(behind, labels)[0])


def test_nan_of_a_video_that_does_not_count_does_not_matter():
    scores, labels = np.array([[np.nan], [0.5], [0.25]]), np.array([[0], [1], [1]])
    assert video_mean_ap(scores, labels)[1] == 1
    with pytest.raises(InputError, match="row 0"):
        video_mean_ap(scores, labels, unlabeled="negative")
    scores = np.array([[0.1], [np.nan], [0.25]])
    with pytest.raises(InputError, match="row 1"):  # of the table that was given
        video_mean_ap(scores, labels)


def naive(scores, labels, ties, unlabeled):
    rows = [row for row in range(len(scores)) if unlabeled != "drop" or labels[row].any()]
    values = [[-np.inf if unlabeled == "last" and not labels[r].any() else s for s in scores[r]] for r in rows]
    result = []
    for column in range(labels.shape[1]):
        precisions = []
        for place, row in enumerate(rows):
            if not labels[row, column]:
                continue
            mine, above, right = values[place][column], 0, 0
            for other, other_row in enumerate(rows):
                theirs, is_true = values[other][column], labels[other_row, column]
                before = {"threshold": True, "order": other <= place}.get(ties)
                if before is None:  # a true one ranks behind (worst) or before (best) the false ones that tie with it
                    before = other <= place if is_true else ties == "worst"
                if theirs > mine or (theirs == mine and before):
                    above, right = above + 1, right + bool(is_true)
            precisions.append(right / above)
        result.append(np.mean(precisions) if precisions else np.nan)
    return np.array(result)


@st.composite
def tables(draw):
    videos, classes = draw(st.integers(0, 9)), draw(st.integers(1, 4))
    level = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 0.75, 2.0, np.inf])
    scores = draw(st.lists(st.lists(level, min_size=classes, max_size=classes), min_size=videos, max_size=videos))
    labels = draw(
        st.lists(st.lists(st.integers(0, 1), min_size=classes, max_size=classes), min_size=videos, max_size=videos)
    )
    return np.array(scores).reshape(videos, classes), np.array(labels, dtype=int).reshape(videos, classes)


@settings(max_examples=150, deadline=None)
@given(
    tables(),
    st.sampled_from(["threshold", "order", "worst", "best"]),
    st.sampled_from(["drop", "last", "negative"]),
)
@example((np.zeros((0, 2)), np.zeros((0, 2), dtype=int)), "threshold", "drop")
def test_equals_a_naive_loop(table, ties, unlabeled):
    scores, labels = table
    per_class, mean = video_mean_ap(scores, labels, ties=ties, unlabeled=unlabeled)
    expected = naive(scores, labels, ties, unlabeled)
    close(per_class, expected)
    close(mean, np.nanmean(expected) if labels.any() else np.nan)


@settings(max_examples=50, deadline=None)
@given(tables(), st.permutations(range(9)))
def test_thresholds_depend_on_no_order_and_orders_lie_within_the_bounds(table, order):
    scores, labels = table
    order = np.array([place for place in order if place < len(scores)], dtype=int)
    per_class = video_mean_ap(scores, labels)[0]
    close(video_mean_ap(scores[order], labels[order])[0], per_class)
    close(video_mean_ap(np.exp2(scores), labels)[0], per_class)  # any increasing function
    worst, best = (video_mean_ap(scores, labels, ties=ties)[0] for ties in ("worst", "best"))
    some = video_mean_ap(scores[order], labels[order], ties="order")[0]
    judged = ~np.isnan(some)
    assert (worst[judged] <= some[judged] + 1e-12).all()
    assert (some[judged] <= best[judged] + 1e-12).all()
    assert (worst[judged] <= per_class[judged] + 1e-12).all()


def test_views_in_any_order_and_repeated():
    scores = np.array([[1.0, 5.0], [2.0, 4.0], [9.0, 9.0], [3.0, -1.0]])
    videos = np.array([7, 3, 7, 7])
    items, reduced = max_over_views(scores, videos, np.array([0, 0, 0, 1]))
    assert items.tolist() == [3, 7]
    assert reduced.tolist() == [[2, 4], [3, 5]]
    assert max_over_views(scores, videos)[1].tolist() == [[2, 4], [9, 9]]
    assert max_over_views(scores[:0], videos[:0])[1].shape == (0, 2)
    scores[0, 0] = np.nan
    assert np.isnan(max_over_views(scores, videos)[1][1, 0])


@pytest.mark.parametrize("key", ["ties", "unlabeled", "nan"])
def test_other_rules_are_refused(key):
    with pytest.raises(InputError, match=f"{key} is 'zero', expected one of"):
        video_mean_ap(np.zeros((1, 1)), np.ones((1, 1), dtype=int), **{key: "zero"})


@pytest.mark.parametrize("labels", [np.full((3, 2), 2), np.full((3, 2), -1), np.full((3, 2), 0.5)])
def test_labels_of_another_kind_are_refused(labels):
    with pytest.raises(ValueError, match="labels"):
        video_mean_ap(np.zeros((3, 2)), labels)
