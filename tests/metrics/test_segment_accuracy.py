"""Accuracy over segments: every case of the official programs, and a naive count on anything else."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfb_lightning.errors import InputError
from lfb_lightning.metrics import action_prior, official_names, segment_accuracy
from lfb_lightning.metrics.segment_accuracy import action_scores
from tests.conftest import GOLDEN

FOLDER = GOLDEN / "paper_datasets"
OF_100 = [path.name for path in sorted((FOLDER / "epic100").glob("e*"))]
NAN, UNKNOWN_ID = "e10_nan", "e8_unknown_id"
SORT_DEPENDENT = {"e4_offsets", NAN}  # the official softmax runs over all segments at once and underflows
SAME_AS_OFFICIAL = sorted(set(OF_100) - SORT_DEPENDENT - {"e7_no_tail", UNKNOWN_ID})


def read(name):
    """The expectations of a case, and what `segment_accuracy` takes of it."""
    folder = FOLDER / "epic100" / name
    expected = json.loads((folder / "expected.json").read_text())
    with np.load(folder / "results.npz") as results:
        scores = {"verb": results["verb_output"], "noun": results["noun_output"]}
        rows = pd.read_csv(folder / "labels.csv").set_index("narration_id").loc[results["narration_id"]]
    return expected, {
        "scores": scores,
        "labels": {head: rows[f"{head}_class"].to_numpy() for head in ("verb", "noun")},
        "participants": rows["participant_id"].tolist(),
        "tail": {"verb": expected["tail_verbs"], "noun": expected["tail_nouns"]},
        "unseen": expected["unseen_participants"],
    }


def figures(given, **more):
    return official_names(segment_accuracy(**given, **more))


def close(found, expected, tolerance=1e-12):
    np.testing.assert_allclose(found, np.array(expected, dtype=np.float64), rtol=0, atol=tolerance)


def test_all_cases_are_here():
    assert len(OF_100) == 10
    assert len(SAME_AS_OFFICIAL) == 6


@pytest.mark.parametrize("name", sorted(set(OF_100) - {NAN, UNKNOWN_ID}))
def test_the_rule_on_each_segment_alone(name):
    expected, given = read(name)
    found = figures(given)
    assert found.keys() == expected["per_segment_softmax"].keys()
    for key, value in expected["per_segment_softmax"].items():
        close(found[key], np.nan if value is None else value)


@pytest.mark.parametrize("name", SAME_AS_OFFICIAL)
def test_the_official_program_to_the_last_digit(name):
    expected, given = read(name)
    found = {key: value for key, value in figures(given).items() if not np.isnan(value)}
    assert found == expected["official"]["metrics"]


@pytest.mark.parametrize("name", sorted(SORT_DEPENDENT))
def test_where_the_official_softmax_underflows_verbs_and_nouns_are_still_its_own(name):
    expected, given = read(name)
    found = figures(given, nan="last")
    official = {key: value for key, value in expected["official"]["metrics"].items() if "action" not in key}
    assert {key: found[key] for key in official} == official
    assert found["all_action_accuracy_at_1"] >= 30  # and actions are not counted as it does


def test_a_segment_without_scores_is_named_and_never_found():
    _, given = read(NAN)
    with pytest.raises(InputError, match=r"verb scores: 97 are NaN, the first in row 3, class 0"):
        figures(given)
    alone = {
        "scores": {"verb": np.full((1, 3), np.nan), "noun": np.array([[1.0, 0.0]])},
        "labels": {"verb": np.array([0]), "noun": np.array([0])},
    }
    found = figures(alone, nan="last")
    assert found["all_verb_accuracy_at_5"] == found["all_action_accuracy_at_5"] == 0
    assert found["all_noun_accuracy_at_1"] == 100


def read_55(name):
    case = json.loads((FOLDER / "epic55_action" / name / "case.json").read_text())
    rows = pd.read_csv(FOLDER / "epic55_action" / name / "EPIC_train_action_labels.csv")
    trained = rows[rows["participant_id"].str[1:].astype(int) <= 25]
    prior = action_prior(
        trained["verb_class"].to_numpy(),
        trained["noun_class"].to_numpy(),
        num_verbs=case["num_verbs"],
        num_nouns=case["num_nouns"],
    )
    scores = {head: np.array(case[f"{head}_logits"]) for head in ("verb", "noun")}
    return case["expected"], scores, {head: np.array(case[f"{head}_labels"]) for head in ("verb", "noun")}, prior


@pytest.mark.parametrize("name", ["a1_worked", "a2_random"])
def test_actions_of_the_papers_code(name):
    expected, scores, labels, prior = read_55(name)
    if expected["prior_noun_given_verb"] is not None:  # of the larger case, the sums of its rows are kept
        close(prior, expected["prior_noun_given_verb"])
    close(prior.sum(axis=1), expected["prior_row_sums"])
    found = {"": figures({"scores": scores, "labels": labels}, prior=prior)}
    found["_without_prior"] = figures({"scores": scores, "labels": labels}, ties="order")
    for key, value in expected["percent"].items():
        task, _, rest = key.partition("_")
        without, top = ("_without_prior", rest[-1]) if rest.startswith("without") else ("", rest[-1])
        close(found[without][f"all_{task}_accuracy_at_{top}"], value, 1e-12 if name == "a1_worked" else 5e-5)


@pytest.mark.parametrize("name", ["a1_worked", "a2_random"])
def test_scores_of_actions(name):
    expected, scores, _, prior = read_55(name)
    found = action_scores(scores["verb"], scores["noun"], prior)
    for segment, best in enumerate(expected["top5_actions_verb_noun_score"]):
        descending = np.sort(found[segment].ravel())[::-1]
        for place, (verb, noun, score) in enumerate(best):
            close(found[segment, verb, noun], score, 1e-6)
            close(descending[place], score, 1e-6)
    close(action_scores(scores["verb"], scores["noun"]).sum(axis=2), expected["verb_probabilities"], 1e-6)
    close(action_scores(scores["verb"], scores["noun"]).sum(axis=1), expected["noun_probabilities"], 1e-6)


def test_the_prior_of_a_rare_verb():
    case = json.loads((FOLDER / "epic55_action" / "a3_rare_verb.json").read_text())
    counts = np.array(case["counts_verb_noun"]).astype(int)
    verbs, nouns = (np.repeat(places, counts.ravel()) for places in np.indices(counts.shape).reshape(2, -1))
    close(
        action_prior(verbs, nouns, num_verbs=counts.shape[0], num_nouns=counts.shape[1]),
        case["expected"]["prior_noun_given_verb"],
    )
    with pytest.raises(InputError, match="noun classes 0 to 1, expected 0 to 0"):
        action_prior(verbs, nouns, num_verbs=3, num_nouns=1)
    assert not action_prior(verbs[:0], nouns[:0], num_verbs=2, num_nouns=2).any()


def naive(scores, labels, prior, k):
    """The share of segments of whose actions fewer than k score higher than the true one, if that has a probability."""
    found = 0
    for verbs, nouns, verb, noun in zip(scores["verb"], scores["noun"], labels["verb"], labels["noun"], strict=True):
        score = {
            (v, n): np.exp(verbs[v]) * np.exp(nouns[n]) * prior[v, n]
            for v in range(len(verbs))
            for n in range(len(nouns))
        }
        mine = score[verb, noun]
        found += mine > 0 and sum(value > mine for value in score.values()) < k
    return 100 * found / len(scores["verb"])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(1, 7), st.sampled_from([0.0, 0.5, 0.9]))
def test_actions_equal_a_naive_count(seed, num_verbs, num_nouns, unknown):
    random = np.random.default_rng(seed)
    scores = {"verb": random.normal(size=(6, num_verbs)), "noun": random.normal(size=(6, num_nouns))}
    labels = {"verb": random.integers(0, num_verbs, 6), "noun": random.integers(0, num_nouns, 6)}
    prior = random.random((num_verbs, num_nouns)) * (random.random((num_verbs, num_nouns)) >= unknown)
    found = segment_accuracy(scores, labels, prior=prior)["all"]["action"]
    plain = segment_accuracy(scores, labels)["all"]["action"]
    for k in (1, 5):
        close(found[f"accuracy_at_{k}"], naive(scores, labels, prior, k))
        close(plain[f"accuracy_at_{k}"], naive(scores, labels, np.ones_like(prior), k))


tied = st.lists(st.lists(st.integers(-2, 2), min_size=8, max_size=8), min_size=1, max_size=4).map(np.array)


@settings(max_examples=100, deadline=None)
@given(tied, st.integers(0, 7), st.integers(0, 7))
def test_ties_never_push_the_truth_down(scores, verb, noun):
    given = {"verb": scores.astype(float), "noun": scores[:, ::-1].astype(float)}
    labels = {"verb": np.full(len(scores), verb), "noun": np.full(len(scores), noun)}
    result = segment_accuracy(given, labels)["all"]
    for k in (1, 5):
        higher = (scores > scores[:, [verb]]).sum(axis=1)
        close(result["verb"][f"accuracy_at_{k}"], 100 * (higher < k).mean())
        sums = given["verb"][:, :, None] + given["noun"][:, None, :]
        higher = (sums > sums[:, verb, noun][:, None, None]).sum(axis=(1, 2))
        close(result["action"][f"accuracy_at_{k}"], 100 * (higher < k).mean())


def softmax_of_one(logits):
    powers = np.exp((logits - logits.max()).astype(np.float32))
    return powers / powers.sum()


@settings(max_examples=100, deadline=None)
@given(tied, st.integers(0, 7), st.integers(0, 7), st.booleans())
def test_ties_in_order_are_those_of_stable_sorts_of_32_bits(scores, verb, noun, with_prior):
    given = {"verb": scores.astype(float), "noun": scores[:, ::-1].astype(float)}
    labels = {"verb": np.full(len(scores), verb), "noun": np.full(len(scores), noun)}
    prior = np.tile([1.0, 0.5], 32).reshape(8, 8) if with_prior else None
    result = segment_accuracy(given, labels, ties="order", prior=prior)["all"]
    for k in (1, 5):
        right = np.zeros((len(scores), 2))
        for row in range(len(scores)):
            chances = [softmax_of_one(given[head][row]) for head in ("verb", "noun")]
            right[row, 0] = verb in np.argsort(chances[0], kind="stable")[-k:]
            actions = np.outer(*chances) * (1 if prior is None else prior)
            right[row, 1] = verb * 8 + noun in np.argsort(-actions, axis=None, kind="stable")[:k]
        close([result[task][f"accuracy_at_{k}"] for task in ("verb", "action")], 100 * right.mean(axis=0))


def test_parts_one_head_and_bad_input():
    scores, labels = {"verb": np.array([[1.0, 0.0], [0.0, 1.0]])}, {"verb": np.array([0, 0])}
    result = segment_accuracy(scores, labels, participants=["a", "b"], tail={"verb": [1]}, unseen={"b"})
    assert result["all"] == {"verb": {"accuracy_at_1": 50.0, "accuracy_at_5": 100.0}}
    assert np.isnan(result["tail"]["verb"]["accuracy_at_1"])
    assert result["unseen"] == {"verb": {"accuracy_at_1": 0.0}}
    assert segment_accuracy(scores, labels).keys() == {"all"}
    with pytest.raises(InputError, match="verb class 2 of segment 1 "):
        segment_accuracy(scores, {"verb": np.array([0, 2])})
    with pytest.raises(InputError, match="infinite in row 1, class 0"):
        segment_accuracy({"verb": np.array([[0.0, -np.inf], [np.inf, 0.0]])}, labels)
    with pytest.raises(ValueError, match="participants"):
        segment_accuracy(scores, labels, unseen={"b"})
    with pytest.raises(ValueError, match="prior"):
        segment_accuracy({**scores, "noun": scores["verb"]}, {**labels, "noun": labels["verb"]}, prior=np.ones((2, 3)))
    for key, values in (("nan", "refuse, last"), ("ties", "truth, order")):
        with pytest.raises(InputError, match=f"{key} is 'zero', expected one of {values}"):
            segment_accuracy(scores, labels, **{key: "zero"})
    nothing = segment_accuracy({"verb": np.zeros((0, 2))}, {"verb": np.zeros(0, dtype=int)})
    assert np.isnan(nothing["all"]["verb"]["accuracy_at_1"])
