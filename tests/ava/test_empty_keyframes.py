"""Rows of two columns: keyframes that were looked at and in which nobody is."""

import numpy as np
import pytest

from lfb_lightning.ava.annotations import read_annotations
from lfb_lightning.ava.label_map import LabelMap
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe

LABELS = LabelMap({1: "one", 2: "two"})
TEXT = """\
b,0903
b,0902,0.1,0.2,0.5,0.6,1,0
a,0905
b,0902,0.1,0.2,0.5,0.6,2,0
b,0904,0.1,0.2,0.5,0.6,7,0
b,0902
c,0001
"""
EMPTY = [Keyframe("a", 905), Keyframe("b", 903), Keyframe("c", 1)]


@pytest.fixture
def annotations(tmp_path):
    (tmp_path / "gt.csv").write_text(TEXT)
    return read_annotations(tmp_path / "gt.csv", LABELS)


def test_they_are_annotated_and_hold_nobody(annotations):
    assert annotations.keyframes == sorted([*EMPTY, Keyframe("b", 902), Keyframe("b", 904)])
    assert annotations.num_persons == 2
    assert annotations.persons.counts.tolist() == [0, 1, 0, 1, 0]
    for keyframe in EMPTY:
        assert keyframe in annotations
        assert len(annotations[keyframe]) == 0
    assert annotations[Keyframe("b", 902)].labels.tolist() == [[False, True, True]]


def test_they_are_not_trained_on(annotations):
    assert annotations.persons.select(annotations.labeled) == [Keyframe("b", 902)]


def test_they_can_be_excluded(annotations):
    kept = annotations.without(frozenset({EMPTY[0], Keyframe("b", 902)}))
    assert kept.keyframes == [EMPTY[1], Keyframe("b", 904), EMPTY[2]]
    assert kept.persons.counts.tolist() == [0, 1, 0]
    assert annotations.without(frozenset({Keyframe("z", 1)})) is annotations


def test_a_file_of_nothing_else(tmp_path):
    (tmp_path / "gt.csv").write_text("a,1\nb,2\n")
    annotations = read_annotations(tmp_path / "gt.csv", LABELS)
    assert annotations.keyframes == [Keyframe("a", 1), Keyframe("b", 2)]
    assert not annotations.labeled.any()
    assert annotations.boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b,0906,0.1", "row 8: 3 columns"),
        ("b,0906,0.1,0.2,0.3,0.4", "row 8: 6 columns"),
        ("b,0906,,0.2,0.3,0.4,1,0", "row 8: x1 is ''"),
        ("b,0906,0.5,0.2,0.3,0.4,1,0", "row 8: box .* has x2 < x1"),
        ("b,", "row 8: timestamp is ''"),
        ("b,9.5", r"row 8: timestamp is '9\.5'"),
        ("b,8000000", "row 8: timestamp is '8000000'"),
    ],
)
def test_rows_after_them_are_named_by_their_place_in_the_file(tmp_path, line, message):
    (tmp_path / "gt.csv").write_text(f"{TEXT}{line}\n")
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path / "gt.csv", LABELS)


@pytest.mark.parametrize("seed", range(5))
def test_tables_agree_with_a_naive_count(tmp_path, seed):
    rng = np.random.default_rng(seed)
    persons: dict[Keyframe, int] = {}
    lines = []
    for _ in range(60):
        keyframe = Keyframe(f"v{rng.integers(4)}", int(rng.integers(-3, 6)))
        empty = rng.random() < 0.4
        number = len(lines)
        lines.append(f"{keyframe}" if empty else f"{keyframe},0.{number:03d},0.0,0.9,0.9,1,{number}")
        persons[keyframe] = persons.get(keyframe, 0) + (not empty)
    (tmp_path / "gt.csv").write_text("\n".join(lines))
    annotations = read_annotations(tmp_path / "gt.csv", LABELS)
    assert annotations.keyframes == sorted(persons)
    assert {keyframe: len(annotations[keyframe]) for keyframe in annotations.keyframes} == persons
    assert annotations.labeled.tolist() == [persons[keyframe] > 0 for keyframe in sorted(persons)]
