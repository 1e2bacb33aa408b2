"""What a fuzzed reader is: how it reads, the right files that it starts from, and how they are changed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from tests.fuzzing.mutators import Form, Mutation

Files = dict[str, bytes]
Change = Callable[[Files, Random], Files]


@dataclass(frozen=True)
class Seed:
    """Right files in a folder.

    Args:
        files: their contents by name.
        says: what each way of reading gives; None where that is known to be readable only.
        spoiling: changes after which they are read or refused.
        equal: changes after which they are read and say the same.
    """

    files: Files
    says: list[Any] | None
    spoiling: Sequence[Change]
    equal: Sequence[Change] = ()


@dataclass(frozen=True)
class Reader:
    """Each of `ways` gives plain values of a seed's files in a folder, or raises InputError."""

    name: str
    ways: Sequence[Callable[[Path], Any]]
    seeds: Callable[[], Sequence[Seed]]


def seed(files: Files, says: list[Any] | None, *forms: tuple[str, Form | Mutation], equal: bool = True) -> Seed:
    """Files of which some are changed as their forms are; `equal=False` where a form's neutral changes are not."""
    spoiling = [_in_file(name, form.spoilt if isinstance(form, Form) else form) for name, form in forms]
    neutral = [_in_file(name, change) for name, form in forms if isinstance(form, Form) for change in form.equal]
    return Seed(files, says, spoiling, neutral if equal else ())


def one(name: str, content: bytes | str, says: Any, *forms: Form | Mutation, equal: bool = True) -> Seed:
    """A single file that is read in one way."""
    files = {name: content.encode() if isinstance(content, str) else content}
    return seed(files, [says], *((name, form) for form in forms), equal=equal)


def plain(value: Any) -> Any:
    """Arrays and tensors as lists, which can be compared."""
    if isinstance(value, np.ndarray | torch.Tensor | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def made(write: Callable[[Path], Any]) -> Files:
    """The files that a function writes into a folder."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def _in_file(name: str, change: Mutation) -> Change:
    return lambda files, chance: files | {name: change(files[name], chance)}
