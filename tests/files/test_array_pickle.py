"""Arrays come back from every pickle that numpy writes; a pickle that forges one is refused before numpy sees it."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.files.array_pickle import load_arrays

CONTENT = {
    "floats": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.ones((1, 2), dtype=np.float16),
    "big endian": np.arange(3, dtype=">i8"),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "empty": np.zeros((0, 4)),
    "number": np.float64(3.5),
    "words": np.array(["a", "bc"]),
    "bytes": b"\x80raw",
    "none": b"",
    "plain": [1, "two", OrderedDict(three=3.0)],
}


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_what_numpy_writes_is_read_in_every_protocol(tmp_path, protocol):
    path = tmp_path / "arrays.pkl"
    path.write_bytes(pickle.dumps(CONTENT, protocol))
    found = load_arrays(path, what="bank")
    assert found.keys() == CONTENT.keys()
    for name, expected in CONTENT.items():
        np.testing.assert_array_equal(found[name], expected, err_msg=name)
        if isinstance(expected, np.ndarray):
            assert found[name].dtype.newbyteorder("=") == expected.dtype.newbyteorder("="), name


def test_numpy_1_and_python_2_names_and_strings_are_read(tmp_path):
    path = tmp_path / "old.pkl"
    # As Python 2 writes numpy.array([1.5, -2], "<f4"): names of numpy 1, a byte string for the content.
    path.write_bytes(
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\ntcnumpy\ndtype\n"
        b"(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'\\x00\\x00\\xc0?\\x00\\x00\\x00\\xc0'\ntb."
    )
    np.testing.assert_array_equal(load_arrays(path, what="bank"), np.array([1.5, -2], dtype=np.float32))


class Reduced:
    """Pickles as a call, and a state, of one's choice."""

    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


ADDRESS = (0x4141414141414141).to_bytes(8, "little")
RECONSTRUCT = np._core.multiarray._reconstruct
EMPTY = (np.ndarray, (0,), b"b")
POINTERS = Reduced(np.dtype, ("V8", False, True), (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0))
FORGED_FLOATS = Reduced(np.dtype, ("f8", False, True), (3, "<", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 63))
FORGED_STRUCTURE = Reduced(np.dtype, ("f8", False, True), (3, "<", None, ("a",), {"a": (np.dtype("f4"), 0)}, 8, 1, 0))
ONLY_PLAIN = "only arrays of numbers and strings are read"
FORGERIES = {
    "array of pointers": (Reduced(np.ndarray, ((1,), np.dtype("O"), ADDRESS)), ONLY_PLAIN),
    "array called with floats": (Reduced(np.ndarray, ((1,), np.dtype("f8"), ADDRESS)), "it calls a str"),
    "objects": (np.array([None, {}], dtype=object), ONLY_PLAIN),
    "structure with pointers": (Reduced(RECONSTRUCT, EMPTY, (1, (2,), POINTERS, False, ADDRESS * 2)), ONLY_PLAIN),
    "floats that claim to be pointers": (
        Reduced(RECONSTRUCT, EMPTY, (1, (1,), FORGED_FLOATS, False, ADDRESS)),
        ONLY_PLAIN,
    ),
    "floats that claim to be structures": (
        Reduced(RECONSTRUCT, EMPTY, (1, (1,), FORGED_STRUCTURE, False, ADDRESS)),
        "array of structures",
    ),
    "more rows than bytes": (
        Reduced(RECONSTRUCT, EMPTY, (1, (9,), np.dtype("f8"), False, ADDRESS)),
        "array of 8 bytes, expected 9 elements of 8",
    ),
    "fewer rows than bytes": (
        Reduced(RECONSTRUCT, EMPTY, (1, (1,), np.dtype("f4"), False, ADDRESS)),
        "array of 8 bytes, expected 1 elements of 4",
    ),
    "negative size": (Reduced(RECONSTRUCT, EMPTY, (1, (-1, -1), np.dtype("f8"), False, ADDRESS)), "not described"),
    "size beyond memory": (
        Reduced(RECONSTRUCT, EMPTY, (1, (2**62, 4), np.dtype("f8"), False, b"")),
        f"array of 0 bytes, expected {2**64} elements of 8",
    ),
    "scalar of an object": (Reduced(np._core.multiarray.scalar, (np.dtype("O"), ADDRESS)), ONLY_PLAIN),
    "scalar of more bytes": (
        Reduced(np._core.multiarray.scalar, (np.dtype("f8"), ADDRESS * 2)),
        "array of 16 bytes, expected 1 elements of 8",
    ),
    "buffer of fewer bytes": (
        Reduced(np._core.numeric._frombuffer, (ADDRESS, np.dtype("f8"), (2,), "C")),
        "array of 8 bytes, expected 2 elements of 8",
    ),
    "complex numbers": (np.ones(2, np.complex64), "an array of 'c8'"),  # readers would drop their imaginary part
    "many bytes": (Reduced(bytes, (10**15,)), "not a pickle"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_arrays_are_refused(tmp_path, name):
    forged, said = FORGERIES[name]
    path = tmp_path / "forged.pkl"
    path.write_bytes(pickle.dumps({"v": Reduced(OrderedDict, (forged,))}, 2))
    with pytest.raises(InputError, match=rf"bank .*forged\.pkl: .*{said}"):
        load_arrays(path, what="bank")


SHARED = ["walking", 1.5]
ODD = {
    "one list twice": [SHARED, SHARED],
    "sets": [{1, "a"}, frozenset({2.5})],
    "keys": {1: 0, 2.5: 0, None: 0, False: 0, b"b": 0, np.int64(7): 0, ("v", 902): 0},
    "integers": [0, -1, 255, 65536, -(2**31), 2**40, -(2**70)],
    "texts": ["", "é😀", 'quote " and \n line', b"\x00\xff"],
    "bytearray": bytearray(b"ab"),
    "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    "nested": [[[{"a": [{"b": ()}]}]]],
}


# Older protocols make sets and bytearrays by a call, which is refused.
@pytest.mark.parametrize(
    ("name", "protocol"),
    [(name, protocol) for name in ODD for protocol in range({"bytearray": 5, "sets": 4}.get(name, 0), 6)],
)
def test_plain_content_is_read_in_every_protocol(tmp_path, name, protocol):
    path = tmp_path / "plain.pkl"
    path.write_bytes(pickle.dumps(ODD[name], protocol))
    assert load_arrays(path, what="bank") == ODD[name]
