"""EPIC-Kitchens' files: what published readers make of them, the challenge's file, and what cannot be read is named."""

import json
import zipfile

import numpy as np
import pytest

from lfb_lightning.epic import (
    frame_at,
    participant_number,
    read_classes,
    read_ids,
    read_names,
    read_segments,
    read_video_info,
    write_submission,
)
from lfb_lightning.errors import InputError
from tests.conftest import GOLDEN

FOLDER = GOLDEN / "paper_datasets"
FILES = FOLDER / "files"
EXPECTED = json.loads((FILES / "expected.json").read_text())
HEADER = "narration_id,participant_id,video_id,start_timestamp,stop_timestamp,verb_class,noun_class,all_noun_classes\n"


def test_segments_of_55():
    expected = EXPECTED["epic55/EPIC_train_action_labels.csv"]
    found = {"train": [], "val": []}
    for one in read_segments(FILES / "epic55" / "EPIC_train_action_labels.csv"):
        split = "train" if participant_number(one.participant) <= 25 else "val"
        row = [one.participant, one.video_id, frame_at(one.start), frame_at(one.stop), one.verb, one.noun]
        found[split].append(row)
    assert found == {split: expected[split] for split in found}


def test_segments_of_100():
    first = read_segments(FILES / "epic100" / "EPIC_100_train.csv")[0]
    assert first == ("P01_01_0", "P01", "P01_01", 1.27, 2.88, 88, 131, (131, 296))
    test = read_segments(FILES / "epic100" / "EPIC_100_test_timestamps.csv", labeled=False)
    assert test[1] == ("P01_102_1", "P01", "P01_102", 4.49, 7.3, None, None, ())
    assert len(read_segments(FILES / "epic100" / "EPIC_100_validation.csv")) > 10
    with pytest.raises(InputError, match="no column 'verb_class'"):
        read_segments(FILES / "epic100" / "EPIC_100_test_timestamps.csv")


def test_rounding_is_that_of_the_papers_code():
    cases = json.loads((FOLDER / "sampling" / "epic.json").read_text())["cases"]
    for case in cases:
        for moment in ("start", "stop"):
            hours, minutes, seconds = case[moment].split(":")
            assert frame_at(int(hours) * 3600 + int(minutes) * 60 + float(seconds)) == case[f"{moment}_frame"]


def test_lists():
    assert len(read_classes(FILES / "epic100" / "EPIC_100_verb_classes.csv")) == 97
    assert len(read_classes(FILES / "epic100" / "EPIC_100_noun_classes.csv")) == 300
    assert read_classes(FILES / "epic55" / "EPIC_verb_classes.csv")[124] == "verb124"
    assert read_classes(FILES / "epic55" / "EPIC_noun_classes.csv")[351] == "noun351"
    assert read_ids(FILES / "epic100" / "EPIC_100_tail_verbs.csv", "verb") == [*range(20, 97)]
    assert read_ids(FILES / "epic100" / "EPIC_100_tail_nouns.csv", "noun") == [*range(80, 300)]
    assert read_names(FILES / "epic100" / "EPIC_100_unseen_participant_ids_validation.csv") == ["P18", "P32"]
    assert read_video_info(FILES / "epic100" / "EPIC_100_video_info.csv")["P01_01"] == (51.65992, 59.9400599400599)
    assert read_video_info(FILES / "epic55" / "EPIC_video_info.csv")["P01_01"] == (60.677682, 59.9400599400599)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,P01,v,00:00:01.0,00:00:02.0,x,1,[1]", "row 2: verb_class is 'x', expected a whole number"),
        ("a,P01,v,00:00:01.0,00:00:02.0,1,-1,[1]", "row 2: noun_class is '-1'"),
        ("a,P01,v,1.5,00:00:02.0,1,1,[1]", "row 2: start_timestamp is '1.5', expected hours, minutes and seconds"),
        ("a,P01,v,00:00:01.0,00:61:02.0,1,1,[1]", "row 2: stop_timestamp"),
        ("a,1,v,00:00:01.0,00:00:02.0,1,1,[1]", "row 2: participant_id is '1', expected P and a number"),
        (",P01,v,00:00:01.0,00:00:02.0,1,1,[1]", "row 2: narration_id is ''"),
        ("a,P01,v,00:00:01.0,00:00:02.0,1,1,__import__", "row 2: all_noun_classes is '__import__'"),
        ("a,P01,,00:00:01.0,00:00:02.0,1,1,[1]", "row 2: video_id is '', expected a video's id"),
        ('a,P01,"v\nw",00:00:01.0,00:00:02.0,1,1,[1]', r"row 2: video_id is 'v\\nw', expected a video's id without"),
        ("a,P01,v,00:00:01.0,00:00:02.0,1,1,[1]\n" * 2, "row 3: segment 'a' comes twice"),
    ],
)
def test_bad_segments_are_named(tmp_path, row, message):
    (tmp_path / "bad.csv").write_text(HEADER + row.rstrip("\n") + "\n")
    with pytest.raises(InputError, match=message):
        read_segments(tmp_path / "bad.csv")


