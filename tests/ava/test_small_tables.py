"""Annotations are kept small, and give back every row, person and label; plain files are parsed as pandas parses them."""

import pickle
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from benchmarks.data import write_tables

from lfb_lightning.ava.annotations import COLUMNS, Annotations, read_annotations
from lfb_lightning.ava.csv_blocks import parse_any, parse_block
from lfb_lightning.ava.keyframe_rows import ItemList
from lfb_lightning.ava.label_map import LabelMap
from lfb_lightning.ava.person_rows import person_rows
from lfb_lightning.ava.plain_rows import parse_plain_rows
from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.clips import ClipSettings
from lfb_lightning.clock import SECONDS
from lfb_lightning.datasets import AvaDataset
from lfb_lightning.errors import InputError
from lfb_lightning.files.array_runs import ArrayRuns
from lfb_lightning.lightning.datamodules.training_clips import TrainingClips
from lfb_lightning.structures import Item, Keyframe

LABELS = LabelMap({1: "a", 8: "b", 9: "c", 21: "d"})


def random_rows(seed, number=400):
    """Rows in any order with repeated boxes, actions that are not listed, persons without id, and -0.0."""
    rng = np.random.default_rng(seed)
    boxes = np.array([[-0.0, 0.1, 0.5, 0.9], [0.0, 0.1, 0.5, 0.9], [0.2, 0.2, 0.7, 1.0], [1 / 3, 0.0, 0.4, 0.25]])
    rows = pd.DataFrame(boxes[rng.integers(0, 4, number)], columns=COLUMNS[2:6])
    rows.insert(0, "timestamp", rng.integers(-3, 12, number))
    rows.insert(0, "video_id", pd.Categorical(rng.choice(["zeta", "b", "a"], number)))
    return rows.assign(action_id=rng.choice([1, 2, 8, 9, 21, 300], number), person_id=rng.integers(-1, 3, number))


def by_loops(rows, label_map):
    """Persons by keyframe: the boxes and person ids in the order of their first rows, and their listed actions."""
    found = {}
    for row in rows.itertuples():
        persons = found.setdefault(Keyframe(str(row.video_id), int(row.timestamp)), {})
        actions = persons.setdefault((row.x1 + 0.0, row.y1, row.x2, row.y2, row.person_id), set())
        if row.action_id in label_map.ids:
            actions.add(row.action_id)
    return found


def equals_loops(annotations, rows):
    expected = by_loops(rows, LABELS)
    assert annotations.keyframes == sorted(expected)
    assert annotations.num_persons == sum(map(len, expected.values()))
    assert annotations.labeled.tolist() == [any(expected[keyframe].values()) for keyframe in sorted(expected)]
    for keyframe, persons in expected.items():
        truth = annotations[keyframe]
        assert truth.boxes.tolist() == [list(person[:4]) for person in persons]
        assert [set(np.flatnonzero(row)) for row in truth.labels] == list(persons.values())
    counts = annotations.persons_by_action
    shown = [action for persons in expected.values() for actions in persons.values() for action in actions]
    assert counts.tolist() == [shown.count(column) for column in range(LABELS.num_columns)]


@pytest.mark.parametrize("seed", range(3))
def test_rows_persons_and_labels_are_those_of_loops(seed):
    rows = random_rows(seed)
    empty = pd.DataFrame({"video_id": ["b", "new"], "timestamp": [40, 3]})
    equals_loops(Annotations(person_rows(rows), LABELS), rows)
    annotations = Annotations(person_rows(rows), LABELS, empty)
    assert annotations.keyframes == sorted({*by_loops(rows, LABELS), Keyframe("b", 40), Keyframe("new", 3)})
    pd.testing.assert_frame_equal(
        annotations.rows, rows.astype({"video_id": object}), check_dtype=False, check_categorical=False
    )
    assert [tuple(row) for row in annotations.empty.itertuples(index=False)] == [("b", 40), ("new", 3)]
    excluded = frozenset({*list(annotations.keyframes)[::3], Keyframe("new", 3), Keyframe("nowhere", 1)})
    kept = [(row.video_id, row.timestamp) not in excluded for row in rows.itertuples()]
    without, expected = annotations.without(excluded), rows[kept].reset_index(drop=True)
    equals_loops(Annotations(person_rows(rows), LABELS).without(excluded), expected)
    pd.testing.assert_frame_equal(
        without.rows, expected.astype({"video_id": object}), check_dtype=False, check_categorical=False
    )
    assert [tuple(row) for row in without.empty.itertuples(index=False)] == [("b", 40)][
        : Keyframe("b", 40) not in excluded
    ]
    assert Annotations(person_rows(rows[:0]), LABELS).rows.shape == (0, 8)


