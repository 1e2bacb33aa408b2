"""`lfb-eval` on the paper's other data sets: files in the official formats, and the official programs' lines."""

import json
import re

import numpy as np
import pytest

from lfb_lightning.charades import labels_of_moments, labels_of_videos, read_annotations
from lfb_lightning.metrics import video_mean_ap
from tests.conftest import GOLDEN

pytestmark = pytest.mark.slow
FOLDER = GOLDEN / "paper_datasets"
FILES = FOLDER / "files"
TEST = FILES / "charades" / "Charades_v1_test.csv"
CLASSES = FILES / "charades" / "Charades_v1_classes.txt"


def charades_case(tmp_path, name):
    """A case as files: annotations in the official form, scores as the official program takes them."""
    case = json.loads((FOLDER / "charades_map" / f"{name}.json").read_text())
    rows = ["id,actions,length"]
    for video, labels in zip(case["video_ids"], case["labels"], strict=True):
        rows.append(f"{video},{';'.join(f'c{k:03} 1.00 2.00' for k in np.flatnonzero(labels))},10")
    (tmp_path / "gt.csv").write_text("\r\n".join(rows) + "\r\n")
    absent = case.get("videos_without_prediction", [])
    lines = [
        f"{video} {' '.join(map(str, row))}\n"
        for video, row in zip(case["video_ids"], case["scores"], strict=True)
        if video not in absent
    ]
    (tmp_path / "scores.txt").write_text("".join(lines))
    return case["expected"], [f"detections={tmp_path / 'scores.txt'}", f"annotations={tmp_path / 'gt.csv'}"]


OFFICIAL = ["ties=order", "unlabeled=last", "nan=last", "missing=last"]


MORE = [
    pytest.param(name, marks=pytest.mark.thorough) for name in ("c04_ties", "c06_unlabelled_videos", "c09_infinite")
]


@pytest.mark.parametrize("name", ["c07_nan", "c10_missing_prediction", *MORE])
def test_charades_as_the_official_program(here, tmp_path, name):
    expected, arguments = charades_case(tmp_path, name)
    out = tmp_path / "deep" / "metrics.json"
    done = here("eval", "protocol=charades", *arguments, *OFFICIAL, f"out={out}")
    value = expected["matlab"]["mAP_as_printed"]
    assert f"\nMAP: {value:f}\n" in done.stdout
    found = json.loads(out.read_text())
    assert found["mAP"] == pytest.approx(value, abs=1e-12)
    assert [*found["per_class"].values()] == pytest.approx(expected["matlab"]["ap"], abs=1e-12)


def test_charades_by_the_definition_that_depends_on_nothing(here, tmp_path):
    expected, arguments = charades_case(tmp_path, "c06_unlabelled_videos")
    mean = expected["ties_as_one_threshold_labelled_videos_only"]["mAP_over_classes_with_positives"]
    assert f"\nMAP: {mean:f}\n" in here("eval", "protocol=charades", *arguments).stdout
    weighted = expected["lfb"]["wAP"]
    done = here("eval", "protocol=charades", *arguments, "unlabeled=negative")
    assert f"\nMAP: {expected['lfb']['mAP']:f}\nWAP: {weighted:f} (weighted by size of each class)\n" in done.stdout


