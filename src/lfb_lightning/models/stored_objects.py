"""Builds the objects that a stored configuration names, from a table of names: a file chooses among what the table has.

The form is Hydra's (`_target_` and arguments), the way is not: at every depth a name is looked up in the table, and nothing
is imported for it. What the user has typed over a stored configuration is the user's own: the caller may say so for a key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from lfb_lightning.errors import InputError
from lfb_lightning.models.fbo import FBOAvg, FBOCrossAttention, FBOMax, FBONone, FBONonLocal
from lfb_lightning.models.trusted_packages import all_trusted, find_in_trusted, how_to_trust

FBOS = (FBONone, FBOAvg, FBOMax, FBONonLocal, FBOCrossAttention)
_Part = Callable[..., Any]


def named(*parts: _Part) -> dict[str, _Part]:
    """Make a table of classes and functions of this package.

    Returns:
        Each under the names that it has in its room, as `conf/` writes it (`lfb_lightning.models.ResNet3d`), in its own
        module, and in the packages between.
    """
    modules = {part: part.__module__.split(".") for part in parts}
    return {
        f"{'.'.join(names[:depth])}.{part.__name__}": part
        for part, names in modules.items()
        for depth in range(2, len(names) + 1)
    }


class StoredObjects:
    """The objects of one stored configuration.

    Args:
        source: How messages call the file, such as "checkpoint runs/nl/checkpoints/best.ckpt".
        trusted_packages: Packages whose own classes and functions it may name beside the tables'.
        typed: What the user has typed for the `_target_` of a node, given the node's dotted key and the name; None: nothing.
    """

    def __init__(
        self,
        *,
        source: str,
        trusted_packages: Sequence[str] = (),
        typed: Callable[[str, str], _Part | None] = lambda key, target: None,
    ) -> None:
        self.source = source
        self._packages = all_trusted(trusted_packages)
        self._typed = typed

    def build(self, node: object, key: str, parts: Mapping[str, _Part], **given: Any) -> Any:
        """Build a section.

        Args:
            node: The section, plain data.
            key: Its name, for messages.
            parts: The table of what it and everything in it may name.
            given: Built objects as further arguments.

        Raises:
            InputError: It names anything else, or does not fit what it names. One line with file, key and target.
        """
        if not isinstance(node, dict) or "_target_" not in node:
            raise InputError(f"{self.source}: {key} says nothing to build, expected a mapping with _target_.")
        if node.get("_partial_"):
            raise InputError(f"{self.source}: {key} has _partial_, which is for an FBO in a detector.")
        return self._built(node, key, parts, given)

    def check(self, node: object, key: str, parts: Mapping[str, _Part]) -> None:
        """Raise InputError for the first name in a section that `build` would refuse; nothing is called."""
        if isinstance(node, dict):
            node = self._target(node, key, parts)[1]
        for name, value in (
            node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        ):
            self.check(value, f"{key}.{name}", parts)

    def mapping(self, node: object, key: str) -> dict[str, Any]:
        """Return a section as it is stored; raises InputError where it is no mapping from texts."""
        if not isinstance(node, dict) or not all(isinstance(name, str) for name in node):
            raise InputError(f"{self.source}: {key} is of type {type(node).__name__}, expected a mapping.")
        return node

    def constructor(self, node: dict[str, Any], key: str, parts: Mapping[str, _Part]) -> _Part:
        """Find what the `_target_` of a node means; raises InputError where it names anything that it may not."""
        return self._find(node, key, parts, plain=False)

    def plain(self, node: object, key: str) -> dict[str, Any]:
        """Read a section of plain values, in which nothing is built.

        Raises:
            InputError: It is no mapping, or has a `_target_` or another of Hydra's keys.
        """
        if not isinstance(node, dict):
            raise InputError(f"{self.source}: {key} is of type {type(node).__name__}, expected a mapping.")
        content = self._built(node, key, {}, {}, plain=True)
        return {str(name): value for name, value in content.items()}

    def call(self, constructor: _Part, key: str, arguments: Mapping[str, Any]) -> Any:
        """Call what makes a section's object.

        Args:
            constructor: What to call.
            key: The section's name, for messages.
            arguments: The section's values.

        Raises:
            InputError: It raised anything at all, since the values are the file's.
        """
        try:
            return constructor(**arguments)
        except InputError as error:
            if str(error).startswith(self.source):
                raise
            raise InputError(f"{self.source}: {key}: {_shown(str(error))}") from error
        except Exception as error:  # constructors check no types: a file's values can make them raise anything
            what = _shown(f"{type(error).__name__}: {error}")
            name = getattr(constructor, "__name__", "what is typed for it")
            raise InputError(f"{self.source}: {key} does not fit {name} ({what}).") from error

    def _built(
        self, node: Any, key: str, parts: Mapping[str, _Part], given: Mapping[str, Any], *, plain: bool = False
    ) -> Any:
        if isinstance(node, list):
            return [self._built(item, f"{key}.{index}", parts, {}, plain=plain) for index, item in enumerate(node)]
        if not isinstance(node, dict):
            return node
        target, written = self._target(node, key, parts, plain=plain)
        arguments = {
            name: self._built(value, f"{key}.{_shown(str(name))}", parts, {}, plain=plain)
            for name, value in written.items()
        }
        if target is None:
            return arguments
        if node.get("_partial_"):
            return partial(target, **arguments)
        return self.call(target, key, {**arguments, **given})

    def _target(
        self, node: dict[Any, Any], key: str, parts: Mapping[str, _Part], *, plain: bool = False
    ) -> tuple[_Part | None, dict[Any, Any]]:
        """What a mapping's `_target_` means, None where it has none, and its other entries."""
        known = {"_target_", "_partial_"} if "_target_" in node else set()
        special = {name for name in node if isinstance(name, str) and name.startswith("_") and name.endswith("_")}
        if special - known:
            raise InputError(f"{self.source}: {key} has {min(special - known)!r:.80}, which no configuration here has.")
        target = self._find(node, key, parts, plain=plain) if special else None
        return target, {name: value for name, value in node.items() if name not in special}

    def _find(self, node: dict[str, Any], key: str, parts: Mapping[str, _Part], *, plain: bool) -> _Part:
        """Find what a node's `_target_` means."""
        name, is_partial = node["_target_"], node.get("_partial_", False)
        if not isinstance(name, str) or not isinstance(is_partial, bool):
            raise InputError(f"{self.source}: {key}._target_ is not a name, or {key}._partial_ not true or false.")
        shown = f"{self.source}: {key}._target_ is {name!r:.120}"
        if plain:
            raise InputError(f"{shown}, but nothing is built in {key.partition('.')[0]}.")
        found = self._typed(key, name)
        if found is not None:
            return found
        if name in parts:
            if is_partial and parts[name] not in FBOS:
                raise InputError(f"{shown} with _partial_, which is for an FBO in a detector.")
            return parts[name]
        try:
            found = find_in_trusted(name, self._packages)
        except LookupError as error:
            raise InputError(f"{shown}: {_shown(str(error))}.") from error
        if found is None:
            raise InputError(f"{shown}, which is not part of what a file may name{how_to_trust(name)}.")
        return found


def _shown(text: str) -> str:
    """Make text that may come from a file fit into one line: no line breaks, no terminal's control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))[:300]
