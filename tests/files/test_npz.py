"""`.npz` files are read without running or trusting anything in them."""

import io
import re
import tracemalloc
import zipfile

import numpy as np
import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.files.npz import read_npz


def npy(array, **more):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **more)
    return buffer.getvalue()


def write(path, **records):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in records.items():
            archive.writestr(f"{name}.npy", content)


def with_header(header):
    return b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back(tmp_path, save):
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.array(["x", "yz"]),
        "c": np.asfortranarray(np.arange(6).reshape(3, 2)),
        "d": np.zeros((0, 4)),
    }
    save(tmp_path / "a.npz", **arrays)
    found = read_npz(tmp_path / "a.npz", what="scores", names=["a", "c"], optional=["b", "d", "e"])
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)


def test_bad_files_are_named(tmp_path):
    path = tmp_path / "bad.npz"
    good = npy(np.zeros(4))
    claims_more = npy(np.zeros(4)).replace(b"(4,)", b"(9,)")
    objects = npy(np.array([{}], dtype=object), allow_pickle=True)
    for content, message in (
        ({"b": good}, "no array 'a', expected a; found b"),
        ({"a": objects}, "array 'a' holds object, expected numbers or texts"),
        ({"a": claims_more}, "array 'a' of 72 bytes, expected those of its record"),
        ({"a": good[:-8]}, "array 'a' of 32 bytes, expected those of its record"),
        ({"a": b"nothing"}, "not a readable .npz file"),
        ({"a": good.replace(b"), }", b"(, }")}, "not a readable .npz file .its header cannot be read"),
        ({"a": with_header(b"-" * 9000 + b"1")}, "not a readable .npz file .its header cannot be read"),
        ({"a": npy(np.zeros(2, dtype="f4,f4"))}, "expected numbers or texts"),
    ):
        write(path, **content)
        with pytest.raises(InputError, match=message) as caught:
            read_npz(path, what="scores", names=["a"])
        assert "scores " in str(caught.value)
        assert "bad.npz" in str(caught.value)
    path.write_bytes(b"PK" * 50)
    with pytest.raises(InputError, match=r"not a readable \.npz file"):
        read_npz(path, what="scores", names=["a"])
    with pytest.raises(InputError, match="no such file"):
        read_npz(tmp_path / "none.npz", what="scores", names=["a"])


def test_a_header_is_not_read_before_its_length_is_known(tmp_path):
    """Version 2.0 says the header's length in 32 bits: 4 GB of blanks are a file of 4 MB."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as file:
        file.write(b"\x93NUMPY\x02\x00" + (64 << 20).to_bytes(4, "little"))
        for _ in range(64):
            file.write(b" " * (1 << 20))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"version 2\.0 of numpy's format, expected 1\.0"):
        read_npz(tmp_path / "a.npz", what="scores", names=["a"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (np.zeros((0, 4), dtype=np.float32), (0, 10**12)),  # nothing to read, and rows of any length to be made of it
        (np.zeros(2001, dtype=np.uint8), (2001,)),  # eight bytes each when they are computed with
        (np.array(["a"] * 101, dtype="S1"), (101,)),
    ],
)
def test_numbers_and_texts_are_counted_before_they_are_made(tmp_path, monkeypatch, array, shape):
    monkeypatch.setattr("lfb_lightning.files.npz._MOST_NUMBERS", 2000)
    monkeypatch.setattr("lfb_lightning.files.npz._MOST_TEXTS", 100)
    stated = str(array.shape).encode()
    write(tmp_path / "a.npz", a=npy(array).replace(stated, str(shape).encode()))
    with pytest.raises(InputError, match=f"array 'a' of shape {re.escape(str(shape))}, expected at most"):
        read_npz(tmp_path / "a.npz", what="scores", names=["a"])


def test_a_small_file_of_much_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("lfb_lightning.files.npz._MOST_BYTES", 1 << 20)
    write(tmp_path / "a.npz", a=npy(np.zeros(1 << 18)))
    assert (tmp_path / "a.npz").stat().st_size < 10_000
    with pytest.raises(InputError, match="array 'a' of 2097152 bytes"):
        read_npz(tmp_path / "a.npz", what="scores", names=["a"])


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused_before_they_are_unpacked(tmp_path, compression):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", compression) as archive:
        archive.writestr("a.npy", npy(np.zeros(4)))
    with pytest.raises(InputError, match=r"a\.npz: not a readable .npz file .array 'a' is compressed in another way"):
        read_npz(tmp_path / "a.npz", what="scores", names=["a"])
