"""Reading a pickle without Python's unpickler: nothing in it is run, and sizes are checked before memory is taken.

Python's unpickler trusts the sizes in a file (eight bytes that say "memo place 2^32" take gigabytes), calls what a file
names, and hashes whatever a file uses as a key. This reader implements the same opcodes, which the standard library's
`pickletools` describes, within the limits of `pickle_limits`. The caller gives a table of the names that a pickle may
use: `array_pickle` has one for numpy's arrays, `torch_file` one for tensors.
"""

from __future__ import annotations

import pickle
from codecs import escape_decode
from collections.abc import Callable
from struct import unpack
from typing import Any

from lfb_lightning.errors import InputError
from lfb_lightning.files.pickle_limits import PickleLimits, check_content, check_key
from lfb_lightning.files.pickle_machine import ByteStream, PickleMachine

# The exceptions that wrong opcodes and arguments raise, here or in numpy and torch.
_WRONG = (KeyError, IndexError, TypeError, ValueError, OverflowError, AttributeError, RuntimeError)


class _Stop(Exception):
    """Raised at the end of a pickle."""


def read_pickle(
    file: ByteStream,
    *,
    find: Callable[[str, str], Any],
    limits: PickleLimits,
    persistent: Callable[[Any], Any] | None = None,
    after_build: Callable[[PickleMachine], None] | None = None,
) -> Any:
    """Read the pickle that begins at the file's current place.

    Args:
        file: Where to read from.
        find: Returns what a name `(module, name)` stands for; raises InputError for names that are not allowed.
        limits: What the file may still make.
        persistent: Returns what a persistent id stands for; None refuses persistent ids.
        after_build: Called after each object that has been given its state; it may read on.

    Returns:
        The pickle's content.

    Raises:
        InputError: It is not a pickle, or holds something that is not allowed or too large. The message does not name the
            file.
    """
    machine = PickleMachine(file, find=find, limits=limits, persistent=persistent)
    machine.after_build = after_build
    read, operations = file.read, _OPERATIONS
    try:
        for _ in range(limits.opcodes):
            operations[read(1)](machine)
    except _Stop:
        if len(machine.stack) != 1 or machine.below:
            raise InputError("it is cut off, or not a pickle") from None
        check_content(machine.stack, limits)
        return machine.stack[0]
    except InputError:
        raise
    except _WRONG as error:
        raise InputError(f"it is cut off, or not a pickle ({type(error).__name__}: {str(error)[:200]})") from error
    raise InputError(f"it has more than {limits.opcodes} parts")


def _begin(machine: PickleMachine) -> None:
    if (protocol := machine.take_number(1)) > pickle.HIGHEST_PROTOCOL:
        raise InputError(f"it is of pickle protocol {protocol}, expected {pickle.HIGHEST_PROTOCOL} or less")


def _mark(machine: PickleMachine) -> None:
    machine.limits.spend_objects(1)
    machine.below.append(machine.stack)
    machine.stack = []


