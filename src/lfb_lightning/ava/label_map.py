"""The label map: AVA's pbtxt, read without protobuf.

Two dialects exist: `item { name, id }` (the ActivityNet lists of 60 classes) and `label { name, label_id, label_type }`
(AVA's own list of 80). Ids keep AVA's numbering 1..80; a column of scores is an id, so column 0 stays unused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably

_BLOCK = re.compile(r"\b(?:item|label)\s*\{(?P<body>[^}]*)\}")
_NAME = re.compile(r"^\s*name:\s*(?P<quote>[\"'])(?P<name>.*)(?P=quote)\s*$", re.MULTILINE)
_ID = re.compile(r"^\s*(?:id|label_id):\s*(?P<id>-?\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Action names by id, in the file's order; `whole` is the file's map where this is a part of it."""

    names: dict[int, str]
    whole: LabelMap | None = None

    @property
    def ids(self) -> list[int]:
        """The evaluated action ids, ascending."""
        return sorted(self.names)

    @property
    def num_columns(self) -> int:
        """Score columns that a model needs: the largest id plus one, because column = id."""
        return max((self.whole or self).names) + 1

    def restricted_to(self, ids: Sequence[int]) -> LabelMap:
        """The map of some ids, in as many columns; raises InputError for an id that is not listed."""
        missing = sorted(set(ids) - set(self.names))
        if missing or not ids:
            raise InputError(
                f"data.classes: {missing or 'an empty list'} found, expected some of the label map's ids {self.ids}; null "
                "takes all."
            )
        return LabelMap({key: name for key, name in self.names.items() if key in set(ids)}, self.whole or self)


def read_label_map(path: str | Path) -> LabelMap:
    """Read a label map file; raises InputError when it is missing, empty, or a block has no name or a repeated id."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"label map {path}: no such file; set data.label_map to the pbtxt that came with AVA.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"label map {path}: not a text file ({error}); expected AVA's pbtxt.") from error
    names: dict[int, str] = {}
    for number, block in enumerate(_BLOCK.finditer(_without_braces_in_names(text)), 1):
        name, action_id = _NAME.search(block["body"]), _ID.search(block["body"])
        if name is None or action_id is None:
            raise InputError(f"label map {path}, block {number}: expected a name and an id, found {block['body']!r}.")
        key = int(action_id["id"])
        if key < 1 or key in names:
            raise InputError(f"label map {path}, block {number}: id {key} is repeated or below 1.")
        names[key] = name["name"]
    if not names:
        raise InputError(f"label map {path}: no 'item {{ name: ... id: ... }}' block found; is it AVA's pbtxt?")
    return LabelMap(names)


def write_label_map(path: str | Path, names: dict[int, str]) -> None:
    """Write the `item { name, id }` dialect, with the two leading blanks that the official reader needs."""
    text = "".join(f'item {{\n  name: "{name}"\n  id: {key}\n}}\n' for key, name in sorted(names.items()))
    write_durably(Path(path), text.encode())


def _without_braces_in_names(text: str) -> str:
    return "\n".join(
        line.replace("{", "(").replace("}", ")") if line.lstrip().startswith("name:") else line
        for line in text.splitlines()
    )
