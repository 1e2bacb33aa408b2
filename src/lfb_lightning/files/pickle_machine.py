"""The state of a pickle that is being read (stack, memo and marks), and what its opcodes do with it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from lfb_lightning.errors import InputError
from lfb_lightning.files.pickle_limits import Inert, PickleLimits, check_key

_LONGEST_NUMBER = 255  # characters of a written number
_LARGEST_GAP = 1024  # in the numbers of the memo, which picklers count from 0 or 1
NEVER_SET = object()  # in the memo: a part that is not there, or that nobody needs


@runtime_checkable
class ByteStream(Protocol):
    """The part of a file that is needed here; an `io.BytesIO` and an `mmap` have it."""

    def read(self, size: int, /) -> bytes:
        """Read the next `size` bytes, or fewer at the end."""

    def readline(self) -> bytes:
        """Read the bytes up to the next line feed, which is included."""


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    """What a name such as `numpy.dtype` stands for in a pickle: it can only be called, which calls `make`.

    Args:
        make: A function of the limits and the pickle's arguments.
    """

    make: Callable[..., Any]


class PickleMachine:
    """The state of one pickle. Its errors say what is wrong with "it"; the function that opens the file adds the name.

    Args:
        file: Where to read from.
        find: Returns what a name `(module, name)` stands for, a `Name` or a value; raises InputError for names that are not
            allowed.
        limits: What the file may still make.
        persistent: Returns what a persistent id stands for (torch's storages); None refuses persistent ids.
    """

    def __init__(
        self,
        file: ByteStream,
        *,
        find: Callable[[str, str], Any],
        limits: PickleLimits,
        persistent: Callable[[Any], Any] | None,
    ) -> None:
        self.read = file.read
        self.readline = file.readline
        self.find = find
        self.limits = limits
        self.persistent = persistent
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # what lay on the stack when each mark was set
        self.memo: list[Any] = []
        self.after_build: Callable[[PickleMachine], None] | None = None

    def take(self, size: int) -> bytes:
        """Read the next `size` bytes; raises InputError if there are fewer."""
        if size > self.limits.file_bytes:
            raise InputError(f"it speaks of {size} bytes, more than the file has")
        content = self.read(size)
        if len(content) != size:
            raise InputError("it is cut off")
        return content

    def take_number(self, width: int) -> int:
        """Read an unsigned number of `width` bytes."""
        return int.from_bytes(self.take(width), "little")

    def take_line(self) -> bytes:
        """Read a line, without its end."""
        line = self.readline()
        if line[-1:] != b"\n":
            raise InputError("it is cut off")
        return line[:-1]

    def take_written_number(self) -> bytes:
        """Read a line with a number on it, whose length is limited."""
        line = self.take_line()
        if len(line) > _LONGEST_NUMBER:
            raise InputError(f"it holds a number of {len(line)} characters")
        return line

    def put(self, place: int) -> None:
        """Store the top of the stack in the memo."""
        if place == len(self.memo):
            self.memo.append(self.stack[-1])
            return
        if not 0 <= place <= len(self.memo) + _LARGEST_GAP:
            raise InputError(f"it calls one of its parts number {place}, after {len(self.memo)} others")
        self.memo.extend([NEVER_SET] * (place + 1 - len(self.memo)))
        self.memo[place] = self.stack[-1]

    def get(self, place: int) -> None:
        """Push what the memo holds at a place."""
        value = self.memo[place] if 0 <= place < len(self.memo) else NEVER_SET
        if value is NEVER_SET:
            raise InputError(f"it repeats its part number {place}, which it does not have")
        self.stack.append(value)

    def pop_marked(self) -> list[Any]:
        """Take off the stack what has been pushed since the last mark."""
        items = self.stack
        self.stack = self.below.pop()
        return items

    def push_made(self, value: Any, weight: int = 1) -> None:
        """Push a new container or string that takes the memory of `weight` small ones."""
        self.limits.spend_objects(weight)
        self.stack.append(value)

    def append(self, items: list[Any]) -> None:
        """Add to the list on top of the stack."""
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
        elif type(target) is not Inert:
            raise InputError(f"it adds to a {type(target).__name__}")

    def set_items(self, items: list[Any]) -> None:
        """Set keys and values, one after the other, of the dict on top of the stack."""
        target = self.stack[-1]
        if type(target) is Inert:
            return
        if not isinstance(target, dict) or len(items) % 2:
            raise InputError(f"it sets keys of a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            check_key(key)
            target[key] = value

    def add_to_set(self, items: list[Any]) -> None:
        """Add to the set on top of the stack."""
        target = self.stack[-1]
        if type(target) is Inert:
            return
        if type(target) is not set:
            raise InputError(f"it adds to a {type(target).__name__}")
        for item in items:
            check_key(item)
            target.add(item)

    def push_name(self, module: Any, name: Any) -> None:
        """Push what a name stands for."""
        if type(module) is not str or type(name) is not str:
            raise InputError("it asks for something without a name")
        self.stack.append(self.find(module, name))

    def call(self, function: Any, arguments: Any, options: Any = None) -> None:
        """Call a `Name` with arguments and push the outcome."""
        self.limits.spend_objects(3)
        if type(function) is Inert:
            self.stack.append(Inert())
        elif type(function) is Name and type(arguments) is tuple and not options:
            self.stack.append(function.make(self.limits, *arguments))
        else:
            raise InputError(f"it calls a {type(function).__name__}")

    def build(self, state: Any) -> None:
        """Give the object on top of the stack its state."""
        target = self.stack[-1]
        if hasattr(type(target), "take_state"):
            target.take_state(self.limits, state)
            if self.after_build is not None:
                self.after_build(self)
        elif type(target) not in (Inert, OrderedDict):  # attributes that torch sets on an OrderedDict are not needed
            raise InputError(f"it sets the state of a {type(target).__name__}")

    def push_persistent(self, name: Any) -> None:
        """Push what a persistent id stands for."""
        if self.persistent is None:
            raise InputError("it refers to objects outside of itself")
        self.stack.append(self.persistent(name))
