"""Ids keep their meaning, whatever is converted in whatever order."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfb_lightning.converters.annotated_box import AnnotatedBox, Notes
from lfb_lightning.converters.numbering import number_actions, number_persons
from lfb_lightning.errors import InputError

ACTIONS = st.sets(st.sampled_from(["walk", "sit", "stand", "bend", "talk", "Walk"]) | st.integers(1, 12))


@given(files=st.lists(ACTIONS, max_size=5))
@settings(deadline=None)
def test_action_ids_never_change_and_name_one_action_each(files):
    names, ids = {}, {}
    for found in files:
        before, had = dict(names), dict(ids)
        ids, names = number_actions(found, names)
        assert before.items() <= names.items()
        assert len(set(names.values())) == len(names)
        assert set(ids) == set(found)
        assert all(ids[action] == action for action in found if isinstance(action, int))
        assert all(names[ids[action]] == action for action in found if isinstance(action, str))
        assert all(ids[action] == had[action] for action in found if action in had)
        assert min(names, default=1) >= 1


def test_label_maps_with_two_ids_of_one_name_are_refused():
    with pytest.raises(InputError, match="'walk' has two ids"):
        number_actions({"walk"}, {1: "walk", 2: "walk"})


TRACKS = st.none() | st.integers(0, 3) | st.sampled_from(["ann", "bob"])
BOXES = st.tuples(
    st.sampled_from(["a", "b"]), st.integers(0, 2), st.integers(0, 3), TRACKS, st.sampled_from([0.0, 0.5])
)


@given(drawn=st.lists(BOXES, max_size=30, unique_by=lambda box: box[:4]))
@settings(deadline=None)
def test_person_ids_are_one_per_track_of_a_part_and_one_per_box_without(drawn):
    boxes = [
        AnnotatedBox(video, part * 1000 + second, (x, 0.0, 1.0, 1.0), ("walk",), track, f"part {part}")
        for video, part, second, track, x in drawn
    ]
    numbers = number_persons(boxes, Notes())
    person_of = {}
    for box, number in zip(boxes, numbers, strict=True):
        person = (box.part, box.second if box.track is None else None, box.track)
        assert person_of.setdefault((box.video_id, number), person) == person
    distinct = Counter(video for video, _ in person_of)
    for video in distinct:
        persons = {(b.part, b.second if b.track is None else None, b.track) for b in boxes if b.video_id == video}
        assert distinct[video] == len(persons)
    assert all(number >= 0 for number in numbers)


def test_the_only_parts_tracks_keep_their_numbers():
    boxes = [
        AnnotatedBox("a", second, (0.0, 0.0, 1.0, 1.0), ("walk",), track, "x") for second, track in ((0, 40), (1, 7))
    ]
    assert number_persons(boxes, Notes()) == [40, 7]
