"""Files that are small and want to be large: each is refused in one line, within 2 GB and 20 s."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import torch

from tests.files.measured import assert_refused

ARRAY = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"


def shared_lists(depth, width, inside):
    for _ in range(depth):
        inside = [inside] * width
    return inside


def array_of(code, shape, content=b""):
    dtype = b"cnumpy\ndtype\n(S'%s'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb" % code
    sizes = b"".join(b"I%d\n" % size for size in shape)
    return ARRAY + b"(I1\n(" + sizes + b"t" + dtype + b"I00\nS'" + content + b"'\ntb"


def in_dict(value, key=b"S'v,0902'\n"):
    return b"}" + key + value + b"s."


def repeated_array(times):
    """One array of a megabyte under many keys."""
    keys = b"".join(b"S'v,%d'\ng1\n" % number for number in range(times))
    return b"(" + array_of(b"f8", (25000, 5), b"0" * 1_000_000) + b"p1\n0" + keys + b"d."


def clips_that_share_their_persons():
    persons = [{"bounding_box": [0.1, 0.1, 0.2, 0.2]}] * 30_000
    return pickle.dumps(([{"video": "v", "time": 902, "labels": persons}] * 30_000, {}), 4)


PICKLES = {
    "place 2^32 in the memo": (b"Nr\xff\xff\xff\xff.", "part"),
    "place 2^40 in the memo, in words": (b"Np1099511627776\n.", "part"),
    "negative place in the memo": (b"Np-1\n.", "part"),
    "a part that is not there": (b"g7\n.", "which it does not have"),
    "empty strings by the billion": (in_dict(array_of(b"S0", (500_000_000, 5))), "elements of 0"),
    "no rows of many columns": (in_dict(array_of(b"f8", (0, 10**12))), "empty array"),
    "many rows of nothing": (in_dict(array_of(b"f8", (10**12, 0))), "empty array"),
    "an array under ten thousand keys": (repeated_array(10_000), "repeats its parts"),
    "2^60 entries of shared lists": (pickle.dumps({"v,0902": shared_lists(30, 4, [1.0] * 5)}, 4), "repeats its parts"),
    "10^9 entries of shared lists": (pickle.dumps({"v,0902": shared_lists(3, 1000, 0.0)}, 4), "repeats its parts"),
    "persons that clips share": (clips_that_share_their_persons(), "repeats its parts"),
    "a list in itself": (b"(lp0\ng0\na.", "nests its parts"),
    "lists a million deep": (b"]" * 1_000_000 + b"a" * 999_999 + b".", "nests its parts"),
    "a key of 10^6 nested tuples": (b"})" + b"\x85" * 1_000_000 + b"Ns.", "tuple of tuples"),
    "a key of shared tuples": (b"})" + b"2\x86" * 60 + b"Ns.", "tuple of tuples"),
    "a set of nested tuples": (b"\x8f()" + b"\x85" * 100_000 + b"\x90.", "tuple of tuples"),
    "a list as a key": (b"}]Ns.", "a key of type list"),
    "a string of 2^63 bytes": (b"\x8d" + b"\xff" * 7 + b"\x7f.", "more than the file has"),
    "bytes of 4 GB": (b"B\xff\xff\xff\xff.", "more than the file has"),
    "an array of bytes of 2^64": (b"\x96" + b"\xff" * 8 + b".", "more than the file has"),
    "an integer of 2 GB": (b"\x8b\xff\xff\xff\x7f.", "integer of"),
    "an integer of a million digits": (b"I" + b"9" * 1_000_000 + b"\n.", "1000000 characters"),
    "a long integer of a million digits": (b"L" + b"9" * 1_000_000 + b"L\n.", "1000001 characters"),
    "a number of a million digits": (b"F" + b"9" * 1_000_000 + b"\n.", "1000000 characters"),
    "a frame of 2^64 bytes": (b"\x80\x04\x95" + b"\xff" * 8, "cut off, or not a pickle"),
    "bytes that are encoded a thousand times": (
        b"(c_codecs\nencode\np0\n0X"
        + (1_000_000).to_bytes(4, "little")
        + b"a" * 1_000_000
        + b"p1\n0"
        + b"g0\n(g1\nS'latin1'\ntR" * 1000
        + b"l.",
        "more bytes than the file",
    ),
    "a thousand arrays of the same bytes": (
        b"(S'"
        + b"0" * 1_000_000
        + b"'\np1\n0"
        + array_of(b"i1", (1_000_000,)).replace(b"S''\n", b"g1\n") * 1000
        + b"l.",
        "more bytes than the file",
    ),
    "an OrderedDict of an OrderedDict of ...": (
        b"(ccollections\nOrderedDict\np0\n0("
        + b"".join(b"(I%d\nNt" % n for n in range(1000))
        + b"lp1\n0"
        + b"g0\n(g1\ntR" * 100_000
        + b"l.",
        "more lists, dicts",
    ),
    "a state for a function": (b"c_codecs\nencode\n}S'__defaults__'\nNsb.", "sets the state of a Name"),
    "a call of a string": (b"cnumpy\nndarray\n(tR.", "calls a str"),
}


def test_pickles(tmp_path):
    files = [(name, "proposals", "p.pkl", content) for name, (content, _) in PICKLES.items()]
    assert_refused(tmp_path, files, {name: said for name, (_, said) in PICKLES.items()})


SIZE = 99_000_000  # nearly as large as a file of proposals may be
LARGE = {
    "marks": ("arrays", lambda: b"(" * SIZE, "more lists, dicts"),
    "int8 boxes": (
        "proposals",
        lambda: pickle.dumps({"v,0902": np.ones((SIZE // 5, 5), np.int8)}, 4),
        "boxes, expected",
    ),
    "dicts": ("arrays", lambda: b"(" + b"}NNs" * (SIZE // 4) + b"l.", "more lists, dicts"),
    "integers": ("arrays", lambda: b"(" + b"\x8a\x01\x7f" * (SIZE // 3) + b"l.", "parts"),
}


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("names", [["marks", "int8 boxes"], ["dicts", "integers"]])
def test_pickles_of_nearly_100_mb(tmp_path, names):
    files = [(name, LARGE[name][0], "p.pkl", LARGE[name][1]) for name in names]
    assert_refused(tmp_path, files, {name: LARGE[name][2] for name in names})


def torch_bytes(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def tensor_pickle(*, length=4, offset=0, size=(4,), stride=(1,), location=b"cpu", kind=b"FloatStorage"):
    """{"v": {902: tensor}} in torch's words."""
    numbers = lambda values: b"(" + b"".join(b"I%d\n" % value for value in values) + b"t"  # noqa: E731
    storage = b"(S'storage'\nctorch\n" + kind + b"\nS'0'\nS'" + location + b"'\nI%d\ntQ" % length
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"I%d\n" % offset + numbers(size) + numbers(stride)
    return b"\x80\x02}S'v'\n}I902\n" + tensor + b"I00\nccollections\nOrderedDict\n(tRtRss."


