"""Packages whose classes a file may name because the user trusts them, beside those of this package.

A package is trusted by `trusted_packages=[my_package]` on the command line or in Python, or by being installed with an entry
point in the group `lfb_lightning.trusted_packages`. Nothing is imported before it is known to lie in such a package.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from types import FunctionType
from typing import Any

from lfb_lightning.errors import InputError

ENTRY_POINT_GROUP = "lfb_lightning.trusted_packages"


def all_trusted(packages: Sequence[str]) -> tuple[str, ...]:
    """List the packages that the user names and those that say by an entry point that they are trusted.

    Raises:
        InputError: A name cannot be a package's.
    """
    if isinstance(packages, str) or not all(isinstance(package, str) for package in packages):
        raise InputError(f"trusted_packages is {packages!r}, expected a list of names: [my_package].")
    for package in packages:
        if not _is_dotted_name(package):
            raise InputError(f"trusted_packages: {package!r} is not the name of a package, such as my_package.models.")
    installed = (point.value.partition(":")[0].strip() for point in entry_points(group=ENTRY_POINT_GROUP))
    return (*packages, *(name for name in installed if _is_dotted_name(name)))


def find_in_trusted(target: str, packages: Sequence[str]) -> Callable[..., Any] | None:
    """Find the class or function that a dotted name means, if it lies in a trusted package; None if it does not.

    What a trusted module has merely imported is not its own: `my_package.models.os.system` names nothing.

    Raises:
        LookupError: The package is trusted, and has no such class or function of its own. The message says why.
    """
    module_name, _, name = target.rpartition(".")
    package = next((package for package in packages if _lies_in(module_name, package)), None)
    if package is None or not _is_dotted_name(target):
        return None
    try:
        module = import_module(module_name)
    except Exception as error:  # a person's own module: its code can raise anything
        raise LookupError(f"{module_name} cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(module, name, None)
    if not isinstance(found, type | FunctionType) or not _lies_in(found.__module__, package):
        raise LookupError(f"{module_name} has no class or function {name} that {package} defines")
    return found


def how_to_trust(target: str) -> str:
    """Write the end of a refusal: how the user lets a file name this, or nothing where that cannot be right."""
    package = target.partition(".")[0]
    if not _is_dotted_name(target) or package in sys.stdlib_module_names or package == "lfb_lightning":
        return ""
    return f"; only if {package} is code of your own: trusted_packages=[{package}]"


def _lies_in(module_name: str | None, package: str) -> bool:
    return module_name is not None and (module_name == package or module_name.startswith(f"{package}."))


def _is_dotted_name(text: str) -> bool:
    """Names joined by dots, none of them Python's own, such as `__main__`."""
    return all(part.isidentifier() and not part.startswith("__") for part in text.split("."))
