"""Reading files of `torch.save` without running anything and without trusting their sizes.

`torch.load(weights_only=True)` runs nothing either, but takes whatever memory a file asks for: a tensor of stride 0 takes
eight bytes in the file and any amount when it is copied, a storage of the older form is allocated before a byte of it has
been read, and a storage may claim to be longer than its record. Here a tensor is a view of the memory-mapped file, and
cannot be larger than it.
"""

from __future__ import annotations

import mmap
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lfb_lightning.errors import InputError
from lfb_lightning.files.array_pickle import ARRAY_NAMES, finder
from lfb_lightning.files.pickle_limits import Inert, PickleLimits, check_key, check_shape
from lfb_lightning.files.pickle_machine import Name
from lfb_lightning.files.pickle_reader import read_pickle
from lfb_lightning.files.zip_records import ZipRecords, is_zip

_OLD_FORM = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"  # the pickled magic number of files from before torch 1.6
_MAGIC_NUMBER, _OLD_VERSION = 0x1950A86A20F9469CFC6C, 1001


class _StorageType(NamedTuple):
    dtype: torch.dtype


class _Storage(NamedTuple):
    """A run of `length` numbers that begins at byte `begin` of `content`."""

    content: mmap.mmap | bytearray
    begin: int
    dtype: torch.dtype
    length: int


def is_torch_file(path: Path) -> bool:
    """Tell whether a file is one of `torch.save`: a zip file, or one that begins with the older form's magic number."""
    if is_zip(path):
        return True
    with path.open("rb") as file:
        return _OLD_FORM in file.read(32)


def read_torch(path: Path, *, what: str, stand_ins: bool = False) -> Any:
    """Read what `torch.save` wrote.

    Args:
        path: The file. It may be replaced while the result is in use, but not changed: tensors are views of its pages.
        what: What the file is to the user, for messages: `<what> <path>: ...`.
        stand_ins: Whether objects of unknown classes are replaced by `Inert` ones; otherwise they are refused by name.

    Returns:
        The content: plain containers with tensors on the CPU.

    Raises:
        InputError: The file is damaged, or holds anything else.
    """
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        find = _tolerant(_NAMES) if stand_ins else finder(_NAMES, "tensors in plain containers")
        old = _OLD_FORM in content[:32]
        return (_read_old_form if old else _read_zip)(content, find, stand_ins)
    except InputError as error:
        raise InputError(f"{what} {path}: {error}.") from error
    except (OSError, ValueError) as error:  # mmap's, for an empty file
        raise InputError(f"{what} {path}: cannot be read ({error}).") from error


def _read_zip(content: mmap.mmap, find: Callable[[str, str], Any], stand_ins: bool) -> Any:
    records = ZipRecords(content)
    folder = next((name.removesuffix(b"data.pkl") for name in records.names if name.endswith(b"/data.pkl")), None)
    if folder is None:
        raise InputError("it is a zip file, but not one of torch.save")
    if folder + b"byteorder" in records.names:
        begin, end = records.find(folder + b"byteorder")
        if content[begin : min(end, begin + 10)].decode("latin1") != sys.byteorder:
            raise InputError("it was written on a machine of another byte order")

    def storage(name: Any) -> Any:
        kind, key, count = _described(name, stand_ins)
        if kind is None:
            return Inert()
        begin, end = records.find(folder + b"data/" + key.encode())
        if count * kind.itemsize > end - begin:
            raise InputError(f"it holds a storage of {count} numbers ({kind}) in {end - begin} bytes")
        return _Storage(content, begin, kind, count)

    begin, end = records.find(folder + b"data.pkl")
    return read_pickle(BytesIO(content[begin:end]), find=find, limits=PickleLimits(len(content)), persistent=storage)


def _read_old_form(content: mmap.mmap, find: Callable[[str, str], Any], stand_ins: bool) -> Any:
    limits = PickleLimits(len(content))
    storages: dict[str, _Storage] = {}

    def storage(name: Any) -> Any:
        kind, key, count = _described(name, stand_ins)
        if kind is None:
            return Inert()
        if key not in storages:
            limits.spend_bytes(count * kind.itemsize)
            storages[key] = _Storage(bytearray(count * kind.itemsize), 0, kind, count)  # filled below
        return storages[key]

    if (read_pickle(content, find=find, limits=limits), read_pickle(content, find=find, limits=limits)) != (
        _MAGIC_NUMBER,
        _OLD_VERSION,
    ):
        raise InputError("it is of an older form that is not known")
    system = read_pickle(content, find=find, limits=limits)
    if not isinstance(system, dict) or system.get("little_endian", True) != (sys.byteorder == "little"):
        raise InputError("it was written on a machine of another byte order")
    found = read_pickle(content, find=find, limits=limits, persistent=storage)
    keys = read_pickle(content, find=find, limits=limits)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise InputError("its list of storages does not fit its content")
    for key in map(str, keys):
        wanted = storages[key]
        if int.from_bytes(content.read(8), "little") != wanted.length:
            raise InputError(f"its storage {key[:50]!r} is not as long as its content says")
        stored = content.read(len(wanted.content))
        if len(stored) != len(wanted.content):
            raise InputError("it is cut off")
        wanted.content[:] = stored
    return found