def torch_zip(pickled, *, stored=b"\0" * 16, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("a/data.pkl", pickled)
        archive.writestr("a/data/0", stored)
    return file.getvalue()


def old_form(pickled, *, claimed=4, stored=b"\0" * 16):
    parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    keys = pickle.dumps(["0"], 2)
    return b"".join(pickle.dumps(part, 2) for part in parts) + pickled + keys + claimed.to_bytes(8, "little") + stored


def zip_of_many_records(count):
    """As many entries as fit, all of the one record."""
    whole = bytearray(torch_zip(tensor_pickle()))
    begin = whole.rfind(b"PK\x01\x02")
    end = whole.rfind(b"PK\x05\x06")
    entry = bytes(whole[begin:end])
    spoilt = whole[:begin] + entry * count + whole[end:]
    directory = whole.find(b"PK\x01\x02")
    spoilt[-10:-2] = (len(spoilt) - 22 - directory).to_bytes(4, "little") + directory.to_bytes(4, "little")
    return bytes(spoilt)


TORCH = {
    "8.4 GB of one number": (torch_bytes({"v": {902: torch.ones(1).expand(1_000_000, 2100)}}), "repeats its parts"),
    "8.4 GB of one number, older form": (
        torch_bytes({"v": {902: torch.ones(1).expand(1_000_000, 2100)}}, _use_new_zipfile_serialization=False),
        "repeats its parts",
    ),
    "a view of a megabyte ten thousand times": (
        torch_bytes({"v": {902: [torch.ones(250, 1000)] * 10_000}}),
        "repeats its parts",
    ),
    "rows of nothing": (torch_zip(tensor_pickle(size=(10**12, 0), stride=(1, 1))), "empty array"),
    "a storage longer than its record": (torch_zip(tensor_pickle(length=10**9, size=(10**9,))), "in 16 bytes"),
    "a tensor longer than its storage": (torch_zip(tensor_pickle(size=(10**9,))), "in a storage of 4 numbers"),
    "strides beyond the storage": (torch_zip(tensor_pickle(size=(2, 2), stride=(10**9, 1))), "in a storage of 4 numbers"),
    "an offset beyond the storage": (torch_zip(tensor_pickle(offset=2**62)), "in a storage of 4 numbers"),
    "a negative stride": (torch_zip(tensor_pickle(stride=(-1,))), "strides"),
    "a storage of 4 TB, older form": (old_form(tensor_pickle(length=10**12), claimed=10**12), "more bytes than the file"),
    "a storage of an older form that is cut off": (old_form(tensor_pickle(), stored=b""), "cut off"),
    "a storage of another length": (old_form(tensor_pickle(), claimed=5), "not as long as"),
    "a record that unpacks to 1 GB": (
        torch_zip(tensor_pickle(), stored=b"\0" * 50_000_000, compression=zipfile.ZIP_DEFLATED),
        "compressed",
    ),
    "no record of the tensor": (torch_zip(tensor_pickle().replace(b"S'0'", b"S'7'")), "no record"),
    "a record beyond the end": (torch_zip(tensor_pickle())[:60] + torch_zip(tensor_pickle())[-22:], "cut off"),
    "a sparse tensor": (torch_bytes({"v": {902: torch.eye(4).to_sparse()}}), "_rebuild_sparse_tensor"),
    "a tensor without data": (torch_bytes({"v": {902: torch.empty(4, device="meta")}}), "_rebuild_meta_tensor"),
    "a zip of something else": (torch_zip(b"").replace(b"data.pkl", b"data.txt"), "not one of torch.save"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*quantized tensor:UserWarning")
def test_torch_files(tmp_path):
    quantized = torch_bytes({"v": {902: torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8)}})
    cases = TORCH | {"a quantized tensor": (quantized, "_rebuild_qtensor")}
    files = [(name, "bank", "b.pkl", content) for name, (content, _) in cases.items()]
    assert_refused(tmp_path, files, {name: said for name, (_, said) in cases.items()})


@pytest.mark.slow
def test_a_zip_of_millions_of_records(tmp_path):
    file = ("records", "torch", "b.pkl", zip_of_many_records(1_500_000).replace(b"S'0'", b"S'7'"))
    assert_refused(tmp_path, [file], {"records": "no record"})


def bank_file(header, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text


def manifest(**changes):
    made = dict.fromkeys(
        (
            "checkpoint_digest",
            "backbone_digest",
            "backbone",
            "compute_precision",
            "keyframes",
            "split",
            "package_version",
        ),
        "x",
    )
    made |= {"channels": 4, "precision": "fp32", "clip": {}, "score_threshold": 0.0}
    figures = {
        "num_videos": 1,
        "num_rows": 1,
        "mean": [0.0] * 4,
        "std": [1.0] * 4,
        "videos_checksum": "x",
        "failed": {},
    }
    made |= {key: value for key, value in changes.items() if key in made}
    figures |= {key: value for key, value in changes.items() if key in figures}
    return json.dumps({"format": 3, "provenance": made, **figures}).encode()


SPAN = {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 0]}
OTHERS = {
    "lists 100,000 deep": ("json", "a.json", b"[" * 100_000, "nested too deeply"),
    "objects 100,000 deep": ("json", "a.json", b'{"a":' * 100_000, "nested too deeply"),
    "empty lists in 99 MB": ("json", "a.json", lambda: b"[" + b"[]," * 33_000_000 + b"0]", "GB of memory"),
    "objects in 99 MB": ("json", "a.json", lambda: b"[" + b'{"a":1},' * 12_000_000 + b"0]", "GB of memory"),
    "a number of 10^7 digits": ("json", "a.json", lambda: b"[" + b"9" * 10_000_000 + b"]", "digits"),
    "no UTF-8": ("json", "a.json", b'["\xff"]', "not a readable json"),
    "deep proposals": ("proposals", "a.json", b"[" * 100_000, "nested too deeply"),
    "60,000 empty lines": ("label map", "m.pbtxt", b"item {\n  name: " + b"\n" * 60_000, "found, expected"),
    "200,000 open braces": ("label map", "m.pbtxt", b"item {" * 200_000, "nested more than"),
    "200,000 blocks without an end": ("label map", "m.pbtxt", b"item {\n" * 200_000, "nested more than"),
    "a million quotation marks": ("label map", "m.pbtxt", b"name: " + b'" ' * 1_000_001, "found"),
    "a label map of 5 MB": ("label map", "m.pbtxt", lambda: b"\n" * 5_000_000, "5000000 bytes"),
    "two billion actions": ("label map", "m.pbtxt", b'item { name: "a" id: 2147483647 }', "above 9999"),
    "a header of 2^62 bytes": ("bank file", "v.safetensors", bank_file({}, 2**62), "cut off, or longer"),
    "a header of no bytes": ("bank file", "v.safetensors", bank_file(b"", 0), "cut off, or longer"),
    "a header of one byte more": ("bank file", "v.safetensors", bank_file(b"{}", 3), "cut off, or longer"),
    "a header of 90 MB": ("bank file", "v.safetensors", lambda: bank_file(b" " * 90_000_000), "cut off, or longer"),
    "a deep header": ("bank file", "v.safetensors", bank_file(b"[" * 100_000), "nested too deeply"),
    "a tensor of 4 TB": ("bank file", "v.safetensors", bank_file({"timestamps": SPAN}), "0 bytes long"),
    "a frame cache's header of 90 MB": ("cache", "v.frames", lambda: bank_file(b" " * 90_000_000), "cut off, or longer"),
    "a frame cache's tensor of 4 TB": ("cache", "v.frames", bank_file({"moments": SPAN}), "0 bytes long"),
    "a bank of 10^12 channels": ("manifest", "manifest.json", manifest(channels=10**12), "channels is 1000000000000"),
    "a bank of 10^400 rows": ("manifest", "manifest.json", manifest(num_rows=10**400), "digits"),
    "a bank of 10^30 rows": ("manifest", "manifest.json", manifest(num_rows=10**30), "below"),
    "a bank with a mean of a million": ("manifest", "manifest.json", manifest(mean=[0] * 10**6), "mean has 1000000 numbers"),
    "a deep manifest": ("manifest", "manifest.json", b"[" * 100_000, "nested too deeply"),
    "a row of 50 million columns": ("annotations", "a.csv", lambda: b"v,902" + b",1" * 25_000_000, "columns in"),
    "a number of 90 MB": ("annotations", "a.csv", lambda: b"v," + b"9" * 90_000_000 + b",0,0,1,1,1,1\n", "columns in"),
    "a video id of 90 MB": ("proposals", "a.csv", lambda: b"v" * 90_000_000 + b",902,0,0,1,1,,1\n", "columns in"),
    "25 million excluded seconds": ("excluded", "a.csv", lambda: b"a,1\n" * 25_000_000, "rows of a few characters"),
    "6 million small rows": ("evaluation", "a.csv", lambda: b"a,1,0,0,1,1,1,1\n" * 6_000_000, "rows of a few characters"),
}  # fmt: skip


@pytest.mark.slow
def test_other_files(tmp_path):
    files = [(name, *rest[:3]) for name, rest in OTHERS.items()]
    assert_refused(tmp_path, files, {name: rest[3] for name, rest in OTHERS.items()})
