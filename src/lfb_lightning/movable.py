"""Moving a value of many tensors as if it were one."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

from torch import Tensor

T = TypeVar("T", bound="Movable")


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
        """Copy the value with every tensor moved or converted, as `Tensor.to` does it."""
        return self._map("to", *args, **kwargs)

    def pin_memory(self: T) -> T:
        """Copy the value with every tensor in page-locked memory, from which copies to a GPU are fast."""
        return self._map("pin_memory")