def test_what_charades_refuses(here, tmp_path):
    _, arguments = charades_case(tmp_path, "c07_nan")
    told = here("eval", "protocol=charades", *arguments, fails=True).stderr
    assert re.search(r"scores \S+: 2 are NaN, the first of video 'V\d+', class \d+, .* with nan=last\.$", told.strip())
    _, arguments = charades_case(tmp_path, "c10_missing_prediction")
    failed = here("eval", "protocol=charades", *arguments, fails=True)
    assert "3 of 15 rows are missing, one of video 'V000'; missing=last" in failed.stderr
    failed = here("eval", "protocol=charades", *arguments, f"label_map={CLASSES}", fails=True)
    assert "6 classes, expected the 157 of" in failed.stderr
    for key, message in (
        ("curves=pr.png", "curves is for protocol=ava or official"),
        ("submission=a.zip", "submission is for protocol=epic100 or epic55, and protocol is charades"),
        ("ties=zero", "ties is 'zero', expected one of threshold, order, worst, best"),
        ("missing=zero", "missing is 'zero'"),
    ):
        assert message in here("eval", "protocol=charades", *arguments, "missing=last", key, fails=True).stderr
    (tmp_path / "scores.txt").write_text("other " + "0 " * 6)
    assert "none of its videos is in" in here("eval", "protocol=charades", *arguments, fails=True).stderr


@pytest.fixture
def of_test_split(tmp_path):
    """Random scores of the generated test split, as views of videos and of 25 moments."""
    random, videos = np.random.default_rng(0), read_annotations(TEST)
    ids = np.array([video.video_id for video in videos])
    views = random.normal(size=(3, len(ids), 157)).astype(np.float32)
    np.savez(
        tmp_path / "views.npz",
        video_id=np.tile(ids, 3),
        view=np.repeat(np.arange(3), len(ids)),
        scores=views.reshape(-1, 157),
    )
    moments = random.normal(size=(len(ids) * 25, 157)).round(4)
    lines = [f"{ids[n // 25]} {n % 25 + 1} {' '.join(map(str, row))}" for n, row in enumerate(moments.tolist())]
    (tmp_path / "moments.txt").write_text("\n".join(lines))
    return tmp_path, videos, views, moments


def test_charades_files_in_the_original_form(here, of_test_split):
    folder, videos, views, moments = of_test_split
    common = [f"annotations={TEST}", f"label_map={CLASSES}"]
    done = here("eval", "protocol=charades", f"detections={folder / 'views.npz'}", *common)
    assert f"MAP: {video_mean_ap(views.max(axis=0), labels_of_videos(videos, 157))[1]:f}\n" in done.stdout
    assert "Doing thing 0 with a box, bag or cup" in done.stdout
    assert "classes never occur and do not count; the official program's MAP is NaN then" in done.stdout
    done = here("eval", "protocol=charades_localize", f"detections={folder / 'moments.txt'}", *common, "ties=order")
    labels = labels_of_moments(videos, 157)
    assert not labels.any(axis=1).all()  # moments at which nothing happens count
    assert f"Per-Frame MAP: {video_mean_ap(moments, labels, unlabeled='negative')[1]:f}\n" in done.stdout


def epic_case(tmp_path, name):
    folder = FOLDER / "epic100" / name
    expected = json.loads((folder / "expected.json").read_text())
    for key, values in (("verb", expected["tail_verbs"]), ("noun", expected["tail_nouns"])):
        (tmp_path / f"tail_{key}s.csv").write_text("\n".join([key, *map(str, values)]) + "\n")
    (tmp_path / "unseen.csv").write_text("\n".join(["participant_id", *expected["unseen_participants"]]) + "\n")
    return expected, [
        f"detections={folder / 'results.npz'}",
        f"annotations={folder / 'labels.csv'}",
        *(f"{key}={tmp_path / f'{key}.csv'}" for key in ("tail_verbs", "tail_nouns", "unseen")),
    ]


LESS = [pytest.param(name, marks=pytest.mark.thorough) for name in ("e1_random", "e6_nobody_unseen")]


