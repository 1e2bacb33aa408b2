"""Persons that are found block by block, and proposals that are ordered at once, are those of the whole file."""

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lfb_lightning.ava import csv_rows, csv_shape
from lfb_lightning.ava.annotations import COLUMNS, Annotations, read_annotations
from lfb_lightning.ava.label_map import LabelMap
from lfb_lightning.ava.person_rows import PERSON_COLUMNS, join_person_rows, person_rows
from lfb_lightning.ava.proposals import ProposalTable, read_proposals
from lfb_lightning.errors import InputError
from lfb_lightning.files.array_runs import ArrayRuns

LABELS = LabelMap({1: "one", 3: "three", 8: "eight"})
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.integers(1, 2),
        st.sampled_from([0.0, -0.0, 0.25]),
        st.sampled_from([1, 2, 3, 8]),
        st.integers(0, 1),
    ),
    max_size=30,
)


def table(rows):
    made = pd.DataFrame([(video, second, x, 0.0, 0.5, 0.5, *rest) for video, second, x, *rest in rows], columns=COLUMNS)
    types = dict.fromkeys(["timestamp", "action_id", "person_id"], np.int64) | dict.fromkeys(COLUMNS[2:6], float)
    return made.astype({"video_id": "category", **types})


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, cuts=st.lists(st.integers(0, 30), max_size=4))
def test_rows_that_are_joined_are_those_that_were_never_cut(rows, cuts):
    whole = table(rows)
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [whole[first:last].reset_index(drop=True) for first, last in pairwise(bounds)]
    joined, expected = join_person_rows([person_rows(part) for part in parts]), person_rows(whole)
    assert joined.persons.astype({"video_id": object}).to_numpy().tolist() == (
        expected.persons.astype({"video_id": object}).to_numpy().tolist()
    )
    assert joined.person_of_row.tolist() == expected.person_of_row.tolist()
    assert joined.actions.tolist() == whole["action_id"].tolist()
    back = joined.persons.iloc[joined.person_of_row].reset_index(drop=True)
    assert back.astype({"video_id": object}).equals(whole[PERSON_COLUMNS].astype({"video_id": object}))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS.filter(len))
def test_a_file_in_blocks_is_that_of_its_rows(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", 64)
    text = "".join(f"{video},{second:04d},{x},0.0,0.5,0.5,{action},{one}\n" for video, second, x, action, one in rows)
    (tmp_path / "a.csv").write_text(text)
    read, expected = read_annotations(tmp_path / "a.csv", LABELS), Annotations(person_rows(table(rows)), LABELS)
    assert list(read.keyframes) == list(expected.keyframes)
    assert read.boxes.tobytes() == expected.boxes.tobytes()
    assert read.rows.equals(expected.rows)
    assert [read[keyframe].labels.tolist() for keyframe in read.keyframes] == [
        expected[keyframe].labels.tolist() for keyframe in expected.keyframes
    ]


@pytest.mark.parametrize("faulty", range(0, 9, 2))
@pytest.mark.parametrize("is_plain", [True, False])
def test_the_row_of_a_faulty_box_is_named(tmp_path, monkeypatch, faulty, is_plain):
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", 64)
    lines = [
        f"v,0902,0.{1 if number < 4 else 2},0.2,{0.1 if number >= faulty else 0.9},0.4,{number},0"
        for number in range(9)
    ]
    if not is_plain:
        lines = ["", *lines, "v,0903"]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    first = max(faulty, 4) + (1 if is_plain else 2)  # 0.1 is no less than 0.1
    with pytest.raises(InputError, match=f"row {first}: box .* has x2 < x1"):
        read_annotations(tmp_path / "a.csv", LABELS)


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("is_closed", [True, False])
def test_rows_of_any_line_end_are_read_and_long_ones_refused(tmp_path, monkeypatch, ending, is_closed):
    for module in (csv_rows, csv_shape):
        monkeypatch.setattr(module, "BLOCK_BYTES", 64)
        monkeypatch.setattr(module, "LONGEST_ROW", 80)
    lines = [f"v,{900 + number:04d},0.1,0.2,0.5,0.4,1,0" for number in range(30)]
    path = tmp_path / "a.csv"
    path.write_bytes((ending.join(lines) + ending * is_closed).encode())
    assert len(read_annotations(path, LABELS).keyframes) == 30
    lines[20] = f"{'v' * 90},0920,0.1,0.2,0.5,0.4,1,0"
    path.write_bytes((ending.join(lines) + ending * is_closed).encode())
    with pytest.raises(InputError, match="row 21: 8 columns in 11"):
        read_annotations(path, LABELS)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from("ab"), st.integers(-2, 2), st.sampled_from([0.0, -0.0, 0.5, 0.25, 1.0]))),
    is_ordered=st.booleans(),
    has_nan=st.booleans(),
)
def test_proposals_are_ordered_as_by_two_columns(rows, is_ordered, has_nan):
    rows = [(*row, float(number)) for number, row in enumerate(sorted(rows) if is_ordered else rows)]
    made = pd.DataFrame(rows, columns=["video_id", "timestamp", "score", "x1"]).assign(y1=0.0, x2=1.0, y2=1.0)
    made = made.astype({"timestamp": np.int64, "score": float, "x1": float})
    if has_nan and len(made):
        made.loc[0, "score"] = np.nan
    found = ProposalTable(made)
    order = np.lexsort((-made["score"], made["timestamp"], made["video_id"].astype(str)))
    assert found.boxes[:, 0].tolist() == made["x1"].to_numpy()[order].tolist()
    assert found.scores.tobytes() == made["score"].to_numpy()[order].tobytes()


NAMES = st.sampled_from(["v", "w", "a,b", '"q"', "é", "a\nb", "-x", ""])
SECONDS = st.sampled_from(["0902", "902", "902.0", "0903", "904", "-5", "9_1", "x", "", "1e3", "902.5"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=st.lists(st.tuples(NAMES, SECONDS), max_size=12, unique=True), ordinary=st.integers(1, 12))
def test_keys_of_any_form_are_read_in_runs_as_one_by_one(tmp_path, monkeypatch, keys, ordinary):
    path, outcomes = tmp_path / "p.pkl", []
    names = [f"v,{910 + number:04d}" for number in range(ordinary)] + [f"{name},{second}" for name, second in keys[:-1]]
    names += [f"u,{930 + number:04d}" for number in range(ordinary)] + [
        f"{name},{second}" for name, second in keys[-1:]
    ]
    scores = np.linspace(0.1, 0.9, 3)
    boxes = {
        name: np.array([[0.1, 0.2, 0.3, 0.4, score] for score in scores + place / 1e3])
        for place, name in enumerate(names)
    }
    path.write_bytes(pickle.dumps(boxes, 4))
    for go_on in (ArrayRuns.go_on, lambda self, machine: None):
        with monkeypatch.context() as patch:
            patch.setattr(ArrayRuns, "go_on", go_on)
            try:
                read = read_proposals(path)
                outcomes.append([list(read.keyframes), read.boxes.tobytes(), read.scores.tobytes()])
            except InputError as error:
                outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]
