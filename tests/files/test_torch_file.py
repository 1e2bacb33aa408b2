"""What torch.save wrote is read as torch.load reads it, in both forms; what it cannot hold safely is refused by name."""

import pickle
from collections import Counter, OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lfb_lightning.errors import InputError
from lfb_lightning.files.pickle_limits import Inert
from lfb_lightning.files.torch_file import is_torch_file, read_torch

LAYER = torch.nn.Linear(3, 2)
CONTENT = {
    "transposed": torch.arange(12.0).reshape(3, 4).t(),
    "part": torch.arange(10, dtype=torch.int64)[3:7],
    "every other": torch.arange(10, dtype=torch.int16)[::2],
    "repeated": torch.ones(2, 1).expand(2, 3),
    "empty": torch.zeros(0, 4),
    "number": torch.tensor(3.5, dtype=torch.float64),
    "half": torch.ones(5, dtype=torch.bfloat16)[2:],
    "truth": torch.tensor([True, False]),
    "complex": torch.ones(2, dtype=torch.complex64),
    "parameter": LAYER.weight,
    "state": LAYER.state_dict(),
    "plain": [
        1,
        -2.5,
        "text",
        None,
        (1, 2),
        {"a": b"\x80raw"},
        {3, 4},
        OrderedDict(a=1),
        Counter("aab"),
        torch.float16,
    ],
}


@pytest.mark.parametrize("new_form", [True, False])
def test_content_is_that_of_torch_load(tmp_path, new_form):
    path = tmp_path / "a.pt"
    torch.save(CONTENT, path, _use_new_zipfile_serialization=new_form)
    found, expected = read_torch(path, what="file"), torch.load(path, weights_only=True)
    assert is_torch_file(path)
    assert found.keys() == expected.keys()
    assert found["plain"] == expected["plain"]
    tensors = {**found, **found["state"]}
    for name, value in {**expected, **expected["state"]}.items():
        if isinstance(value, torch.Tensor):
            torch.testing.assert_close(tensors[name], value.detach(), rtol=0, atol=0, msg=name)
            assert (tensors[name].dtype, tensors[name].stride()) == (value.dtype, value.stride()), name


def test_tensors_that_share_memory_still_do(tmp_path):
    whole = torch.zeros(4)
    torch.save({"whole": whole, "part": whole[1:]}, tmp_path / "a.pt")
    found = read_torch(tmp_path / "a.pt", what="file")
    found["part"][0] = 7
    assert found["whole"].tolist() == [0, 7, 0, 0]
    assert read_torch(tmp_path / "a.pt", what="file")["whole"].tolist() == [0, 0, 0, 0]  # the file stays as it is


def test_objects_are_refused_by_name_or_replaced(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"weight": torch.ones(2), "args": SimpleNamespace(lr=1), "array": np.ones(2)}, path)
    with pytest.raises(InputError, match=r"file .*a\.pt: it asks for types\.SimpleNamespace; only tensors"):
        read_torch(path, what="file")
    found = read_torch(path, what="file", stand_ins=True)
    assert found["weight"].tolist() == [1, 1]
    assert type(found["args"]) is Inert
    assert type(found["array"]) is Inert


@pytest.mark.parametrize("new_form", [True, False])
def test_a_file_cut_off_anywhere_is_one_clear_error(tmp_path, new_form):
    torch.save({"v": torch.ones(8), "w": [torch.ones(3)]}, tmp_path / "a.pt", _use_new_zipfile_serialization=new_form)
    whole = (tmp_path / "a.pt").read_bytes()
    for length in range(0, len(whole) - 1, 7):
        (tmp_path / "b.pt").write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"file .*b\.pt: "):
            read_torch(tmp_path / "b.pt", what="file")


def test_another_byte_order_is_refused(tmp_path):
    torch.save({"v": torch.ones(8)}, tmp_path / "a.pt")
    content = (tmp_path / "a.pt").read_bytes()
    assert content.count(b"little") == 1
    (tmp_path / "a.pt").write_bytes(content.replace(b"little", b"biggie"))
    with pytest.raises(InputError, match="another byte order"):
        read_torch(tmp_path / "a.pt", what="file")


def test_a_plain_pickle_is_no_torch_file(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"a": 1}))
    assert not is_torch_file(tmp_path / "a.pkl")


def test_a_zip_whose_end_speaks_of_several_disks_is_one_line(tmp_path):
    """Behind 65,535 entries stands a second end, with the number of disks, on which Python's `is_zipfile` raises."""
    path = tmp_path / "a.pt"
    torch.save(CONTENT, path)
    content = path.read_bytes()
    path.write_bytes(content[:-22] + b"PK\x06\x07" + bytes(12) + (9).to_bytes(4, "little") + content[-22:])
    assert is_torch_file(path)
    with pytest.raises(InputError, match=r"checkpoint .*a\.pt: "):
        read_torch(path, what="checkpoint")
