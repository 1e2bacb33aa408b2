"""Comparing a plain value of a configuration with a type annotation, and saying in words what the annotation expects."""

from __future__ import annotations

import collections.abc
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
_SEQUENCES = (list, tuple, collections.abc.Sequence, collections.abc.Iterable)
_MAPPINGS = (dict, collections.abc.Mapping)


def fits(value: Any, hint: Any) -> bool:
    """Tell whether a plain value fits an annotation.

    Args:
        value: A number, text, switch, null, list or mapping. A whole number also fits `float`; a switch is not a number.
        hint: The annotation. `Annotated[int, 1]` is a whole number of at least 1; an annotation that says nothing about
            plain values, such as a class of another package, accepts any.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return fits(value, arguments[0]) and value >= arguments[1]
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in arguments)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in arguments)
    if hint in _WORDS or hint is None:
        kinds = (int, float) if hint is float else type(None) if hint is None else hint
        return isinstance(value, kinds) and (hint is bool or not isinstance(value, bool))
    if (origin or hint) in _SEQUENCES:
        return isinstance(value, list) and all(fits(entry, arguments[0]) for entry in value if arguments)
    if (origin or hint) in _MAPPINGS:
        return isinstance(value, dict) and all(fits(entry, arguments[1]) for entry in value.values() if arguments)
    if origin is collections.abc.Callable:
        return False
    # A module and a class of ours are made by a section. What another package makes of a plain value is not known here.
    return not (isinstance(hint, type) and (_is_module(hint) or hint.__module__.startswith("lfb_lightning.")))


def _is_module(hint: type) -> bool:
    """Whether it is a torch module's class; by name, since lfb-eval does not load torch."""
    return any(base.__module__ == "torch.nn.modules.module" for base in hint.__mro__)


def values_hint(hint: Any) -> Any:
    """Return the annotation of a mapping's values; None if the annotation is not that of a mapping."""
    arguments = get_args(hint)
    return arguments[1] if get_origin(hint) in _MAPPINGS and len(arguments) == 2 else None


def describe(hint: Any) -> str:
    """Say what an annotation expects, for a message: `a whole number or null`, `one of fp32, fp16`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return f"{describe(arguments[0])} of at least {arguments[1]}"
    if origin in (Union, types.UnionType):
        kinds = [
            one for one in arguments if one is not int or float not in arguments
        ]  # `float` accepts whole numbers too
        return " or ".join(dict.fromkeys(describe(one) for one in kinds))
    if origin is Literal:
        return f"one of {', '.join(dict.fromkeys(map(shown, arguments)))}"
    if hint in _WORDS or hint is None:
        return _WORDS[type(None) if hint is None else hint]
    if (origin or hint) in _SEQUENCES:
        return f"a list [...] of which each is {describe(arguments[0])}" if arguments else "a list [...]"
    if (origin or hint) in _MAPPINGS:
        return f"a mapping {{name: ...}} to {describe(arguments[1])}" if arguments else "a mapping {name: ...}"
    return f"a section whose _target_ makes it ({getattr(hint, '__name__', hint)})"


def shown(value: Any) -> str:
    """Return a value as it is written on the command line."""
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value) if value != "" else "empty"