@pytest.mark.parametrize("name", ["e3_subset", "e9_duplicates", *LESS])
def test_epic_100_prints_what_the_official_program_prints(here, tmp_path, name):
    expected, arguments = epic_case(tmp_path, name)
    done = here("eval", "protocol=epic100", *arguments, f"out={tmp_path / 'm.json'}")
    lines = [f"{key}: {value}" for key, value in sorted(expected["official"]["metrics"].items())]
    assert done.stdout.splitlines()[: len(lines)] == lines
    found = json.loads((tmp_path / "m.json").read_text())
    assert {key: found[key] for key in expected["official"]["metrics"]} == expected["official"]["metrics"]
    notes = {
        "e3_subset": "33 of 80 annotated segments have scores; the others do not count",
        "e6_nobody_unseen": "no segment for unseen_action_accuracy_at_1, unseen_noun_accuracy_at_1",
        "e9_duplicates": "rows repeat a segment and count again, as in the official program",
    }
    assert notes.get(name, "all_action_accuracy_at_1") in done.stdout


def test_epic_100_refuses_and_submits(here, tmp_path):
    _, arguments = epic_case(tmp_path, "e8_unknown_id")
    assert "segment 'P99_01_0' is not in" in here("eval", "protocol=epic100", *arguments, fails=True).stderr
    _, arguments = epic_case(tmp_path, "e10_nan")
    told = here("eval", "protocol=epic100", *arguments, fails=True).stderr
    assert re.search(r"scores \S+\.npz: verb scores: 97 are NaN, the first of segment 'P\d+_\d+_\d+', class 0, ", told)
    done = here("eval", "protocol=epic100", *arguments, "nan=last")
    assert "all_verb_accuracy_at_1: 57.49999999999999" in done.stdout
    _, arguments = epic_case(tmp_path, "e1_random")
    assert "belong together" in here("eval", "protocol=epic100", *arguments, "tail_nouns=null", fails=True).stderr
    out = tmp_path / "deep" / "test.zip"
    assert f"wrote {out}" in here("eval", "protocol=epic100", *arguments, f"submission={out}").stdout
    assert out.is_file()
    assert "annotations is not set" in here("eval", "protocol=epic55", arguments[0], fails=True).stderr


