"""AVA's files: parsed as written, and refused by file and row."""

import pickle

import numpy as np
import pandas as pd
import pytest

from lfb_lightning.ava.annotations import read_annotations, write_annotations
from lfb_lightning.ava.evaluation_csv import read_evaluation_csv
from lfb_lightning.ava.excluded import read_excluded
from lfb_lightning.ava.label_map import LabelMap, read_label_map, write_label_map
from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.ava.results import write_results
from lfb_lightning.clock import Clock
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe
from tests.conftest import GOLDEN

LABELS = LabelMap({1: "a", 3: "b", 80: "c"})


def write(path, text):
    path.write_text(text)
    return path


def test_rows_of_one_box_become_one_person(tmp_path):
    path = write(
        tmp_path / "gt.csv",
        "vid,0902,0.1,0.2,0.3,0.4,80,1\nvid,0903,0,0,1,1,1,0\nvid,0902,0.1,0.2,0.3,0.4,3,1\nvid,902,0.5,0.5,0.9,0.9,1,2\n",
    )
    annotations = read_annotations(path, LABELS)
    assert annotations.keyframes == [Keyframe("vid", 902), Keyframe("vid", 903)]
    truth = annotations[Keyframe("vid", 902)]
    assert truth.boxes.tolist() == [[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.9, 0.9]]
    assert [np.flatnonzero(row).tolist() for row in truth.labels] == [[3, 80], [1]]
    assert len(annotations[Keyframe("vid", 950)]) == 0


def test_unlisted_actions_are_dropped_but_their_keyframe_remains(tmp_path):
    annotations = read_annotations(write(tmp_path / "gt.csv", "vid,0902,0,0,1,1,2,0\n"), LABELS)
    assert annotations.keyframes == [Keyframe("vid", 902)]
    assert not annotations[Keyframe("vid", 902)].labels.any()


def test_excluded_keyframes_leave(tmp_path):
    annotations = read_annotations(write(tmp_path / "gt.csv", "a,0902,0,0,1,1,1,0\nb,0902,0,0,1,1,1,0\n"), LABELS)
    excluded = read_excluded(write(tmp_path / "excluded.csv", "a,0902\n"))
    assert annotations.without(excluded).keyframes == [Keyframe("b", 902)]
    assert read_excluded(None) == frozenset()


def test_annotations_without_person_ids_are_read(tmp_path):
    annotations = read_annotations(write(tmp_path / "gt.csv", "vid,0902,0,0,1,1,1\n"), LABELS)
    assert len(annotations[Keyframe("vid", 902)]) == 1


def test_written_annotations_read_back(tmp_path):
    rows = [(Keyframe("v,1".replace(",", "_"), 7), (0.1, 0.2, 0.3, 0.4), 1, 5)]
    write_annotations(tmp_path / "gt.csv", rows)
    assert (tmp_path / "gt.csv").read_text() == "v_1,0007,0.100,0.200,0.300,0.400,1,5\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("vid,0902,0.1,0.2,0.3,0.4", "row 2: 6 columns"),
        ("vid,0902,0.1,0.2,0.3,0.4,,0", "row 2: action_id is ''"),
        ("vid,0902,0.1", "row 2: 3 columns"),
        ("vid,0902,x,0.2,0.3,0.4,1,0", "row 2: x1 is 'x', expected a number"),
        ("vid,9o2,0.1,0.2,0.3,0.4,1,0", "row 2: timestamp is '9o2', expected a whole number"),
        ("vid,0902,0.1,0.2,0.3,0.4,1.5,0", "row 2: action_id is '1.5', expected a whole number"),
        ("vid,0902,0.5,0.2,0.3,0.4,1,0", "row 2: box .* has x2 < x1"),
        ("vid,0902,nan,0.2,0.3,0.4,1,0", "row 2: x1"),
    ],
)
def test_bad_rows_are_named(tmp_path, line, message):
    path = write(tmp_path / "gt.csv", f"vid,0901,0,0,1,1,1,0\n{line}\n")
    with pytest.raises(InputError, match=message):
        read_annotations(path, LABELS)


