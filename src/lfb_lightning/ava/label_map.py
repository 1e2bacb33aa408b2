"""The label map: AVA's pbtxt, which is in protobuf's text format, read without protobuf.

Two dialects exist: `item { name, id }` (the ActivityNet lists of 60 classes) and `label { name, label_id, label_type }`
(AVA's own list of 80). A column of scores is an id. Both dialects number from 1, as AVA does, and leave column 0 to the
background; a map that numbers from 0 (Charades) has an action there.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lfb_lightning.ava.text_format import Field, TextFormat, TextFormatError, quoted
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably

_MOST_BYTES = 4_000_000
_LARGEST_ID = 9_999  # a column of scores is an id, and every annotated person has a row of all columns
_ID = re.compile(r"-?\d{1,18}|0[xX][0-9a-fA-F]{1,15}")


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Action names by id.

    Args:
        names: In the file's order. An action's id is its column of scores and labels.
        whole: The file's map where this is a part of it.
    """

    names: dict[int, str]
    whole: LabelMap | None = None

    @property
    def ids(self) -> list[int]:
        """The evaluated action ids, ascending: the columns that are classes."""
        return sorted(self.names)

    @property
    def has_background(self) -> bool:
        """Whether column 0 is no action but the background, which carries no loss and is not evaluated."""
        return 0 not in (self.whole or self).names

    @property
    def num_columns(self) -> int:
        """Score columns that a model needs: the largest id plus one, because the column is the id."""
        return max((self.whole or self).names) + 1

    def restricted_to(self, ids: Sequence[int]) -> LabelMap:
        """Restrict the map to some ids, in as many columns as the whole one.

        Args:
            ids: The ids that are kept.

        Raises:
            InputError: An id is not listed, or there are none.
        """
        missing = sorted(set(ids) - set(self.names))
        if missing or not ids:
            raise InputError(
                f"data.classes: {missing or 'an empty list'} found, expected some of the label map's ids {self.ids}; null "
                "takes all."
            )
        return LabelMap({key: name for key, name in self.names.items() if key in set(ids)}, self.whole or self)


def read_label_map(path: str | Path) -> LabelMap:
    """Read a label map, a file in protobuf's text format with a block `item` or `label` per action.

    A block's name is its `name`, or its `display_name` if it has none; its id is its `id` or `label_id`. Whatever else
    stands in the file is left alone.

    Raises:
        InputError: Naming file and line, for a file that is missing or is none, or a block without a name, or with an id
            that is missing, repeated or too large.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"label map {path}: no such file; set data.label_map to the pbtxt that came with AVA.")
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise InputError(f"label map {path}: {size} bytes, expected at most {_MOST_BYTES}; is it AVA's pbtxt?")
    try:
        text = TextFormat(path.read_text(encoding="utf-8-sig"))
        blocks = [field for field in text.fields() if field.name in ("item", "label") and field.fields is not None]
    except UnicodeDecodeError as error:
        raise InputError(f"label map {path}: not a text file ({error}); expected AVA's pbtxt.") from error
    except TextFormatError as error:
        raise InputError(f"label map {path}, {error}; expected blocks 'item {{ name: ... id: ... }}'.") from error
    names: dict[int, str] = {}
    for number, block in enumerate(blocks, 1):
        where = f"label map {path}, block {number} (line {text.line(block.place)})"
        key, name = _entry(block.fields or [], where)
        if not 1 <= key <= _LARGEST_ID or key in names:
            raise InputError(f"{where}: id {key} is repeated, below 1 or above {_LARGEST_ID}.")
        names[key] = name
    if not names:
        raise InputError(f"label map {path}: no 'item {{ name: ... id: ... }}' block found; is it AVA's pbtxt?")
    return LabelMap(names)


def write_label_map(path: str | Path, names: dict[int, str]) -> None:
    """Write the `item { name, id }` dialect, with the two leading blanks that the official reader needs.

    Args:
        path: The file.
        names: Action names by id.
    """
    text = "".join(f"item {{\n  name: {quoted(name)}\n  id: {key}\n}}\n" for key, name in sorted(names.items()))
    write_durably(Path(path), text.encode())


def _entry(fields: list[Field], where: str) -> tuple[int, str]:
    """Read the id and the name off a block's fields."""
    key = next((field.word for field in fields if field.name in ("id", "label_id")), None)
    names = {field.name: field.string for field in reversed(fields) if field.string is not None}
    name = names.get("name", names.get("display_name"))
    if key is None or not _ID.fullmatch(key) or name is None:
        raise InputError(
            f"{where}: expected a name in quotation marks and a whole number as id, found name {reprlib.repr(name)} and id "
            f"{reprlib.repr(key)}."
        )
    return int(key, 16 if "x" in key.lower() else 10), name
