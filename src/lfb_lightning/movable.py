"""Moving a value of many tensors as if it were one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor

T = TypeVar("T", bound="Movable")
V = TypeVar("V", bound="Tensor | Movable")


class Movable:
    """Adds `.to()` and `.pin_memory()` over every tensor field, nested ones included."""

    def _map(self: T, method: str, *args: Any, **kwargs: Any) -> T:
        changes = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Tensor | Movable):
                changes[field.name] = getattr(value, method)(*args, **kwargs)
            elif isinstance(value, tuple) and value and isinstance(value[0], Movable):
                changes[field.name] = tuple(getattr(entry, method)(*args, **kwargs) for entry in value)
        return replace(self, **changes)  # type: ignore[type-var]

    def to(self: T, *args: Any, **kwargs: Any) -> T:
        """Copy the value with every tensor moved or converted, as `Tensor.to` does it; the host waits for no copy to a GPU.

        A copy to the host that nobody waits for is a `HostCopy`.
        """
        target = kwargs.get("device", args[0] if args else None)
        if isinstance(target, torch.device | str) and torch.device(target).type == "cuda":
            kwargs.setdefault("non_blocking", True)  # Lightning says so of plain tensors only
        return self._map("to", *args, **kwargs)

    def pin_memory(self: T) -> T:
        """Copy the value with every tensor in page-locked memory, from which copies to a GPU are fast."""
        return self._map("pin_memory")

    def _tensors(self) -> Iterator[Tensor]:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            for entry in value if isinstance(value, tuple) else (value,):
                if isinstance(entry, Tensor):
                    yield entry
                elif isinstance(entry, Movable):
                    yield from entry._tensors()


class Constant:
    """Numbers that never change, copied to each device once: a copy per use would wait for the device every time.

    Args:
        values: The numbers, on the host.
    """

    def __init__(self, values: Tensor) -> None:
        self._copies = {values.device: values}

    def on(self, device: torch.device) -> Tensor:
        """Give the numbers on a device."""
        if device not in self._copies:
            with torch.inference_mode(False):  # training may save them for its backward pass
                first = next(iter(self._copies.values()))
                self._copies[device] = first.to(device, non_blocking=device.type == "cuda")
        return self._copies[device]


class HostCopy(Generic[V]):
    """A value on its way from a GPU to the host, which has other things to do until it asks for it.

    Args:
        value: A tensor or a value of many; of what is on the host already, there is no copy.
    """

    def __init__(self, value: V) -> None:
        tensors = [value] if isinstance(value, Tensor) else value._tensors()
        where = next((one.device for one in tensors if one.device.type == "cuda"), None)
        self._value = cast(V, value.to("cpu", non_blocking=where is not None))
        self._wait = None if where is None else queue_end(where)

    def wait(self) -> V:
        """Wait until the copy is there, and return it."""
        wait = self._wait
        if wait is not None:  # a second thread may come meanwhile, and waits as long
            wait()
            self._wait = None
        return self._value


def queue_end(device: torch.device) -> Callable[[], None]:
    """Note what a GPU has been given to do, and return a function that waits until it has done that.

    Args:
        device: The GPU.
    """
    event = torch.cuda.Event()
    event.record(torch.cuda.current_stream(device))
    return event.synchronize
