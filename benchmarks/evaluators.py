"""How long the evaluators of Charades and EPIC-Kitchens take: `python -m benchmarks.evaluators`.

Beside each, the official program rebuilt from its description, one class or one segment after the other, on the same scores.
"""

import os
import time

import numpy as np

from lfb_lightning.metrics import action_prior, max_over_views, official_names, segment_accuracy, video_mean_ap

WANTED_VIDEOS, WANTED_SEGMENTS = 2.0, 3.0
VIDEOS, VIEWS, CLASSES = 1814, 30, 157
SEGMENTS, VERBS, NOUNS = 9668, 97, 300
SEGMENTS_55, VERBS_55, NOUNS_55, PAIRS_55 = 5281, 125, 352, 2266


def timed(function, *arguments, **more):
    started = time.perf_counter()
    result = function(*arguments, **more)
    return result, time.perf_counter() - started


def map_of_views(views, items, places, labels):
    return video_mean_ap(max_over_views(views, items, places)[1], labels, ties="order")[1]


def map_class_by_class(views, items, places, labels):
    """A row of scores per view, collected by video; then a running count down the ranking of each class."""
    best = np.full(labels.shape, -np.inf)
    for row, item in zip(views, items, strict=True):
        best[item] = np.maximum(best[item], row)
    values = []
    for column in range(labels.shape[1]):
        right, total = 0, 0.0
        for place, video in enumerate(np.argsort(-best[:, column], kind="stable"), 1):
            if labels[video, column]:
                right += 1
                total += right / place
        values.append(total / right)
    return float(np.mean(values))


def softmax(row):
    powers = np.exp(row - row.max())
    return powers / powers.sum()


def accuracy_segment_by_segment(scores, labels, prior=None):
    """The best five of all actions of each segment, by a sort of their products."""
    right = np.zeros(2)
    for verbs, nouns, verb, noun in zip(scores["verb"], scores["noun"], labels["verb"], labels["noun"], strict=True):
        products = np.outer(softmax(verbs), softmax(nouns)) * (1 if prior is None else prior)
        best = np.argsort(-products, axis=None)[:5]
        right += [best[0] == verb * len(nouns) + noun, (best == verb * len(nouns) + noun).any()]
    return right / len(scores["verb"]) * 100


def segments(random, count, verbs, nouns):
    scores = {"verb": random.normal(size=(count, verbs)), "noun": random.normal(size=(count, nouns))}
    labels = {"verb": random.integers(0, verbs, count), "noun": random.integers(0, nouns, count)}
    for head, values in scores.items():
        values[np.arange(count), labels[head]] += 3
    return {head: values.astype(np.float32) for head, values in scores.items()}, labels


def main() -> None:
    random = np.random.default_rng(0)
    print(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("| seconds | wanted | reached | rebuilt | figures differ by |\n|---|---|---|---|---|")
    views = random.normal(size=(VIDEOS * VIEWS, CLASSES)).astype(np.float32)
    given = (views, np.tile(np.arange(VIDEOS), VIEWS), np.repeat(np.arange(VIEWS), VIDEOS))
    labels = random.random((VIDEOS, CLASSES)) < 0.05
    labels[:, 0] |= ~labels.any(axis=1)
    (mean, taken), (other, slower) = timed(map_of_views, *given, labels), timed(map_class_by_class, *given, labels)
    name = f"video mAP, {VIDEOS} videos x {VIEWS} views x {CLASSES} classes"
    print(f"| {name} | < {WANTED_VIDEOS} | {taken:.2f} | {slower:.2f} | {abs(mean - other):.0e} |")
    scores, truth = segments(random, SEGMENTS, VERBS, NOUNS)
    rules = {"participants": [f"P{one:02}" for one in random.integers(1, 38, SEGMENTS)], "unseen": ["P18"]}
    rules["tail"] = {"verb": range(11, VERBS), "noun": range(72, NOUNS)}
    (found, taken), (other, slower) = (
        timed(segment_accuracy, scores, truth, **rules),
        timed(accuracy_segment_by_segment, scores, truth),
    )
    report(f"EPIC-100, {SEGMENTS} segments", found, taken, other, slower)
    scores, truth = segments(random, SEGMENTS_55, VERBS_55, NOUNS_55)
    pairs = random.choice(VERBS_55 * NOUNS_55, PAIRS_55, replace=False)
    prior = action_prior(pairs // NOUNS_55, pairs % NOUNS_55, num_verbs=VERBS_55, num_nouns=NOUNS_55)
    (found, taken), (other, slower) = (
        timed(segment_accuracy, scores, truth, prior=prior),
        timed(accuracy_segment_by_segment, scores, truth, prior),
    )
    report(f"EPIC-55 with its prior, {SEGMENTS_55} segments, {PAIRS_55} pairs", found, taken, other, slower)


def report(name, found, taken, other, slower):
    figures = official_names(found)
    mine = [figures["all_action_accuracy_at_1"], figures["all_action_accuracy_at_5"]]
    print(f"| {name} | < {WANTED_SEGMENTS} | {taken:.2f} | {slower:.2f} | {np.abs(mine - other).max():.0e} |")


if __name__ == "__main__":
    main()
