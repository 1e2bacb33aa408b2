"""Files of scores in every form say the same, and what cannot be read is named by file and row."""

import json

import numpy as np
import pytest

from lfb_lightning.charades import write_scores
from lfb_lightning.errors import InputError
from lfb_lightning.metrics.score_files import read_segment_scores, read_video_scores
from tests.conftest import GOLDEN

IDS, SCORES = ["A1", "B2"], np.array([[0.5, -1.25, 3.0], [1e-9, 2.0, -4.0]])


def check(found):
    assert found.video_ids == IDS
    assert found.scores.tolist() == SCORES.tolist()
    assert found.moments.tolist() == [0, 0]


def test_forms_of_videos_scores(tmp_path):
    write_scores(tmp_path / "a.txt", IDS, SCORES)
    check(read_video_scores(tmp_path / "a.txt"))
    for separator in ("\t", ",", ", "):  # the official program's other ones, with a trailing one as in its example
        lines = [separator.join([name, *map(str, row)]) + separator for name, row in zip(IDS, SCORES, strict=True)]
        (tmp_path / "a.csv").write_text("\r\n".join(lines) + "\r\n\r\n")
        check(read_video_scores(tmp_path / "a.csv"))
    (tmp_path / "a.json").write_text(json.dumps({"A1": SCORES[0].tolist(), "B2": [SCORES[1].tolist()] * 2}))
    check(read_video_scores(tmp_path / "a.json"))
    np.savez(tmp_path / "a.npz", video_id=np.array(IDS), scores=SCORES)
    check(read_video_scores(tmp_path / "a.npz"))


def test_views_become_their_maximum_and_a_repeated_view_counts_once(tmp_path):
    rows = np.array([[1.0, 5.0], [0.0, 0.0], [2.0, 3.0], [9.0, 9.0]])
    np.savez(tmp_path / "a.npz", video_id=np.array(["a", "b", "a", "a"]), scores=rows, view=np.array([0, 0, 1, 0]))
    assert read_video_scores(tmp_path / "a.npz").scores.tolist() == [[2, 5], [0, 0]]
    np.savez(tmp_path / "a.npz", video_id=np.array(["a", "b", "a", "a"]), scores=rows)
    assert read_video_scores(tmp_path / "a.npz").scores.tolist() == [[9, 9], [0, 0]]


@pytest.mark.parametrize("first", [0, 1])
def test_scores_of_moments_count_from_one_or_from_zero(tmp_path, first):
    (tmp_path / "a.txt").write_text(f"a {first} 0.5 0.25\na {first + 1} 1 2\nb {first} 3 4\n")
    found = read_video_scores(tmp_path / "a.txt", of_moments=True)
    assert list(zip(found.video_ids, found.moments.tolist(), strict=True)) == [("a", 0), ("a", 1), ("b", 0)]
    assert found.scores.tolist() == [[0.5, 0.25], [1, 2], [3, 4]]


@pytest.mark.parametrize("frame", ["-1", "9" * 30, "1.5", "x"])
def test_bad_frames_are_named(tmp_path, frame):
    (tmp_path / "a.txt").write_text(f"a 1 0.5\na {frame} 0.5\n")
    with pytest.raises(InputError, match=r"a\.txt, row 2: "):
        read_video_scores(tmp_path / "a.txt", of_moments=True)
    np.savez(tmp_path / "a.npz", video_id=np.array(["a"]), frame=np.array([-1]), scores=np.zeros((1, 2)))
    with pytest.raises(InputError, match=r"a\.npz: frames -1 to -1, expected 1 to 1000000"):
        read_video_scores(tmp_path / "a.npz", of_moments=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "a 1 2\nb 1 x\n", "row 2: could not convert string to float: 'x'"),
        ("a.txt", "a 1 2\nb 1\n", "row 2: 1 scores, expected 2"),
        ("a.txt", "a\n", "row 1: 0 scores, expected one for each class"),
        ("a.txt", "a 1 2\na 1 2\n", "row 2: 'a' comes twice; views of a video belong into .npz or .json"),
        ("a.txt", "", "no row of scores"),
        ("a.txt", b"\xff\xff", "not a text file"),
        ("a.json", "[1]", "expected an object"),
        ("a.json", '{"a": [1, "x"]}', "video 'a': not a list of numbers"),
        ("a.json", '{"a": [1, 2], "b": [1]}', "video 'b': expected a list of scores"),
        ("a.json", '{"a": 1}', "video 'a': expected a list of scores"),
        ("a.json", "{}", "no row of scores"),
    ],
)
def test_bad_scores_of_videos_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        read_video_scores(tmp_path / name)
    assert name in str(caught.value)