def test_missing_files_are_named(tmp_path):
    for read in (lambda p: read_annotations(p, LABELS), read_excluded, read_label_map, read_proposals):
        with pytest.raises(InputError, match=r"nothing\.csv: no such file"):
            read(tmp_path / "nothing.csv")


def test_label_map_dialects(tmp_path):
    write_label_map(tmp_path / "a.pbtxt", {2: "bend/bow (at the waist)", 7: 'say "so"'.replace('"', "'")})
    assert read_label_map(tmp_path / "a.pbtxt").names == {2: "bend/bow (at the waist)", 7: "say 'so'"}
    text = 'label {\n  name: "x {y}"\n  label_id: 12\n  label_type: PERSON_MOVEMENT\n}\n'
    label_map = read_label_map(write(tmp_path / "b.pbtxt", text))
    assert (label_map.ids, label_map.num_columns) == ([12], 13)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no 'item"), ('item {\n  name: "a"\n}\n', "block 1"), ('item {\n  name: "a"\n  id: 0\n}\n', "below 1")],
)
def test_bad_label_maps_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_label_map(write(tmp_path / "m.pbtxt", text))


def test_both_forms_of_proposals_agree(mini_dir):
    tables = [read_proposals(mini_dir / f"mini_ava_train_proposals.{ending}") for ending in ("pkl", "csv")]
    assert tables[0].keyframes == tables[1].keyframes
    for keyframe in tables[0].keyframes:
        first, second = (table.above(keyframe, 0.0) for table in tables)
        np.testing.assert_array_equal(first.boxes, second.boxes)
        np.testing.assert_array_equal(first.scores, second.scores)
        assert (np.diff(first.scores) <= 0).all()


def test_threshold_keeps_equal_scores_and_absent_keyframes_are_empty(tmp_path):
    path = write(
        tmp_path / "p.csv",
        "v,0902,0,0,1,1,,0.9\nv,0902,0,0,0.5,1,,0.89\nv,0902,0,0,1,1,12,0.9\nv,0902,0,0,1,1,13,0.9\n",
    )
    proposals = read_proposals(path)
    assert len(proposals.above(Keyframe("v", 902), 0.9)) >= 1
    assert 0.89 not in proposals.above(Keyframe("v", 902), 0.9).scores
    assert len(proposals.above(Keyframe("v", 903), 0.0)) == 0


def test_one_box_with_several_transferred_labels_is_one_proposal(tmp_path):
    path = write(tmp_path / "p.csv", "v,0902,0,0,1,1,12,0.9\nv,0902,0,0,1,1,80,0.9\nv,0902,0,0,1,1,-1,0.8\n")
    assert read_proposals(path).above(Keyframe("v", 902), 0.0).scores.tolist() == [0.9, 0.8]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_of_every_protocol_are_read(tmp_path, protocol):
    boxes = np.array([[0.0, 0.1, 0.2, 0.3, 0.5], [0.1, 0.1, 0.2, 0.3, 0.95]])
    (tmp_path / "p.pkl").write_bytes(pickle.dumps({"v,0902": boxes, "w,1000": boxes[:0]}, protocol=protocol))
    proposals = read_proposals(tmp_path / "p.pkl")
    assert proposals.above(Keyframe("v", 902), 0.0).scores.tolist() == [0.95, 0.5]
    assert proposals.keyframes == [Keyframe("v", 902)]


