"""The evaluators of videos and of segments: views, repetitions, what is missing, and the files that they write."""

import json
import zipfile

import numpy as np
import pytest
import torch

from lfb_lightning.metrics import SegmentAccuracy, VideoMeanAP, official_names, segment_accuracy, video_mean_ap
from lfb_lightning.metrics.evaluator import Evaluator
from lfb_lightning.metrics.score_files import read_segment_scores, read_video_scores
from lfb_lightning.structures import Detections, Keyframe

RANDOM = np.random.default_rng(3)


def batch(items, ticks, scores):
    keyframes = [Keyframe(f"v{item}", tick) for item, tick in zip(items, ticks, strict=True)]
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64).repeat(len(items), 1)
    return Detections(keyframes, torch.arange(len(items)), boxes, torch.tensor(scores), tuple(items))


@pytest.fixture
def videos():
    """Six videos of three views each, the fifth without a label."""
    labels = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]])
    return labels, RANDOM.random((6, 3, 3)).astype(np.float32)


def of_videos(labels, **more):
    return VideoMeanAP(
        video_ids=[f"v{number}" for number in range(6)], labels=labels, names={0: "a", 1: "b", 2: "never"}, **more
    )


def test_videos_in_batches_of_any_order(videos, tmp_path):
    labels, views = videos
    evaluator = of_videos(labels, groups={"first": [0], "never": [2]})
    assert isinstance(evaluator, Evaluator)
    order = [divmod(int(place), 3) for place in RANDOM.permutation(18)]
    for part in (order[:7], order[7:], order[:4]):  # the last are repetitions
        evaluator.update(batch([i for i, _ in part], [k for _, k in part], np.stack([views[i, k] for i, k in part])))
    repeated = order[0]
    evaluator.update(batch([repeated[0]], [repeated[1]], np.full((1, 3), 9.0)))
    per_class, mean = video_mean_ap(views.max(axis=1), labels)
    found = evaluator.compute()
    assert list(found) == list(evaluator.figures) == ["mAP", "mAP_first", "mAP_never"]
    assert found["mAP"] == pytest.approx(mean, abs=1e-12)
    assert found["mAP_first"] == pytest.approx(per_class[0], abs=1e-12)
    assert np.isnan(found["mAP_never"])
    summary = evaluator.summary()
    assert summary["per_class"]["1"] == pytest.approx(per_class[1], abs=1e-12)
    assert (summary["videos"], summary["videos_without_scores"]) == (6, 0)
    assert summary["num_ground_truth"] == {"0": 3, "1": 3, "2": 0}
    assert summary["counted"] == "videos"
    assert evaluator.write(tmp_path) == [tmp_path / "results.txt"]
    written = read_video_scores(tmp_path / "results.txt")
    assert written.video_ids == [f"v{number}" for number in range(6)]
    assert np.array_equal(written.scores.astype(np.float32), views.max(axis=1))
    evaluator.update(batch([0], [0], views[0, :1]))  # a new evaluation has forgotten the last one
    evaluator.compute()
    assert evaluator.summary()["videos"] == 1


def test_a_video_without_scores_ranks_last_and_is_told(videos):
    labels, views = videos
    evaluator = of_videos(labels)
    evaluator.update(batch([0, 1, 3, 4, 5], [0] * 5, views[[0, 1, 3, 4, 5], 0]))
    table = views[:, 0].astype(np.float64)
    table[2] = -np.inf
    assert evaluator.compute()["mAP"] == pytest.approx(video_mean_ap(table, labels)[1], abs=1e-12)
    assert evaluator.summary()["videos_without_scores"] == 1


def test_videos_without_annotations_have_results_and_no_figure(videos, tmp_path):
    evaluator = of_videos(None)
    evaluator.update(batch([4], [0], videos[1][4, :1]))
    assert evaluator.compute() == {}
    assert evaluator.summary()["videos"] == 1
    evaluator.write(tmp_path)
    assert (tmp_path / "results.txt").read_text().startswith("v4 0.")