def _described(name: Any, stand_ins: bool) -> tuple[torch.dtype | None, str, int]:
    """Return dtype, key and length of the storage that a persistent id describes; no dtype for another object."""
    if type(name) is tuple and len(name) in (5, 6) and name[0] == "storage" and type(name[1]) is _StorageType:
        _, kind, key, _, count, *view = name
        if type(count) is int and count >= 0 and type(key) is str and view in ([], [None]):
            return kind.dtype, key, count
    if stand_ins and not (type(name) is tuple and name[:1] == ("storage",)):
        return None, "", 0
    raise InputError("it refers to something else than a storage")


def _tensor(limits: PickleLimits, storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> Tensor:
    """Stand in for torch's `_rebuild_tensor_v2`; its other arguments are about gradients and are not needed."""
    limits.spend_objects(6)
    if (
        type(storage) is not _Storage
        or type(size) is not tuple
        or type(stride) is not tuple
        or len(size) != len(stride)
    ):
        raise InputError("it holds a tensor that is not described as torch describes one")
    if not all(type(number) is int and number >= 0 for number in (offset, *stride)):
        raise InputError(f"it holds a tensor that begins at {offset!r} with strides {stride[:8]}")
    if check_shape(size) == 0:
        return torch.empty(size, dtype=storage.dtype)
    length = sum((count - 1) * step for count, step in zip(size, stride, strict=True)) + 1
    if offset + length > storage.length:
        raise InputError(f"it holds a tensor of shape {size} in a storage of {storage.length} numbers")
    begin = storage.begin + offset * storage.dtype.itemsize
    flat = torch.frombuffer(storage.content, dtype=storage.dtype, count=length, offset=begin)
    return flat.as_strided(size, stride)


def _rebuilt(limits: PickleLimits, function: Any, kind: Any, arguments: Any, state: Any) -> Any:
    """Stand in for torch's `_rebuild_from_type_v2`: a tensor with attributes, which are left out."""
    if type(function) is Inert:
        return Inert()
    if type(function) is not Name or type(arguments) is not tuple:
        raise InputError("it holds a tensor that is not described as torch describes one")
    return function.make(limits, *arguments)


def _set(limits: PickleLimits, items: Any = ()) -> set[Any]:
    limits.spend_objects(3 + len(items))
    for item in items:
        check_key(item)
    return set(items)


def _counter(limits: PickleLimits, counts: Any = None) -> Counter[Any]:
    counts = counts or {}
    limits.spend_objects(3 + len(counts))
    return Counter(dict(counts))


def _tuple(limits: PickleLimits, items: Any = ()) -> tuple[Any, ...]:
    limits.spend_objects(1 + len(items) // 8)
    return tuple(items)


def _tolerant(names: Mapping[tuple[str, str], Any]) -> Callable[[str, str], Any]:
    return lambda module, name: names.get((module, name), Inert())


_DTYPES = {name: kind for name in dir(torch) if isinstance(kind := getattr(torch, name), torch.dtype)}
_STORAGES = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "ComplexFloat": torch.complex64,
    "ComplexDouble": torch.complex128,
}
_NAMES: Mapping[tuple[str, str], Any] = {
    **{
        key: ARRAY_NAMES[key]
        for key in (("__builtin__", "bytes"), ("_codecs", "encode"), ("collections", "OrderedDict"))
    },
    **{("torch", name): kind for name, kind in _DTYPES.items()},
    **{("torch", f"{name}Storage"): _StorageType(kind) for name, kind in _STORAGES.items()},
    ("torch._utils", "_rebuild_tensor"): Name(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): Name(_tensor),
    ("torch._utils", "_rebuild_parameter"): Name(lambda limits, data, *rest: data),
    ("torch._utils", "_rebuild_parameter_with_state"): Name(lambda limits, data, *rest: data),
    ("torch._tensor", "_rebuild_from_type_v2"): Name(_rebuilt),
    ("torch", "Tensor"): "torch.Tensor",  # arguments of `_rebuild_from_type_v2` and nothing else
    ("torch.nn.parameter", "Parameter"): "torch.nn.Parameter",
    ("torch", "Size"): Name(_tuple),
    ("torch", "device"): Name(lambda limits, *place: place),
    ("torch.serialization", "_get_layout"): Name(lambda limits, layout: layout),
    ("collections", "Counter"): Name(_counter),
    ("__builtin__", "set"): Name(_set),
    ("builtins", "set"): Name(_set),
}
