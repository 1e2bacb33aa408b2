"""Arrays that are read many at a time are those that the opcodes make, one after the other."""

import pickle

import numpy as np
import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.files import array_pickle
from lfb_lightning.files.array_pickle import load_arrays
from lfb_lightning.files.array_runs import ArrayRuns


@pytest.fixture
def numbers(monkeypatch):
    """How many arrays each run read."""
    found = []
    push = ArrayRuns._push

    def counting(self, machine, array, entries):
        done = push(self, machine, array, entries)
        found.append(len(entries) if done else 0)
        return done

    monkeypatch.setattr(ArrayRuns, "_push", counting)
    return found


def proposals(dtype=np.float64, width=5, count=500):
    rng = np.random.default_rng(0)
    sizes = rng.integers(0, 12, count)
    sizes[3], sizes[4], sizes[5] = 2, 70, 64
    return {
        f"video_{'x' * (number % 9)},{900 + number:04d}": rng.random((size, width)).astype(dtype)
        for number, size in enumerate(sizes.tolist())
    }


def equal(found, expected):
    assert list(found) == list(expected)
    for one, other in zip(found.values(), expected.values(), strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()
        assert one.flags.writeable


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_they_equal_what_was_written(tmp_path, protocol, dtype, numbers):
    written = proposals(dtype)
    (tmp_path / "p.pkl").write_bytes(pickle.dumps(written, protocol))
    equal(load_arrays(tmp_path / "p.pkl", what="proposals"), written)
    if protocol in (3, 4):  # 2 stores bytes as a text and a call, 5 calls another function
        assert sum(numbers) > 0.6 * len(written)  # a twelfth are empty


def test_arrays_that_several_keys_share_and_nested_dicts(tmp_path, numbers):
    written = proposals(count=40)
    shared = written["video_xxx,0903"]
    whole = [
        {**written, "again,0001": shared, "once more": shared},
        written,
        {"one": {"two": shared, "three": shared + 1}},
    ]
    (tmp_path / "p.pkl").write_bytes(pickle.dumps(whole, 4))
    for found, expected in zip(load_arrays(tmp_path / "p.pkl", what="proposals")[:2], whole[:2], strict=True):
        equal(found, expected)
    assert numbers


@pytest.mark.parametrize("protocol", [3, 4])
def test_every_cut_and_every_changed_byte_ends_as_without_runs(tmp_path, protocol, monkeypatch):
    content = pickle.dumps(proposals(count=6, dtype=np.float32, width=2), protocol)
    path = tmp_path / "p.pkl"

    def outcome():
        try:
            return [(key, value.shape, value.tobytes()) for key, value in load_arrays(path, what="p").items()]
        except (InputError, AttributeError) as error:
            return str(error)

    rng = np.random.default_rng(0)
    go_on = ArrayRuns.go_on
    for number in range(120):
        changed = bytearray(content)
        place = int(rng.integers(len(content)))
        if number % 6 == 0:
            del changed[place:]
        else:
            changed[place] = int(rng.integers(256)) if number % 2 else changed[int(rng.integers(len(content)))]
        path.write_bytes(bytes(changed) or b"x")
        found = outcome()
        monkeypatch.setattr(ArrayRuns, "go_on", lambda self, machine: None)
        expected = outcome()
        monkeypatch.setattr(ArrayRuns, "go_on", go_on)
        assert found == expected, number


def test_its_limits_hold_within_runs(tmp_path, monkeypatch):
    written = proposals(count=300)
    (tmp_path / "p.pkl").write_bytes(pickle.dumps(written, 4))
    monkeypatch.setattr("lfb_lightning.files.pickle_limits._MOST_OBJECTS", 600)
    assert array_pickle.PickleLimits(10)._objects == 600
    with pytest.raises(InputError, match="made of more lists"):
        load_arrays(tmp_path / "p.pkl", what="proposals")


@pytest.mark.parametrize("part", ["the class", "the dtype"])
def test_what_a_later_array_refers_to_must_be_there(tmp_path, part, numbers):
    content = pickle.dumps({f"v,{900 + number:04d}": np.full((2, 5), float(number)) for number in range(4)}, 4)
    last = content.rindex(b"v,0903")
    gets = [place for place in range(last, len(content) - 1) if content[place : place + 1] == b"h"][:5]
    changed = bytearray(content)
    for place in gets[1:2] if part == "the class" else gets[-1:]:
        changed[place + 1] = 250
    (tmp_path / "p.pkl").write_bytes(bytes(changed))
    with pytest.raises(InputError, match="repeats its part number 250"):
        load_arrays(tmp_path / "p.pkl", what="proposals")
    assert numbers == [0]