def _pop(machine: PickleMachine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_marked()


def _stop(machine: PickleMachine) -> None:
    raise _Stop


def _push_written_integer(machine: PickleMachine) -> None:
    text = machine.take_written_number()
    machine.stack.append(text == b"01" if text in (b"00", b"01") else int(text))  # how protocol 0 writes bool


def _push_long_integer(machine: PickleMachine) -> None:
    if (size := machine.take_number(4)) > 255:
        raise InputError(f"it holds an integer of {size} bytes")
    machine.stack.append(int.from_bytes(machine.take(size), "little", signed=True))


def _push_written_string(machine: PickleMachine) -> None:
    text = machine.take_line()
    if len(text) < 2 or text[0] != text[-1] or text[:1] not in (b"'", b'"'):
        raise InputError("it holds a string without quotes")
    machine.push_made(escape_decode(text[1:-1])[0].decode("latin1"))


def _tuple_1(machine: PickleMachine) -> None:
    machine.push_made((machine.stack.pop(),))


def _tuple_2(machine: PickleMachine) -> None:
    second, first = machine.stack.pop(), machine.stack.pop()
    machine.push_made((first, second))


def _tuple_3(machine: PickleMachine) -> None:
    third, second, first = machine.stack.pop(), machine.stack.pop(), machine.stack.pop()
    machine.push_made((first, second, third))


def _push_name(machine: PickleMachine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.push_name(module, name)


def _reduce(machine: PickleMachine) -> None:
    arguments, function = machine.stack.pop(), machine.stack.pop()
    machine.call(function, arguments)


def _reduce_with_options(machine: PickleMachine) -> None:
    options, arguments, function = machine.stack.pop(), machine.stack.pop(), machine.stack.pop()
    machine.call(function, arguments, options)


def _call_named(machine: PickleMachine) -> None:
    machine.push_name(machine.take_line().decode(), machine.take_line().decode())
    function = machine.stack.pop()
    machine.call(function, tuple(machine.pop_marked()))


def _call_marked(machine: PickleMachine) -> None:
    function, *arguments = machine.pop_marked()
    machine.call(function, tuple(arguments))


def _set_item(machine: PickleMachine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _push_dict(machine: PickleMachine) -> None:
    items = machine.pop_marked()
    machine.push_made({}, 2)
    machine.set_items(items)


def _push_frozen_set(machine: PickleMachine) -> None:
    items = machine.pop_marked()
    for item in items:
        check_key(item)
    machine.push_made(frozenset(items), 3)


def _unsupported(machine: PickleMachine) -> None:
    raise InputError("it refers to objects outside of itself")


# Strings of Python 2 are latin1: that reads its arrays, whose content they are, and plain ASCII as it is.
_OPERATIONS: dict[bytes, Callable[[PickleMachine], object]] = {
    pickle.PROTO: _begin,
    pickle.FRAME: lambda m: m.take(8),  # says how much to read at a time
    pickle.STOP: _stop,
    pickle.MARK: _mark,
    pickle.POP: _pop,
    pickle.POP_MARK: lambda m: m.pop_marked(),
    pickle.DUP: lambda m: m.stack.append(m.stack[-1]),
    pickle.NONE: lambda m: m.stack.append(None),
    pickle.NEWTRUE: lambda m: m.stack.append(True),
    pickle.NEWFALSE: lambda m: m.stack.append(False),
    pickle.INT: _push_written_integer,
    pickle.LONG: lambda m: m.stack.append(int(m.take_written_number().rstrip(b"L"))),
    pickle.BININT: lambda m: m.stack.append(int.from_bytes(m.take(4), "little", signed=True)),
    pickle.BININT1: lambda m: m.stack.append(m.read(1)[0]),
    pickle.BININT2: lambda m: m.stack.append(m.take_number(2)),
    pickle.LONG1: lambda m: m.stack.append(int.from_bytes(m.take(m.read(1)[0]), "little", signed=True)),
    pickle.LONG4: _push_long_integer,
    pickle.FLOAT: lambda m: m.stack.append(float(m.take_written_number())),
    pickle.BINFLOAT: lambda m: m.stack.append(unpack(">d", m.take(8))[0]),
    pickle.STRING: _push_written_string,
    pickle.SHORT_BINSTRING: lambda m: m.push_made(m.take(m.take_number(1)).decode("latin1")),
    pickle.BINSTRING: lambda m: m.push_made(m.take(m.take_number(4)).decode("latin1")),
    pickle.UNICODE: lambda m: m.push_made(m.take_line().decode("raw-unicode-escape")),
    pickle.SHORT_BINUNICODE: lambda m: m.push_made(m.take(m.read(1)[0]).decode()),
    pickle.BINUNICODE: lambda m: m.push_made(m.take(m.take_number(4)).decode()),
    pickle.BINUNICODE8: lambda m: m.push_made(m.take(m.take_number(8)).decode()),
    pickle.SHORT_BINBYTES: lambda m: m.push_made(m.take(m.read(1)[0])),
    pickle.BINBYTES: lambda m: m.push_made(m.take(m.take_number(4))),
    pickle.BINBYTES8: lambda m: m.push_made(m.take(m.take_number(8))),
    pickle.BYTEARRAY8: lambda m: m.push_made(bytearray(m.take(m.take_number(8)))),
    pickle.EMPTY_TUPLE: lambda m: m.stack.append(()),
    pickle.TUPLE1: _tuple_1,
    pickle.TUPLE2: _tuple_2,
    pickle.TUPLE3: _tuple_3,
    pickle.TUPLE: lambda m: m.push_made(tuple(m.pop_marked())),
    pickle.EMPTY_LIST: lambda m: m.push_made([]),
    pickle.LIST: lambda m: m.push_made(m.pop_marked()),
    pickle.APPEND: lambda m: m.append([m.stack.pop()]),
    pickle.APPENDS: lambda m: m.append(m.pop_marked()),
    pickle.EMPTY_DICT: lambda m: m.push_made({}, 2),
    pickle.DICT: _push_dict,
    pickle.SETITEM: _set_item,
    pickle.SETITEMS: lambda m: m.set_items(m.pop_marked()),
    pickle.EMPTY_SET: lambda m: m.push_made(set(), 3),
    pickle.ADDITEMS: lambda m: m.add_to_set(m.pop_marked()),
    pickle.FROZENSET: _push_frozen_set,
    pickle.PUT: lambda m: m.put(int(m.take_written_number())),
    pickle.BINPUT: lambda m: m.put(m.read(1)[0]),
    pickle.LONG_BINPUT: lambda m: m.put(m.take_number(4)),
    pickle.MEMOIZE: lambda m: m.memo.append(m.stack[-1]),
    pickle.GET: lambda m: m.get(int(m.take_written_number())),
    pickle.BINGET: lambda m: m.get(m.read(1)[0]),
    pickle.LONG_BINGET: lambda m: m.get(m.take_number(4)),
    pickle.GLOBAL: lambda m: m.push_name(m.take_line().decode(), m.take_line().decode()),
    pickle.STACK_GLOBAL: _push_name,
    pickle.REDUCE: _reduce,
    pickle.NEWOBJ: _reduce,
    pickle.NEWOBJ_EX: _reduce_with_options,
    pickle.INST: _call_named,
    pickle.OBJ: _call_marked,
    pickle.BUILD: lambda m: m.build(m.stack.pop()),
    pickle.PERSID: lambda m: m.push_persistent(m.take_line().decode()),
    pickle.BINPERSID: lambda m: m.push_persistent(m.stack.pop()),
    **dict.fromkeys((pickle.NEXT_BUFFER, pickle.EXT1, pickle.EXT2, pickle.EXT4), _unsupported),
    pickle.READONLY_BUFFER: lambda m: None,
}