def test_bad_arrays_are_named(tmp_path):
    path = tmp_path / "a.npz"
    for arrays, message in (
        ({"video_id": np.array(["a"]), "scores": np.zeros((2, 2))}, "different numbers of rows"),
        ({"video_id": np.array(["a"]), "scores": np.zeros(2)}, "scores is float64 of shape"),
        ({"video_id": np.array(["a"]), "scores": np.zeros((1, 2)), "view": np.array([0.5])}, "view is float64"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(InputError, match=message):
            read_video_scores(path)
    np.savez(path, verb_output=np.zeros((1, 2)), noun_output=np.zeros((1, 2)))
    with pytest.raises(InputError, match="no array 'narration_id' or 'uid'"):
        read_segment_scores(path)
    np.savez(path, verb_output=np.zeros((1, 2)), noun_output=np.zeros((2, 2)), uid=np.array([7]))
    with pytest.raises(InputError, match="different numbers of rows"):
        read_segment_scores(path)


def test_a_submission_says_what_its_results_say():
    folder = GOLDEN / "paper_datasets" / "epic100" / "submission"
    (ids, scores), (again, same) = (read_segment_scores(folder / name) for name in ("results.npz", "test.json"))
    assert ids == again
    assert len(ids) == 3
    for head in ("verb", "noun"):
        assert np.array_equal(scores[head], same[head])


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({}, "no 'results' by segment"),
        ({"a": {"verb": {"0": 1.0}}}, "segment 'a': expected a score for each noun"),
        ({"a": {"verb": {"1": 1.0}, "noun": {"0": 1.0}}}, 'expected a score for each verb by its number, from "0"'),
        ({"a": {"verb": {"0": "x"}, "noun": {"0": 1.0}}}, "segment 'a': not a list of numbers"),
        (
            {one: {"verb": {str(k): 1.0 for k in range(n)}, "noun": {"0": 1.0}} for n, one in enumerate("ab", 1)},
            "segment 'b': 2 scores of verbs, expected 1",
        ),
    ],
)
def test_bad_submissions_are_named(tmp_path, results, message):
    (tmp_path / "a.json").write_text(json.dumps({"results": results}))
    with pytest.raises(InputError, match=message):
        read_segment_scores(tmp_path / "a.json")
    with pytest.raises(InputError, match=r"a.pkl: expected .npz"):
        read_segment_scores(tmp_path / "a.pkl")


def test_scores_of_no_row_or_of_too_many_classes_are_refused(tmp_path):
    """Tables of as many columns are made for all that is annotated, so one row of a million would take a machine's memory."""
    path = tmp_path / "a.npz"
    for rows, classes, message in ((0, 3, "no row of scores"), (1, 10_001, "10001 classes, expected 1 to 10000")):
        ids = np.array(["a"] * rows, dtype=str)
        np.savez(path, narration_id=ids, verb_output=np.zeros((rows, 2)), noun_output=np.zeros((rows, classes)))
        with pytest.raises(InputError, match=rf"scores .*a\.npz: {message}"):
            read_segment_scores(path)
        np.savez(path, video_id=ids, scores=np.zeros((rows, classes)))
        with pytest.raises(InputError, match=rf"scores .*a\.npz: {message}"):
            read_video_scores(path)