def probabilities(count, width):
    powers = np.exp(RANDOM.normal(size=(count, width)))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def of_segments(labels, heads=None, **more):
    return SegmentAccuracy(
        segment_ids=[f"P01_01_{number}" for number in range(8)],
        heads=heads or {"verb": 7, "noun": 9},
        labels=labels,
        **more,
    )


@pytest.mark.parametrize("with_prior", [False, True])
def test_segments_in_two_heads(tmp_path, with_prior):
    labels = {"verb": RANDOM.integers(0, 7, 8), "noun": RANDOM.integers(0, 9, 8)}
    scores = np.concatenate([probabilities(8, 7), probabilities(8, 9)], axis=1)
    rules = {"participants": ["P01", "P02"] * 4, "tail": {"verb": [0, 1, 2, 3], "noun": [1]}, "unseen": ["P02"]}
    rules["prior"] = RANDOM.random((7, 9)) if with_prior else None
    evaluator = of_segments(labels, **rules)
    assert isinstance(evaluator, Evaluator)
    for items in ([3, 1, 0], [2, 4, 5, 6, 7], [1]):
        evaluator.update(batch(items, [5] * len(items), scores[items]))
    logits = {"verb": np.log(scores[:, :7]), "noun": np.log(scores[:, 7:])}
    expected = official_names(segment_accuracy(logits, labels, **rules))
    found = evaluator.compute()
    assert evaluator.figures[0] == "all_action_accuracy_at_1"
    assert list(found) == list(evaluator.figures)
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert evaluator.summary()["segments"] == 8
    assert evaluator.write(tmp_path) == [tmp_path / "results.npz"]
    ids, again = read_segment_scores(tmp_path / "results.npz")
    assert ids == [f"P01_01_{number}" for number in range(8)]
    assert official_names(segment_accuracy(again, labels, **rules)) == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_views_of_a_segment_are_averaged_and_one_head_is_enough(tmp_path):
    evaluator = of_segments({"verb": np.zeros(8, dtype=int)}, heads={"verb": 3})
    evaluator.update(batch([2, 2, 5], [0, 1, 0], np.array([[0.5, 0.25, 0.25], [0.0, 0.75, 0.25], [0.5, 0.5, 0.0]])))
    assert evaluator.figures == ["all_verb_accuracy_at_1", "all_verb_accuracy_at_5"]
    assert evaluator.compute() == {"all_verb_accuracy_at_1": 50.0, "all_verb_accuracy_at_5": 100.0}
    assert evaluator.summary()["segments_without_scores"] == 6
    digests = [evaluator.summary()["truth_digest"]]
    for first, items in ((0, [5, 2]), (1, [2, 5]), (0, [2, 3])):  # the same, other truth, other segments
        other = of_segments({"verb": np.array([0, 0, first, 0, 0, 0, 0, 0])}, heads={"verb": 3})
        other.update(batch(items, [0, 0], probabilities(2, 3)))
        other.compute()
        digests.append(other.summary()["truth_digest"])
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    evaluator.write(tmp_path)
    with np.load(tmp_path / "results.npz") as found:
        assert np.allclose(np.exp(found["verb_output"][0]), [0.25, 0.5, 0.25])


def test_segments_without_labels_become_a_submission(tmp_path):
    evaluator = of_segments(None)
    scores = np.concatenate([probabilities(2, 7), probabilities(2, 9)], axis=1)
    scores[0, 0] = 0
    evaluator.update(batch([6, 1], [0, 0], scores))
    assert evaluator.compute() == {}
    why = {"no_all_action_accuracy_at_1_because": "the split has no labels"}
    assert evaluator.summary() == {"segments": 2, "segments_without_scores": 6, **why}
    assert evaluator.write(tmp_path) == [tmp_path / "results.npz", tmp_path / "test.zip"]
    with zipfile.ZipFile(tmp_path / "test.zip") as archive:
        results = json.loads(archive.read("test.json"))["results"]
    assert list(results) == ["P01_01_1", "P01_01_6"]
    assert np.exp(results["P01_01_1"]["noun"]["8"]) == pytest.approx(float(scores[1, 15]), rel=1e-6)
    assert len(results["P01_01_6"]["verb"]) == 7
