"""What a checkpoint says of clips, windows and names is data: it is understood, or refused in one line."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfb_lightning.errors import InputError
from lfb_lightning.prediction.recipe import read_recipe
from tests.prediction.conftest import BANK, DATA

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 10**12), st.floats(), st.text(max_size=12)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=8), st.integers(0, 99)), inner, max_size=3),
    ),
    max_leaves=6,
)
TRAINED = {"actions": {1: "walk"}, "ticks_per_second": "2", "bank_backbone": "0" * 64}
SOUND = {
    "data": DATA,
    "bank": BANK,
    "trained_on": TRAINED,
    "seed": 3,
    "loss": {"_target_": "lfb_lightning.models.MultiLabelLoss"},
}
PATHS = [
    ("seed",),
    *((name,) for name in SOUND),
    *((name, key) for name in ("data", "bank", "trained_on") for key in SOUND[name]),
]


def read(config):
    return read_recipe(config, source="checkpoint x", num_columns=6)


def test_whether_scores_are_times_the_persons_is_true_or_false():
    assert read(SOUND).times_person_score is False
    assert read({**SOUND, "task": {"_target_": "x", "times_person_score": True}}).times_person_score is True
    with pytest.raises(InputError, match=r"checkpoint x: task\.times_person_score is 'yes', expected true or false"):
        read({**SOUND, "task": {"times_person_score": "yes"}})


def test_what_it_says_is_taken():
    recipe = read(SOUND)
    assert (recipe.clips.num_frames, recipe.seed, dict(recipe.actions)) == (4, 3, {1: "walk"})
    assert (recipe.window.slots, recipe.precision, recipe.reach) == (36, "fp32", 6)
    assert recipe.bank_backbone == "0" * 64


@pytest.mark.parametrize(
    ("rate", "key_step", "spacing", "expected"),
    [
        ("1000", 1000, 1000, (1, 1)),  # AVA-Kinetics: a moment, and a cell of a window, per second
        ("1000", 500, 500, (2, 1)),
        ("1000", 500, None, (1000, 500)),  # the bank has a cell per tick
        ("1", 2, "2", (1, 2)),
        ("24", None, 12, (2, 1)),  # Charades: no key frames, a clip in the bank every 12 frames
        ("1", None, None, (1, 1)),
    ],
)
def test_a_bank_whose_moments_lie_further_apart_is_counted_in_moments(rate, key_step, spacing, expected):
    trained = {**TRAINED, "ticks_per_second": rate} | ({} if spacing is None else {"spacing": spacing})
    data = {name: value for name, value in {**DATA, "key_step": key_step}.items() if value is not None}
    recipe = read({**SOUND, "data": data, "trained_on": trained})
    assert (recipe.clock.ticks_per_second, recipe.step) == expected


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(PATHS), value=VALUES)
def test_anything_else_is_refused_in_one_line(path, value):
    config = {name: dict(part) if isinstance(part, dict) else part for name, part in SOUND.items()}
    node = config
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    with one_line_or_nothing():
        recipe = read(config)
        assert all(isinstance(name, str) for name in recipe.actions.values())
        assert recipe.reach >= 0


@contextlib.contextmanager
def one_line_or_nothing():
    said = ""
    try:
        yield
    except InputError as error:
        said = str(error)
    assert len(said.splitlines()) <= 1
    assert said == "" or said.startswith("checkpoint x")


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("bank", "slots", 3_000_000_000, "expected at most 1,000,000 slots"),
        ("bank", "window_seconds", 10**12, "a bank window of 8,000,000 seconds or more"),
        ("bank", "window_before", 10**30, "a bank window of 8,000,000 seconds or more"),
        ("data", "key_step", 0, "key_step is 0, expected a whole number"),
        ("trained_on", "ticks_per_second", 100_000, "asks 100000 times per second"),
        ("data", "num_frames", 10**12, "num_frames is 1000000000000"),
    ],
)
def test_no_size_is_trusted(section, key, value, message):
    with pytest.raises(InputError, match=message):
        read({**SOUND, section: {**SOUND[section], key: value}})


def test_nothing_is_built_but_a_loss():
    with pytest.raises(InputError, match="not part of what a file may name"):
        read({**SOUND, "loss": {"_target_": "pandas.read_pickle", "filepath_or_buffer": "x"}})
    with pytest.raises(InputError, match="nothing is built in bank"):
        read({**SOUND, "bank": {**BANK, "precision": {"_target_": "os.system", "command": "true"}}})


def test_names_can_be_drawn_written_and_told_apart():
    names = {1: "walk\n\x1b[2J", 2: "eat", 3: "eat", 4: "\ud800", 5: "", "x": "none", 77: "beyond"}
    recipe = read({**SOUND, "trained_on": {**TRAINED, "actions": names}})
    assert recipe.actions == {1: "walk ?[2J", 2: "eat (2)", 3: "eat (3)", 4: "?", 5: "action 5"}
    for useless in ({}, {"x": "y"}, {99: "z"}, [1]):
        recipe = read({**SOUND, "trained_on": {**TRAINED, "actions": useless}})
        assert recipe.actions == {column: f"action {column}" for column in range(1, 6)}
