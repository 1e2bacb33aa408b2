"""Arrays that are read many at a time are those that the opcodes make, one after the other."""

import mmap
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lfb_lightning.errors import InputError
from lfb_lightning.files import array_pickle, array_runs, array_template
from lfb_lightning.files.array_pickle import load_arrays, load_joined_arrays
from lfb_lightning.files.array_runs import ArrayRuns
from lfb_lightning.files.array_template import Template, TemplateReader


@pytest.fixture
def numbers(monkeypatch):
    """How many arrays each run read."""
    found = []
    push = ArrayRuns._push

    def counting(self, machine, array, entries):
        done = push(self, machine, array, entries)
        found.append(len(entries.run.counts) if done else 0)
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


@pytest.fixture
def small_windows(monkeypatch):
    """Few arrays are found by the pattern, few are looked at together; the numbers of those that the template found."""
    monkeypatch.setattr(array_runs, "_LONGEST_RUN", 2)
    monkeypatch.setattr(array_template, "_WINDOW", 1200)
    monkeypatch.setattr(array_template, "_MARGIN", 300)
    found = []
    read = TemplateReader.read

    def counting(self, start):
        arrays = read(self, start)
        found.append(0 if arrays is None else len(arrays.counts))
        return arrays

    monkeypatch.setattr(TemplateReader, "read", counting)
    return found


KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\ud800"), max_size=8) | st.from_regex(
    r"[a-c]{1,3},090[0-9]", fullmatch=True
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.dictionaries(KEYS, st.integers(0, 9) | st.sampled_from([64, 65, 255, 256]), max_size=60),
    dtype=st.sampled_from(["f8", "f4", ">f8", "i2", "U3"]),
    width=st.integers(1, 6),
    protocol=st.sampled_from([3, 4]),
)
def test_arrays_of_any_keys_and_sizes_equal_what_was_written(tmp_path, small_windows, sizes, dtype, width, protocol):
    rng = np.random.default_rng(0)
    written = {key: (rng.random((size, width)) * 99).astype(dtype) for key, size in sizes.items()}
    (tmp_path / "p.pkl").write_bytes(pickle.dumps(written, protocol))
    written = {
        key: array.astype(array.dtype.newbyteorder("=")) for key, array in written.items()
    }  # so numpy reads them
    equal(load_arrays(tmp_path / "p.pkl", what="p"), written)
    rest, runs = load_joined_arrays(tmp_path / "p.pkl", what="p")
    for run in runs:
        keys, ends = run.keys.decode().split("\n")[:-1], np.cumsum(run.counts)
        rest.update(zip(keys, np.split(run.rows, ends[:-1]), strict=True))
    equal({key: rest[key] for key in written}, written)
    assert len(rest) == len(written)


def test_most_arrays_are_found_by_what_they_have_in_common(tmp_path, small_windows):
    written = {f"v,{900 + number:04d}": np.full((number % 4 + 1, 5), float(number)) for number in range(3000)}
    (tmp_path / "p.pkl").write_bytes(pickle.dumps(written, 4))
    equal(load_arrays(tmp_path / "p.pkl", what="p"), written)
    assert sum(small_windows) > 0.6 * len(written)


@pytest.mark.parametrize(("protocol", "count"), [(3, 6), (4, 6), (4, 16)])
def test_every_cut_and_every_changed_byte_ends_as_without_runs(tmp_path, protocol, count, monkeypatch, small_windows):
    content = pickle.dumps(proposals(count=count, dtype=np.float32, width=2), protocol)
    path = tmp_path / "p.pkl"

    def outcome():
        try:
            return [(key, value.shape, value.tobytes()) for key, value in load_arrays(path, what="p").items()]
        except (InputError, AttributeError) as error:
            return str(error)

    rng = np.random.default_rng(0)
    go_on = ArrayRuns.go_on
    for number in range(240):
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
    assert count < 16 or sum(small_windows) > 500


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
    assert sum(numbers) == 0


def test_descriptions_within_each_other_take_no_more_memory_than_the_file():
    template = Template(b"<made>", b"<shape>", b"<end>", 200)
    claims = b"<made>\xff<shape>B" + (255 * 200).to_bytes(4, "little")
    content = b"\x8c\x01k" + claims * 2000 + b"<end>" * 12_000
    with mmap.mmap(-1, len(content)) as file:
        file.write(content)
        reader = TemplateReader(file, template)
        assert reader.read(0) is None
        assert reader._window.rows.nbytes <= len(content)
        assert reader.read(len(content)) is TemplateReader(file, template).read(len(content)) is None
