"""No right file is refused: whatever containers, arrays and tensors are written are read as they were."""

import pickle

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lfb_lightning.files.array_pickle import load_arrays
from lfb_lightning.files.torch_file import read_torch
from tests.fuzzing.cases import plain

KEYS = st.text(max_size=9) | st.integers(-(2**63), 2**63) | st.tuples(st.text(max_size=3), st.integers(0, 9))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
ARRAYS = st.sampled_from(["f2", "<f4", ">f8", "i1", ">i4", "u8", "?", "U3"]).flatmap(
    lambda kind: arrays(
        kind,
        st.sampled_from([(), (0,), (3,), (2, 0, 5), (2, 3)]),
        elements={"allow_nan": False} if "f" in kind else None,
    )
)


def nested(leaves):
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
    )


@settings(max_examples=150, deadline=None)
@given(nested(PLAIN | ARRAYS), st.integers(0, 5))
def test_pickles_of_arrays_in_every_protocol(tmp_path_factory, content, protocol):
    path = tmp_path_factory.getbasetemp() / "right.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    assert plain(load_arrays(path, what="bank")) == plain(content)


@settings(max_examples=100, deadline=None)
@given(
    nested(PLAIN | st.sampled_from([torch.ones(2, 3).T, torch.zeros(0, 4), torch.arange(9).view(3, 3)[1:, ::2]])),
    st.booleans(),
)
def test_torch_files_of_either_form(tmp_path_factory, content, zipped):
    path = tmp_path_factory.getbasetemp() / "right.pt"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert plain(read_torch(path, what="checkpoint")) == plain(content)
