"""AVA's groups are reported on AVA's actions, whole or in part, and on no others."""

import pytest

from lfb_lightning.ava.action_groups import ava_groups
from lfb_lightning.ava.label_map import LabelMap, read_label_map
from tests.conftest import GOLDEN

PART = {1: "bend/bow (at the waist)", 15: "answer phone", 80: "watch (a person)"}


def test_each_action_is_in_its_group():
    whole = LabelMap(PART | {14: "walk", 63: "write", 64: "fight/hit (a person)", 12: "stand"})
    assert ava_groups(whole) == {
        "person_movement": [1, 12, 14],
        "object_manipulation": [15, 63],
        "person_interaction": [64, 80],
    }


def test_case_blanks_and_punctuation_do_not_matter():
    assert ava_groups(LabelMap({1: "Bend / Bow (at the  waist)", 61: "watch (e.g. TV)"})) == {
        "person_movement": [1],
        "object_manipulation": [61],
    }


@pytest.mark.parametrize("names", [{1: "one", 2: "two"}, PART | {2: "pick your nose"}, {2: PART[1]}, {81: "x"}, {}])
def test_other_actions_have_no_groups(names):
    assert ava_groups(LabelMap(names)) == {}


def test_a_subset_keeps_the_groups_that_it_has_actions_of():
    assert ava_groups(LabelMap(PART).restricted_to([1])) == {"person_movement": [1]}
    assert ava_groups(LabelMap(PART | {2: "another"}).restricted_to([1])) == {}


def test_the_real_label_map():
    label_map = read_label_map(GOLDEN / "ava" / "ava_action_list_v2.1_for_activitynet_2018.pbtxt")
    groups = ava_groups(label_map)
    assert sum(map(len, groups.values())) == 60
    assert {key for keys in groups.values() for key in keys} == set(label_map.ids)
    assert [(keys[0], keys[-1]) for keys in groups.values()] == [(1, 14), (15, 63), (64, 80)]
