"""The quick way to read a csv and the exact one agree, and rows are grouped as a naive loop groups them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfb_lightning.ava.annotations import Annotations, read_annotations
from lfb_lightning.ava.csv_rows import parse_whole_rows, read_number_rows
from lfb_lightning.ava.label_map import LabelMap
from lfb_lightning.ava.person_rows import person_rows
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe

COLUMNS = ["video_id", "timestamp", "x"]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["0123", "1e5", "a b", "-5KQ66BBWC4", "nan"]),
            st.integers(0, 2000),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_numbers_and_ids_are_read_exactly(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "a.csv"
    path.write_text("".join(f"{video},{second:04d},{value!r}\n" for video, second, value in rows))
    table = parse_whole_rows(path, COLUMNS, integers=["timestamp"])
    assert table is not None
    assert table["video_id"].tolist() == [video for video, _, _ in rows]
    assert table["timestamp"].tolist() == [second for _, second, _ in rows]
    assert table["x"].tolist() == [value for _, _, value in rows]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,1,2\na,1\n", "row 2: 2 columns"),
        ("a,1,2\na,1,2,3\n", "row 2: 4 columns"),
        ("a,1,2\na,1,2,3,4,5\n", "row 2: 6 columns"),
        ("a,1,2\na,1.5,2\n", "row 2: timestamp is '1.5'"),
        ("a,1,2\na,1,inf\n", "row 2: x is 'inf'"),
        ("a,1,\n", "row 1: x is ''"),
        ("\xff\x00,1,2\n", "utf-8"),
    ],
)
def test_unusual_rows_are_named(tmp_path, text, message):
    (tmp_path / "a.csv").write_bytes(text.encode("latin1"))
    with pytest.raises(InputError, match=message):
        read_number_rows(tmp_path / "a.csv", COLUMNS, what="rows", integers=["timestamp"])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ba"),
            st.integers(1, 3),
            st.sampled_from([0.0, -0.0, 0.25]),
            st.integers(1, 4),
            st.integers(0, 1),
        ),
        max_size=25,
    )
)
def test_persons_are_those_of_a_naive_grouping(rows):
    table = pd.DataFrame(
        [(video, second, x, 0.0, 0.5, 0.5, action, person) for video, second, x, action, person in rows],
        columns=["video_id", "timestamp", "x1", "y1", "x2", "y2", "action_id", "person_id"],
    ).astype({"timestamp": int, "x1": float, "action_id": int, "person_id": int})
    annotations = Annotations(person_rows(table), LabelMap({1: "one", 2: "two", 3: "three"}))
    expected = {}
    for video, second, x, action, person in rows:
        expected.setdefault(Keyframe(video, second), {}).setdefault((x + 0.0, person), set()).add(action)
    assert annotations.keyframes == sorted(expected)
    for keyframe, persons in expected.items():
        truth = annotations[keyframe]
        assert truth.boxes[:, 0].tolist() == [x for x, _ in persons]
        assert [set(np.flatnonzero(row).tolist()) for row in truth.labels] == [
            acts & {1, 2, 3} for acts in persons.values()
        ]
    assert len(annotations[Keyframe("nobody", 1)]) == 0
    kept = annotations.without(frozenset({Keyframe("a", 1), Keyframe("z", 1)}))
    assert kept.keyframes == sorted(set(expected) - {Keyframe("a", 1)})


def test_first_release_without_person_ids(tmp_path):
    (tmp_path / "a.csv").write_text("v,0902,0.1,0.1,0.5,0.5,1\nv,0902,0.1,0.1,0.5,0.5,2\n")
    truth = read_annotations(tmp_path / "a.csv", LabelMap({1: "one", 2: "two"}))[Keyframe("v", 902)]
    assert truth.labels.tolist() == [[False, True, True]]