def test_lists_of_keyframes_and_items_are_lists():
    keyframes = Annotations(person_rows(random_rows(0)), LABELS).keyframes
    plain = list(keyframes)
    assert keyframes == plain
    assert keyframes[3:9:2] == plain[3:9:2]
    assert (keyframes[-1], keyframes.index(plain[5]), plain[4] in keyframes) == (plain[-1], 5, True)
    assert list(keyframes[::-1]) == plain[::-1]
    items = ItemList(keyframes)
    assert items == [Item(number, keyframe) for number, keyframe in enumerate(plain)]
    assert items[-2:] == [items[len(items) - 2], items[-1]]
    with pytest.raises(IndexError):
        items[len(items)]
    assert pickle.loads(pickle.dumps(items)) == items


def test_a_training_set_is_small_where_it_is_pickled_for_workers(tmp_path):
    """At AVA's size, 845,344 rows, it is 54 MB; it was 215 MB."""
    num_rows = write_tables(tmp_path, num_videos=4)
    data = AvaDataset(
        video_dir=str(tmp_path),
        label_map=str(tmp_path / "labels.pbtxt"),
        annotations=str(tmp_path / "ava_{split}.csv"),
        excluded=str(tmp_path / "excluded_{split}.csv"),
        proposals=str(tmp_path / "proposals_{split}.pkl"),
    )
    clips = TrainingClips(data.split("train"), ClipSettings(), seed=0)
    assert len(clips) > 3000
    pickled = pickle.dumps(clips)
    assert len(pickled) < 70 * num_rows + 10_000
    assert list(pickle.loads(pickled).items) == list(clips.items)


def test_proposals_that_are_read_in_runs_are_those_of_single_arrays(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    boxes = {}
    for number in range(300):
        corners = np.sort(rng.random((int(rng.integers(0, 9)), 2, 2)), axis=1).reshape(-1, 4)
        boxes[f"v{number % 3},{900 + number:04d}"] = np.hstack([corners, rng.random((len(corners), 1))])
    path, tables = tmp_path / "p.pkl", []
    for wrong in (None, "x,y", "v0,0901"):
        if wrong is not None:
            boxes[wrong] = np.full((1, 5), 2.0)
            boxes["w,0900"] = boxes["w,0901"] = np.full((1, 5), 0.5)
        path.write_bytes(pickle.dumps(boxes, 4))
        outcomes = []
        for go_on in (ArrayRuns.go_on, lambda self, machine: None):
            monkeypatch.setattr(ArrayRuns, "go_on", go_on)
            try:
                table = read_proposals(path)
                outcomes.append([list(table.keyframes), table.boxes.tolist(), table.scores.tolist()])
            except InputError as error:
                outcomes.append(str(error))
            monkeypatch.undo()
        assert outcomes[0] == outcomes[1]
        tables.append(outcomes[0])
    assert [type(found) for found in tables] == [list, str, str]
    assert "'x,y'" in tables[1]


PLAIN = ["0.5", "1", "0", "12", "0.125", "1.", ".5", "-1", "-0.25", "007", "123456789012345", "0.12345678901234", "1e3"]


@pytest.mark.parametrize("seed", range(8))
def test_plain_rows_are_those_of_pandas(seed):
    rng = np.random.default_rng(seed)
    columns = ["video_id", "timestamp", "x1", "score"]
    alike = [PLAIN[one] for one in rng.integers(0, 8, 3)]
    lines = []
    for _ in range(60):
        numbers = rng.choice(PLAIN[: 10 + seed % 4], 2) if seed % 2 else [alike[0], f"{rng.random():.3f}"]
        lines.append(
            f"{rng.choice(['0123', '4567', 'a', 'b', 'NA', 'b-1', 'b-2'])},{rng.integers(900, 1900):04d},{','.join(numbers)}"
        )
    block = ("\n".join(lines) + "\n" * (seed % 3 > 0)).encode()
    found = parse_block(block, columns, ["timestamp"], SECONDS)
    pd.testing.assert_frame_equal(found, parse_any(BytesIO(block), columns, ["timestamp"], SECONDS))
    if seed % 2 == 0:
        assert parse_plain_rows(block, 4) is not None


ODD = b'a,1\n\nb,2\n|a,\n|,1\n|a,1\r\n|"a",1\n|a,1,2\n|a\n|a,1,b\n,2\n|a, 1\n|a,1e3\n|a,nan\n|a,-\n|a,.\n|a,1.2.3\n|a,--1\n'
ODD += (
    b"|\xef\xbb\xbfa,1\n|\xef\xbb\xbf,1\n|a,1234567890123456\n|\xff,1\n|a,\0\n|a,+1\n|a,1/2\n|a,1:2\n||"
    + b"a" * 70
    + b",1\n"
)


@pytest.mark.parametrize("block", ODD.split(b"|"))
def test_what_is_not_plain_is_left_to_pandas(block):
    assert parse_plain_rows(block, 2) is None


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_byte_order_mark_is_no_part_of_the_first_id(tmp_path, ending):
    (tmp_path / "a.csv").write_text(f"a,0902,0.1,0.2,0.3,0.4,1,0{ending}" * 2, encoding="utf-8-sig", newline="")
    read = read_annotations(tmp_path / "a.csv", LABELS)
    assert list(read.keyframes) == [Keyframe("a", 902)]