def test_malicious_pickle_is_refused_by_name_and_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "pwned"), "w"))

    (tmp_path / "p.pkl").write_bytes(pickle.dumps({"v,0902": Evil()}))
    with pytest.raises(InputError, match=r"p\.pkl: it asks for (_)?io\.open"):
        read_proposals(tmp_path / "p.pkl")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"v": np.zeros((1, 5))}, "key 'v', expected"),
        ({"v,0902": np.zeros((1, 4))}, r"shape \(1, 4\)"),
        ([1], "holds a list"),
    ],
)
def test_pickles_of_another_shape_are_named(tmp_path, content, message):
    (tmp_path / "p.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match=message):
        read_proposals(tmp_path / "p.pkl")


def test_results_read_back_exactly(tmp_path):
    import pandas as pd

    rows = pd.DataFrame(
        {
            "video_id": ["b", "a"],
            "timestamp": [902, 1000],
            "x1": [0.1, 1 / 3],
            "y1": [0.0, 0.2],
            "x2": [0.9, 2 / 3],
            "y2": [1.0, 0.7],
            "action_id": [12, 80],
            "score": np.array([0.123456789, 1e-7], dtype=np.float32),
        }
    )
    write_results(tmp_path / "results.csv", rows)
    lines = (tmp_path / "results.csv").read_text().splitlines()
    assert lines[0].startswith("a,1000,0.3333333333333333,0.2,")
    fields = lines[1].split(",")
    assert np.float32(float(fields[7])) == np.float32(0.123456789)


def test_real_ava_files():
    label_map = read_label_map(GOLDEN / "ava" / "ava_action_list_v2.1_for_activitynet_2018.pbtxt")
    assert len(label_map.names) == 60
    assert not {2, 16, 18, 19, 75} & set(label_map.ids)
    annotations = read_annotations(GOLDEN / "ava_eval" / "d1_real8_v21" / "gt.csv", label_map)
    assert len(annotations.keyframes) == 6470
    assert len(read_excluded(GOLDEN / "ava" / "ava_train_excluded_timestamps_v2.1.csv")) == 161
    persons = [len(annotations[keyframe]) for keyframe in annotations.keyframes]
    assert max(persons) == 11


HUNDREDTHS = Clock.parse(100)


def test_fractional_keyframes_go_through_every_table_and_come_out_as_they_were(tmp_path):
    rows = "kin,17.010000,0.100,0.200,0.300,0.400,80,1\nkin,17.010000,0.100,0.200,0.300,0.400,3,1\nkin,5.500000\n"
    annotations = read_annotations(write(tmp_path / "gt.csv", rows), LABELS, clock=HUNDREDTHS)
    assert annotations.keyframes == [Keyframe("kin", 550), Keyframe("kin", 1701)]
    assert np.flatnonzero(annotations[Keyframe("kin", 1701)].labels[0]).tolist() == [3, 80]
    box = (0.1, 0.2, 0.3, 0.4)
    write_annotations(tmp_path / "again.csv", [(Keyframe("kin", 1701), box, 80, 1)], clock=HUNDREDTHS)
    assert (tmp_path / "again.csv").read_text() == rows.splitlines(keepends=True)[0]
    excluded = read_excluded(write(tmp_path / "excluded.csv", "kin,17.01\n"), clock=HUNDREDTHS)
    assert annotations.without(excluded).keyframes == [Keyframe("kin", 550)]


@pytest.mark.parametrize(("rate", "ticks"), [("100", [1701, 550]), ("30000/1001", [1, 511]), ("30", [1, 2, 31])])
def test_results_are_of_the_keyframes_that_the_evaluator_reads_in_the_annotations(tmp_path, rate, ticks):
    """Written from ticks, the seconds are those of a file that says them in the official form, with six decimals."""
    clock = Clock.parse(rate)
    seconds = [tick / clock.ticks_per_second for tick in ticks]
    truth = "".join(f"v,{float(second):.6f},0,0,1,1,1,0\n" for second in seconds)
    proposals = read_proposals(write(tmp_path / "p.csv", truth.replace(",1,0", ",,0.9")), clock=clock)
    assert [keyframe.timestamp for keyframe in proposals.keyframes] == sorted(ticks)
    table = pd.DataFrame(
        {"video_id": "v", "timestamp": ticks, "x1": 0.0, "y1": 0.0, "x2": 1.0, "y2": 1.0, "action_id": 1, "score": 0.5}
    )
    write_results(tmp_path / "results.csv", table, clock=clock)
    theirs, ours = (read_evaluation_csv(path) for path in (write(tmp_path / "gt.csv", truth), tmp_path / "results.csv"))
    assert sorted(theirs.keys_among({})) == sorted(ours.keys_among({}))


def test_what_column_0_means_is_said_by_the_label_map():
    assert LABELS.has_background
    assert LABELS.restricted_to([3]).has_background
    charades = LabelMap({0: "c000", 1: "c001", 2: "c002"})
    assert not charades.has_background
    assert not charades.restricted_to([1, 2]).has_background  # column 0 is an action that is not evaluated
    assert (charades.ids, charades.num_columns) == ([0, 1, 2], 3)
