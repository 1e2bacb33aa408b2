"""Weights of the Hugging Face Hub by name: `hf:organization/name`, fetched into the hub's cache of this machine.

What is fetched is read as any other file is: safetensors before torch's files, and nothing in either is run. The license that
the repository's card states goes along.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lfb_lightning.errors import InputError
from lfb_lightning.models.hub import EXTRA, reason
from lfb_lightning.models.imports.reading import WEIGHT_FILES, parts_of_index
from lfb_lightning.models.pretrained import CONFIG, WEIGHTS, is_own_folder

CARD = "README.md"
_NAMED = "hf:organization/name, hf:organization/name@revision or hf:organization/name/file"
_PART = r"[A-Za-z0-9][\w.-]{0,95}"
_NAME = re.compile(rf"hf:({_PART}/{_PART})(?:@(refs/(?:pr|convert)/\w+|[\w.-]+))?(?:/([^\\]+))?", re.ASCII)
_LICENSE = re.compile(r"^license:[ \t]*(?:\n[ \t]*- )?[ \t]*[\[\"']*([\w.+-]{1,80})[\"'\]]*[ \t]*$", re.MULTILINE)
_LICENSE_NAME = re.compile(r"^license_name:[ \t]*[\"']?([\w.+-]{1,80})[\"']?[ \t]*$", re.MULTILINE)
_LONGEST_CARD = 1 << 20  # bytes that are looked at


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched.

    Attributes:
        path: The file of weights, or the index of several; a folder where this package has written it.
        commit: The repository's, in full.
        license: What its card states; "": nothing, or there is none.
    """

    path: Path
    commit: str
    license: str


@dataclass(frozen=True, slots=True)
class _Name:
    """A repository of the hub, its branch, tag or commit, and one of its files."""

    repository: str
    revision: str | None
    file: str | None


def is_hub_name(path: str | Path) -> bool:
    """Tell whether a file's name means the hub: it begins with `hf:`."""
    return str(path).startswith("hf:")


def fetch_weights(name: str | Path) -> Fetched:
    """Fetch the weights of a repository, unless the hub's cache of this machine has them.

    Without a file's name, `model.safetensors` is taken, else its parts, else `pytorch_model.bin`, else its parts; where this
    package has written the repository, the whole detector.

    Args:
        name: `hf:organization/name`, `hf:organization/name@revision` or `hf:organization/name/file`; the last two may be one.

    Raises:
        InputError: It is no such name, huggingface_hub is not installed, there is no such repository, revision or file, it
            may not be seen, or the hub cannot be reached and the cache does not have it. One line, without any token.
    """
    wanted, shown = _parsed(str(name)), f"checkpoint {name}"
    download = _Download(wanted, shown)
    if wanted.file is not None:
        path = download.required(wanted.file)
    else:
        own = download.optional(CONFIG)
        if own is not None and is_own_folder(own.parent):
            download.required(WEIGHTS)
            return Fetched(own.parent, download.commit, "")  # its configuration has the license
        path = download.first(WEIGHT_FILES)
    for part in parts_of_index(path, shown) if path.name.endswith(".index.json") else ():
        download.required((PurePosixPath(wanted.file or "").parent / part).as_posix())
    card = download.optional(CARD)
    return Fetched(path, download.commit, "" if card is None else license_of_card(card))


def fetch_file(name: str, file: str) -> Path:
    """Fetch one file of a repository, unless the hub's cache of this machine has it.

    Args:
        name: `hf:organization/name` or `hf:organization/name@revision`.
        file: The file's name.

    Raises:
        InputError: As `fetch_weights` raises it.
    """
    return _Download(_parsed(name), f"backbone {name}").required(file)


def license_of_card(path: Path) -> str:
    """Read the license off the head of a repository's card, which is data; "": it states none."""
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_CARD).decode(errors="replace").replace("\r\n", "\n")
    except OSError:
        return ""
    head = re.match(r"\s*---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", text, re.DOTALL)
    found = _LICENSE.search(head[1]) if head else None
    if head is None or found is None:
        return ""
    named = _LICENSE_NAME.search(head[1])
    return named[1] if named and found[1] == "other" else found[1]


def _parsed(name: str) -> _Name:
    found = _NAME.fullmatch(name)
    if found is None or (found[3] and any(part in ("", ".", "..") for part in found[3].split("/"))):
        raise InputError(f"checkpoint {name!r:.200}: is no name of the hub, expected {_NAMED}.")
    return _Name(found[1], found[2], found[3])


@contextmanager
def _without_its_warnings() -> Iterator[None]:
    """Keep the client from telling of each attempt: what comes of them is told in one line."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Download:
    """Fetches files of one repository; after the first one, of the same commit."""

    def __init__(self, wanted: _Name, shown: str) -> None:
        try:
            from huggingface_hub import errors, hf_hub_download
        except ImportError as error:
            raise InputError(f"{shown}: to fetch it from the hub: {EXTRA}.") from error
        self._download: Callable[..., str] = hf_hub_download
        self._errors: Any = errors
        self._wanted, self._shown = wanted, shown
        self._unreachable: Exception | None = None
        self.commit = ""

    def first(self, files: tuple[str, ...]) -> Path:
        """Fetch the first of some files that there is."""
        for file in files:
            if (path := self.optional(file)) is not None:
                return path
        if self._unreachable is not None:
            raise self._not_here(self._unreachable)
        raise InputError(
            f"{self._shown}: the repository has no {', '.join(files[:-1])} or {files[-1]}; name the file that has the "
            f"weights: hf:{self._wanted.repository}/FILE."
        )

    def required(self, file: str) -> Path:
        """Fetch a file that has to be there."""
        path = self.optional(file)
        if path is None and self._unreachable is not None:
            raise self._not_here(self._unreachable)
        if path is None:
            raise InputError(f"{self._shown}: the repository has no file {file!r:.200}.")
        return path

    def optional(self, file: str) -> Path | None:
        """Fetch a file; None: there is none, or the cache has none and the hub cannot be reached."""
        try:
            revision = self.commit or self._wanted.revision
            known = self._unreachable is not None  # the client would try again, for half a minute
            with _without_its_warnings():
                path = Path(self._download(self._wanted.repository, file, revision=revision, local_files_only=known))
        except self._errors.LocalEntryNotFoundError as error:
            self._unreachable = self._unreachable or error
            return None
        except self._errors.EntryNotFoundError:
            return None
        except Exception as error:  # its own classes, those of its HTTP library, and OSError
            raise self._refused(error) from error
        self.commit = path.parents[len(Path(file).parts) - 1].name  # snapshots/<commit>/<file>
        return path

    def _refused(self, error: Exception) -> InputError:
        repository, revision = self._wanted.repository, self._wanted.revision
        if isinstance(error, self._errors.GatedRepoError):
            told = "its owner asks for consent to terms first: give it on the repository's page, then `hf auth login`"
        elif isinstance(error, self._errors.RepositoryNotFoundError):
            told = f"the hub has no {repository}, or it is private and what this machine is logged in as may not see it"
        elif isinstance(error, self._errors.RevisionNotFoundError):
            told = f"{repository} has no revision {revision}, expected a branch, a tag or a commit"
        else:
            told = f"could not be fetched from the hub ({reason(error)})"
        return InputError(f"{self._shown}: {told}.")

    def _not_here(self, error: Exception) -> InputError:
        error = error.__cause__ if isinstance(error.__cause__, Exception) else error  # its own text is of the cache
        return InputError(
            f"{self._shown}: the hub cannot be reached, and the cache of this machine does not have it ({reason(error)}); "
            "fetch it once with a connection, or give a file."
        )
