"""Packed windows are those that the paper's own code reads on Charades and EPIC-Kitchens."""

import json
import re
from fractions import Fraction

import pytest
import torch

from lfb_lightning.bank import BankConfig, BankRows, FeatureBank, WindowSpec
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe
from tests.conftest import GOLDEN

FOLDER = GOLDEN / "paper_datasets" / "windows"
CHARADES, VERBS, NOUNS = (
    json.loads((FOLDER / f"{name}.json").read_text()) for name in ("charades", "epic_verb", "epic_noun")
)


def bank_of(entries, fps, kind):
    """A bank in memory whose features are (frame, place within the frame). `entries`: (frame, number of features)."""
    features = torch.tensor([(frame, place) for frame, count in entries for place in range(count)]).float().view(-1, 2)
    rows = BankRows(
        timestamps=features[:, 0].long(),
        boxes=torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(len(features), 1),
        scores=1 - features[:, 1] / 100,  # best first
        features=features,
    )
    return FeatureBank.from_rows({"v": rows}, channels=2, ticks_per_second=fps, entries=kind)


def read(bank, center, spec):
    """What a window holds in slot order, and its empty slots, which come last."""
    window = bank.window(Keyframe("v", center), spec)
    filled = int(window.mask.sum())
    assert window.mask[0, :filled].all()
    assert not window.features[0, filled:].any()
    return window.features[0, :filled].int().tolist(), spec.slots - filled


def charades_entries(num_frames, missing=()):
    return [(frame, 1) for frame in range(11, num_frames, 12) if frame not in missing]


def charades_cases():
    """(entries, center, window size, entries read, empty slots) of each."""
    for case in CHARADES["cases"]:
        read_there = case["entries_read"] or []  # their code fails on a video without any entry
        size = CHARADES["window_size"]
        yield charades_entries(case["num_frames"]), case["center"], size, read_there, size - len(read_there)
    for case in CHARADES["other_window_sizes"]:
        entries = charades_entries(case["num_frames"])
        yield entries, case["center"], case["window_size"], case["entries_read"], case["zero_slots"]
    gaps = CHARADES["with_gaps"]
    entries = charades_entries(gaps["num_frames"], gaps["missing_entries"])
    yield entries, gaps["center"], CHARADES["window_size"], gaps["entries_read"], gaps["zero_slots"]


def test_charades():
    cases = list(charades_cases())
    assert len(cases) == 99
    for entries, center, size, expected, empty in cases:
        half = Fraction(
            size // 2, 2
        )  # seconds of the entries of half a window, at 2 per second, whole as in their code
        spec = WindowSpec(before=half, after=half, slots=size, per_tick=1, layout="packed")
        found, left = read(bank_of(entries, 24, "clips"), center, spec)
        assert ([frame for frame, _ in found], left) == (expected, empty), (center, size)


def test_verbs_of_epic():
    assert len(VERBS["cases"]) == 46
    size = VERBS["window_size"]
    spec = WindowSpec(before=Fraction(size, 2), after=Fraction(size, 2), slots=size, per_tick=1, layout="packed")
    for case in VERBS["cases"]:
        bank = bank_of([(frame, 1) for frame in range(30, case["num_frames"] + 1, 30)], 30, "clips")
        found, left = read(bank, case["center"], spec)
        assert ([frame for frame, _ in found], left) == (case["entries_read"], case["zero_slots"]), case


def test_nouns_of_epic():
    assert len(NOUNS["cases"]) == 14
    for case in NOUNS["cases"]:
        size, most = case["window_size"], case["max_per_frame"]
        half = Fraction(size, 2 * most)
        spec = WindowSpec(before=half, after=half, slots=size, per_tick=most, layout="packed")
        found, left = read(bank_of(case["objects_per_frame"], 30, "objects"), case["center"], spec)
        expected = [[frame, place] for frame, count in case["read_frame_and_first_k"] for place in range(count)]
        assert (found, left) == (expected, case["zero_slots"]), case["what"]


@pytest.mark.parametrize(
    ("options", "half", "slots", "most"),
    [
        ({"window_seconds": 10, "features_per_second": 1, "slots": 20}, 5, 20, 1),  # Charades
        ({"window_seconds": 40, "features_per_second": 1}, 20, 40, 1),  # EPIC-Kitchens, verbs
        ({"window_seconds": 12, "features_per_second": 10}, 6, 120, 10),  # nouns
        ({"window_before": "1/2", "window_after": 0.5, "features_per_second": 2, "slots": 3}, Fraction(1, 2), 3, 2),
    ],
)
def test_the_configuration_describes_them(options, half, slots, most):
    spec = BankConfig(dir="banks", layout="packed", **options).window_spec(training=False)
    assert spec == WindowSpec(before=half, after=half, slots=slots, per_tick=most, layout="packed")


def test_a_grid_of_other_bounds_has_a_cell_per_second_and_other_banks_have_names():
    config = BankConfig(dir="banks", window_before=5, window_after=2, others={"objects": "detected"})
    assert config.window_spec(training=True) == WindowSpec(before=5, after=2, slots=40, selection="random")
    assert [str(config.folder("val", name)) for name in (None, "objects")] == ["banks/val", "detected/val"]
    with pytest.raises(
        InputError, match=r"bank\.others names objects, but the model reads bank 'clips'; set \+bank\.others"
    ):
        config.folder("val", "clips")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"window_before": "soon"}, "bank.window_before is 'soon', expected a number"),
        ({"window_before": -40}, "a bank window of"),
        ({"slots": 7}, "bank.slots is 7, expected a multiple of bank.features_per_second: 5"),
        ({"slots": 0}, "a bank window of 0 slots"),
        ({"slots": -5}, "a bank window of -5 slots"),
    ],
)
def test_windows_that_cannot_be_are_refused(options, said):
    with pytest.raises(InputError, match=re.escape(said)):
        BankConfig(dir="banks", **options)