def test_bad_lists_are_named(tmp_path):
    path = tmp_path / "bad.csv"
    for text, read, message in (
        ("id,key\n0,a\n2,b\n", read_classes, "row 3: id is '2', expected 1"),
        ("number,key\n0,a\n", read_classes, "row 2: no column id or verb_id or noun_id"),
        ("id,key\n", read_classes, "no class"),
        ("verb\nten\n", lambda path: read_ids(path, "verb"), "row 2: verb is 'ten'"),
        ("noun\n1\n", lambda path: read_ids(path, "verb"), "no column 'verb'"),
        ("video,duration,fps\nv,1,0\n", read_video_info, "row 2: fps is '0', expected a number above 0"),
        ("video,duration,fps\nv,1e308,60\n", read_video_info, r"row 2: duration is '1e308', .* to 360000"),
        ("video,duration,fps\nv,1,1e-300\n", read_video_info, "row 2: fps is '1e-300', .* from 0.1 to 1000"),
        ("video,duration,fps\nv,1,2\nv,1,2\n", read_video_info, "row 3: video 'v' comes twice"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read(path)
    with pytest.raises(InputError, match="participant 'X', expected P and a number"):
        participant_number("X")
    path.write_text("participant_id,video_id,start_timestamp,stop_timestamp\nP01,v,00:00:01,00:00:02\n")
    with pytest.raises(InputError, match=r"no column narration_id \(EPIC-100\) or uid"):
        read_segments(path, labeled=False)


@pytest.fixture
def results():
    with np.load(FOLDER / "epic100" / "submission" / "results.npz") as found:
        return found["narration_id"].tolist(), {"verbs": found["verb_output"], "nouns": found["noun_output"]}


def test_the_submission_is_that_of_the_official_program(tmp_path, results):
    expected = (FOLDER / "epic100" / "submission" / "test.json").read_bytes()
    ids, scores = results
    write_submission(tmp_path / "test.json", ids, **scores)
    write_submission(tmp_path / "test.zip", ids, **scores)
    assert (tmp_path / "test.json").read_bytes() == expected
    with zipfile.ZipFile(tmp_path / "test.zip") as archive:
        assert archive.namelist() == ["test.json"]
        assert archive.read("test.json") == expected
    once = (tmp_path / "test.zip").read_bytes()
    write_submission(tmp_path / "test.zip", ids, **scores)
    assert (tmp_path / "test.zip").read_bytes() == once
    assert sorted(path.name for path in tmp_path.iterdir()) == ["test.json", "test.zip"]


def test_what_cannot_be_submitted_leaves_the_old_file(tmp_path, results):
    ids, scores = results
    (tmp_path / "test.json").write_text("old")
    scores["verbs"] = scores["verbs"].copy()
    scores["verbs"][1, 5] = np.nan
    with pytest.raises(InputError, match="a score of segment 'P02_02_0' is not finite"):
        write_submission(tmp_path / "test.json", ids, **scores)
    with pytest.raises(InputError, match="segment 'P01_01_0' comes twice"):
        write_submission(tmp_path / "test.json", [ids[0], ids[1], ids[0]], **scores)
    with pytest.raises(InputError, match=r"expected a name that ends in \.zip or \.json"):
        write_submission(tmp_path / "test.pkl", ids, **scores)
    with pytest.raises(ValueError, match="levels"):
        write_submission(tmp_path / "test.json", ids, **scores, pretraining=6)
    with pytest.raises(ValueError, match="2 ids"):
        write_submission(tmp_path / "test.json", ids[:2], **scores)
    assert (tmp_path / "test.json").read_text() == "old"