@pytest.mark.parametrize("prior", [True, False])
def test_epic_55_prints_what_the_papers_code_prints(here, tmp_path, prior):
    folder = FOLDER / "epic55_action" / "a1_worked"
    case = json.loads((folder / "case.json").read_text())
    truth = zip(case["verb_labels"], case["noun_labels"], strict=True)
    header, *rows = (folder / "EPIC_train_action_labels.csv").read_text().splitlines()
    for number, (verb, noun) in enumerate(truth):
        rows.append(f"9{number},P26,P26_01,x,00:00:01.00,00:00:02.00,1,2,v,{verb},n,{noun},['n'],[{noun}]")
    (tmp_path / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
    np.savez(
        tmp_path / "results.npz",
        uid=np.arange(90, 94),
        verb_output=np.array(case["verb_logits"]),
        noun_output=np.array(case["noun_logits"]),
    )
    arguments = [f"detections={tmp_path / 'results.npz'}", f"annotations={tmp_path / 'labels.csv'}"]
    done = here("eval", "protocol=epic55", *arguments, f"prior={str(prior).lower()}")
    percent, action = case["expected"]["percent"], "action" if prior else "action_without_prior"
    expected = [
        text
        for k in (1, 5)
        for task, key in (("Verbs", "verb"), ("Nouns", "noun"), ("Actions", action))
        for text in (f"{task}:", f"Top-{k}: {percent[f'{key}_top{k}']:.4f}%")
    ]
    assert done.stdout.splitlines()[: len(expected)] == expected


def test_epic_55_needs_training_segments_for_its_prior(here, tmp_path):
    folder = FOLDER / "epic100" / "e1_random"
    rows = (folder / "labels.csv").read_text().replace(",P0", ",P9").replace(",P1", ",P9").replace(",P25", ",P95")
    (tmp_path / "labels.csv").write_text(rows)
    arguments = [f"detections={folder / 'results.npz'}", f"annotations={tmp_path / 'labels.csv'}"]
    assert "no segment of participants P01 to P25" in here("eval", "protocol=epic55", *arguments, fails=True).stderr
    here("eval", "protocol=epic55", *arguments, f"training={folder / 'labels.csv'}")


def test_ava_is_the_default_and_refuses_the_others_keys(here, tmp_path):
    arguments = [f"{key}=a" for key in ("detections", "annotations", "label_map")]
    failed = here("eval", *arguments, "unseen=a", fails=True)
    assert "unseen is for protocol=epic100 or epic55, and protocol is ava" in failed.stderr
    failed = here("eval", *arguments, "protocol=coco", fails=True)
    assert (
        "expected one of ava, official, official_2019, official_2018, charades, charades_localize, epic"
        in failed.stderr
    )


def test_more_videos_than_their_classes_have_room_for_are_one_line(here, tmp_path, monkeypatch):
    _, arguments = charades_case(tmp_path, "c07_nan")
    monkeypatch.setattr("lfb_lightning.cli.eval_videos._MOST_SCORES", 5)
    failed = here("eval", "protocol=charades", *arguments, fails=True)
    assert "gt.csv: " in failed.stderr
    assert "too many for the" in failed.stderr


def test_epic_refuses_what_would_shift_its_classes_and_what_it_does_not_read(here, tmp_path):
    _, arguments = epic_case(tmp_path, "e1_random")
    scores = dict(np.load(FOLDER / "epic100" / "e1_random" / "results.npz"))
    scores["verb_output"] = scores["verb_output"][:, 1:]
    np.savez(tmp_path / "short.npz", **scores)
    told = here("eval", "protocol=epic100", *arguments, f"detections={tmp_path / 'short.npz'}", fails=True).stderr
    assert "96 verb classes, expected the 97 of protocol=epic100" in told
    assert "Of data of your own in its files, set classes.verb=96." in told
    whole = np.load(FOLDER / "epic100" / "e1_random" / "results.npz")["verb_output"]
    scores["verb_output"] = np.concatenate([whole, np.full_like(whole[:, :1], -50)], axis=1)  # nothing is of this class
    np.savez(tmp_path / "more.npz", **scores)
    more = here("eval", "protocol=epic100", *arguments, f"detections={tmp_path / 'more.npz'}", "classes.verb=98").stdout
    verbs = [line for line in here("eval", "protocol=epic100", *arguments).stdout.splitlines() if "verb" in line]
    assert verbs == [line for line in more.splitlines() if "verb" in line]
    assert (
        "label_map is for protocol=ava"
        in here("eval", "protocol=epic100", *arguments, "label_map=x", fails=True).stderr
    )


def test_verbs_and_nouns_are_joined_by_segment_and_never_by_place(here, tmp_path):
    _, arguments = epic_case(tmp_path, "e1_random")
    scores = dict(np.load(FOLDER / "epic100" / "e1_random" / "results.npz"))

    def evaluate(nouns, ids, **options):
        np.savez(tmp_path / "nouns.npz", narration_id=ids, noun_output=nouns)
        return here("eval", "protocol=epic100", *arguments, f"nouns={tmp_path / 'nouns.npz'}", **options)

    nouns, ids = scores["noun_output"], scores["narration_id"]
    assert evaluate(nouns[::-1], ids[::-1]).stdout == here("eval", "protocol=epic100", *arguments).stdout
    told = evaluate(np.concatenate([nouns, nouns[:1] + 1]), [*ids, ids[0]], fails=True).stderr
    assert f"nouns.npz: segment {str(ids[0])!r} has several rows, expected one of each" in told
    assert "1 segments are in one of them only, such as" in evaluate(nouns[1:], ids[1:], fails=True).stderr
    told = evaluate(nouns[:, 1:], ids, fails=True).stderr
    assert "nouns.npz: 299 noun classes, expected the 300 of protocol=epic100" in told
    nouns[3, 2] = np.nan
    assert "nouns.npz: noun scores: 1 are NaN, the first of segment" in evaluate(nouns, ids, fails=True).stderr
