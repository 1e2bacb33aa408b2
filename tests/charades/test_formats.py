"""Charades' files: what published readers make of them, and what cannot be read is named by file and row."""

import json

import numpy as np
import pytest

from lfb_lightning.charades import (
    labels_of_moments,
    labels_of_videos,
    moments_of,
    read_annotations,
    read_classes,
    read_frame_list,
)
from lfb_lightning.errors import InputError
from tests.conftest import GOLDEN

FILES = GOLDEN / "paper_datasets" / "files"
EXPECTED = json.loads((FILES / "expected.json").read_text())
HEADER = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length"


@pytest.mark.parametrize("name", ["charades/Charades_v1_train.csv", "charades/Charades_v1_test.csv"])
def test_annotations(name):
    expected, videos = EXPECTED[name], read_annotations(FILES / name, num_classes=157)
    assert b"\r\n" in (FILES / name).read_bytes()
    assert {video.video_id: video.actions for video in videos} == expected["classes"]
    found = {video.video_id: [list(interval) for interval in video.intervals] for video in videos}
    assert found == expected["intervals_as_in_the_file"]
    assert len(videos) == expected["videos"]
    labels = labels_of_videos(videos, 157)
    assert labels.any(axis=1).sum() == expected["labelled"]
    assert [np.flatnonzero(row).tolist() for row in labels] == [*expected["classes"].values()]


def test_oddities_of_the_original(tmp_path):
    (tmp_path / "a.csv").write_text(
        "length,id,actions\r\n10.0,ABCDE,c001 2.00 30.00;c001 4.00 5.00;c000 9.00 3.00;c002 12.00 14.00\r\n\r\n8,X,\r\n"
    )
    video, empty = read_annotations(tmp_path / "a.csv")
    assert (video.length, video.actions, empty.intervals) == (10.0, [0, 1, 2], ())
    assert video.clipped() == ((1, 2.0, 10.0), (1, 4.0, 5.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"row 1: no column 'id'"),
        ("id,length\nA,3\n", r"row 1: no column 'actions'"),
        ("id,actions,length\nA,c001 1 2,5\nA,,5\n", r"row 3: video 'A' is annotated twice"),
        ("id,actions,length\nA,c001 1 2\n", r"row 2: 2 fields, expected the 3 of row 1"),
        ("id,actions,length\nA,001 1 2,5\n", r"row 2: actions hold '001 1 2', expected class, start and end"),
        ("id,actions,length\nA,c001 1 nan,5\n", r"row 2: actions hold"),
        ("id,actions,length\nA,c157 1 2,5\n", r"row 2: action c157, expected classes c000 to c156"),
        ("id,actions,length\nA,,nan\n", r"row 2: length is 'nan', expected seconds above 0"),
        ("id,actions,length\nA,,-1\n", r"row 2: length is '-1'"),
        ("id,actions,length\n,,1\n", r"row 2: id is ''"),
        ('id,actions,length\nA,"c001 1 2,5\n', "row 2"),
        ("id,actions,length\nA," + "x" * 200_000 + ",5\n", "not a readable csv"),
    ],
)
def test_bad_annotations_are_named(tmp_path, text, message):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_annotations(tmp_path / "bad.csv", num_classes=157)
    assert "bad.csv" in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        read_annotations(tmp_path / "none.csv")


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "bad.csv").write_bytes(b"id,actions,length\n\xff\xfe,,5\n")
    with pytest.raises(InputError, match="not a readable csv"):
        read_annotations(tmp_path / "bad.csv")


def test_classes(tmp_path):
    names = read_classes(FILES / "charades" / "Charades_v1_classes.txt")
    assert list(names) == list(range(157))
    assert names[0] == "Doing thing 0 with a box, bag or cup"
    assert read_classes(FILES / "charades" / "Charades_v1_objectclasses.txt", letter="o")[0] == "None"
    assert read_classes(FILES / "charades" / "Charades_v1_verbclasses.txt", letter="v")[1] == "verb1"
    for text, message in (
        ("c000 a\nc002 b\n", "row 2: 'c002 b', expected 'c001 its name'"),
        ("c001 a\n", "row 1"),
        ("item { name: 'a' }\n", "row 1"),
        ("", "no class"),
    ):
        (tmp_path / "bad.txt").write_text(text)
        with pytest.raises(InputError, match=message):
            read_classes(tmp_path / "bad.txt")


@pytest.mark.parametrize("name", ["train", "val"])
def test_frame_lists(name):
    expected, videos = EXPECTED[f"charades/{name}.csv"], read_frame_list(FILES / "charades" / f"{name}.csv")
    assert [video.video_id for video in videos] == expected["videos"]
    assert [len(video.frame_labels) for video in videos] == expected["num_frames"]
    if name == "train":
        found = [[list(labels) for labels in video.frame_labels[::100]] for video in videos]
        assert found == expected["labels_of_every_100th_frame"]
    else:
        assert [video.actions for video in videos] == expected["video_labels"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('A 1 0 p ""', "row 2: video_id is '1', expected the number of the next video, 0"),
        ('A 0 1 p ""', "row 2: frame_id is '1', expected the number of the next frame, 0"),
        ('A 0 0 p "1;2"', "row 2: labels is '1;2'"),
        ('A 0 0 p ""\nB 1 0 p ""\nA 0 1 p ""', "row 4: video_id is '0'"),
        ("A 0 0 p", "row 2: 4 fields"),
    ],
)
def test_bad_frame_lists_are_named(tmp_path, rows, message):
    (tmp_path / "bad.csv").write_text("original_vido_id video_id frame_id path labels\n" + rows + "\n")
    with pytest.raises(InputError, match=message):
        read_frame_list(tmp_path / "bad.csv")


def test_moments_of_localization(tmp_path):
    # From the beginning, without the end; divided first, so that moment 7 of 50 s is 14.000000000000002 as there.
    assert moments_of(50.0).tolist() == [number / 25 * 50.0 for number in range(25)]
    (tmp_path / "a.csv").write_text("id,actions,length\nA,c001 4.00 8.00;c000 47.00 99.00;c001 20.00 10.00,50\nB,,10\n")
    labels = labels_of_moments(read_annotations(tmp_path / "a.csv"), 2)
    assert labels.shape == (50, 2)
    assert np.flatnonzero(labels[:, 1]).tolist() == [2, 3, 4]  # at 4, 6 and 8 seconds: both ends count
    assert np.flatnonzero(labels[:, 0]).tolist() == [24]
