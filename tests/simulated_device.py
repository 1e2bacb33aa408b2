"""A device that is none: tensors of the CPU that call themselves `cuda:0`, and a list of what would have waited for a GPU.

A GPU works through a queue. Reading a number that it computes, an operation whose result's shape it decides (`nonzero`, a
boolean index), or a copy that is not said to be `non_blocking` makes the host wait until the queue is empty. Within
`SimulatedDevice`, what is moved to `DEVICE`, made there, or computed from such tensors counts as on the device, and each such
operation on it is noted in `waits`. Operations on tensors of both sides at once are errors, as on a real GPU.

What it cannot see is a kernel that waits inside: those that do are named here.
"""

import threading
import traceback

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

DEVICE = torch.device("cuda", 0)
_CPU = torch.device("cpu")
_aten = torch.ops.aten
# What gives the host a number, or asks it for a shape that only the device knows.
_WAITING = {
    _aten._local_scalar_dense,
    _aten.nonzero,
    _aten.nonzero_numpy,
    _aten.masked_select,
    _aten._unique,
    _aten._unique2,
    _aten.unique_dim,
    _aten.unique_consecutive,
    _aten.bincount,
    _aten.equal,
    _aten.is_nonzero,
}
_INDEXING = {_aten.index, _aten.index_put, _aten.index_put_, _aten._index_put_impl_}
_WHERE = Tensor.device.__get__
_READING = {Tensor.tolist: "tolist", Tensor.numpy: "numpy", Tensor.__array__: "numpy"}
_MADE_OF_NUMBERS = {torch.tensor, torch.as_tensor, torch.asarray, torch.from_numpy}


class SimulatedDevice:
    """Switches the simulation on between `__enter__` and `__exit__`.

    Attributes:
        waits: What each wait was, and the line that asked for it.
    """

    def __init__(self):
        self.waits = []
        self._held = {}

    def __enter__(self):
        self._grouping = torch._C._group_tensors_by_device_and_dtype
        torch._C._group_tensors_by_device_and_dtype = self._grouped
        self._modes = [_Functions(self), _Operations(self)]
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, *exception):
        for mode in reversed(self._modes):
            mode.__exit__(*exception)
        torch._C._group_tensors_by_device_and_dtype = self._grouping

    def has(self, tensor):
        """Say whether a tensor is on the device."""
        return _key(tensor) in self._held

    def take(self, value):
        """Declare all tensors of a value to be on the device, from now on."""
        for one in tree_iter(value):
            if isinstance(one, Tensor) and not self.has(one):
                self._held[_key(one)] = StorageWeakRef(one.untyped_storage())  # keeps the key from being used again
        return value

    def _grouped(self, tensors, with_indices):
        """Group tensors as torch's own code does, which asks them in C++ for their device."""
        groups = self._grouping(tensors, with_indices)
        return {
            (DEVICE if self.has(lists[0][0]) else device, dtype): (lists, indices)
            for (device, dtype), (lists, indices) in groups.items()
        }

    def waited(self, what):
        """Note that the host waited; threads that do something else meanwhile may."""
        if threading.current_thread() is not threading.main_thread():
            return
        self.waits.append(f"{what} at {_asked_by()}")


def _key(tensor):
    return tensor.untyped_storage()._cdata


def _asked_by():
    """Name the innermost line of the package, or of Lightning or torch, that led here."""
    frames = [frame for frame in traceback.extract_stack() if "simulated_device" not in frame.filename]
    ours = [frame for frame in frames if "lfb_lightning" in frame.filename]
    theirs = [frame for frame in frames if "pytorch_lightning" in frame.filename or "torch/optim" in frame.filename]
    nearest = max(ours[-1:] + theirs[-1:], key=frames.index, default=frames[-1])
    return f"{nearest.filename}:{nearest.lineno}: {nearest.line}"


class _Functions(TorchFunctionMode):
    """Sees Python's calls: moves, new tensors, and readings that reach no operation on a CPU."""

    def __init__(self, device):
        super().__init__()
        self.simulated = device

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        simulated = self.simulated
        on_device = bool(args) and isinstance(args[0], Tensor) and simulated.has(args[0])
        if on_device and func == _WHERE:
            return DEVICE
        if func in _READING and on_device:
            simulated.waited(_READING[func])
        if func is Tensor.new_tensor and on_device:
            simulated.waited("new_tensor")
            return simulated.take(func(*args, **kwargs))
        if func is Tensor.cpu and on_device:
            return self._to_host(args[0], args[0].dtype, waits=True)
        if func is Tensor.to:
            return self._moved(args, kwargs, on_device)
        wanted = kwargs.get("device")
        if wanted is not None and not isinstance(wanted, Tensor) and torch.device(wanted).type == "cuda":
            kwargs["device"] = _CPU
            if func in _MADE_OF_NUMBERS:
                simulated.waited(func.__name__)
            return simulated.take(func(*args, **kwargs))
        return func(*args, **kwargs)

    def _moved(self, args, kwargs, on_device):
        simulated, tensor = self.simulated, args[0]
        kwargs.pop("copy", None)
        device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args[1:], **kwargs)
        dtype = dtype or tensor.dtype
        if len(args) > 1 and isinstance(args[1], Tensor):
            device = DEVICE if simulated.has(args[1]) else _CPU
        if device is None or (device.type == "cuda") == on_device:
            return tensor.to(dtype)
        if device.type != "cuda":
            return self._to_host(tensor, dtype, waits=not non_blocking)
        if not non_blocking:
            simulated.waited("a copy to the device")
        with torch._C.DisableTorchFunction():
            return simulated.take(tensor.to(dtype, copy=True))

    def _to_host(self, tensor, dtype, *, waits):
        if waits:
            self.simulated.waited("a copy to the host")
        with torch._C.DisableTorchFunction(), _Unseen(self.simulated):
            return tensor.to(dtype, copy=True)


class _Operations(TorchDispatchMode):
    """Sees operations, those of the backward pass and of the optimizer as well."""

    def __init__(self, device):
        super().__init__()
        self.simulated = device
        self.unseen = False
        device.operations = self

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        simulated = self.simulated
        if self.unseen:
            return func(*args, **kwargs)
        tensors = [one for one in tree_iter((args, kwargs)) if isinstance(one, Tensor)]
        held = [one for one in tensors if simulated.has(one)]
        if not held:
            return func(*args, **kwargs)
        strangers = [one for one in tensors if one.dim() > 0 and not simulated.has(one)]
        packet = func.overloadpacket
        if packet in _WAITING or (func is _aten.repeat_interleave.Tensor and kwargs.get("output_size") is None):
            simulated.waited(packet.__name__)
        elif packet in _INDEXING:
            indices = [one for one in args[1] if one is not None]
            if any(one.dtype in (torch.bool, torch.uint8) for one in indices) or strangers:
                simulated.waited("an index that is a mask or comes from the host")
        elif packet is _aten.copy_:
            if strangers and not (kwargs.get("non_blocking") or (len(args) > 2 and args[2])):
                simulated.waited("a copy between host and device")
            if not simulated.has(args[0]):
                return func(*args, **kwargs)
        elif strangers:
            raise AssertionError(f"{func} is given tensors of the host and of the device, at {_asked_by()}")
        return simulated.take(func(*args, **kwargs))


class _Unseen:
    """A block whose operations are not looked at."""

    def __init__(self, device):
        self.operations = device.operations

    def __enter__(self):
        self.operations.unseen = True

    def __exit__(self, *exception):
        self.operations.unseen = False
