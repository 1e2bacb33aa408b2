"""Detectors of the Hugging Face Hub: fetching one into the local cache by its name, and uploading one.

huggingface_hub is an extra. It moves files and nothing more: what is fetched is read as any other folder is.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lfb_lightning.errors import InputError, one_line
from lfb_lightning.models.cards import CARD, is_edited
from lfb_lightning.models.pretrained import CONFIG, WEIGHTS

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_SECRET = re.compile(r"(Bearer\s+|\bhf_)[^\s'\"]+")
EXTRA = "pip install 'lfb-lightning[hub]'"


@dataclass(frozen=True, slots=True)
class Pushed:
    """What was uploaded.

    Args:
        address: The commit's.
        kept_card: Whether the repository has a card that somebody has edited, which was left as it is.
    """

    address: str
    kept_card: bool


def local_folder(name: str | Path, revision: str | None = None) -> Path:
    """Find a detector's folder; one of the hub is fetched, unless its cache has it.

    Args:
        name: A folder, or the name of a repository of the hub, `organization/name`. A folder of that name comes first.
        revision: The repository's branch, tag or commit; None: its main branch.

    Returns:
        A folder of this machine.

    Raises:
        InputError: It is a file, there is no such folder and it is no name of the hub's, huggingface_hub is not installed, or
            it could not fetch it.
    """
    folder = Path(name)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise InputError(
            f"checkpoint {name}: is a file, expected a detector's folder; load_detector reads checkpoints."
        )
    if not _NAME.fullmatch(str(name)):
        raise InputError(f"checkpoint {name}: no such folder, and no name of the hub, which is organization/name.")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise InputError(f"checkpoint {name}: no such folder; to fetch it from the hub: {EXTRA}.") from error
    try:
        return Path(snapshot_download(str(name), revision=revision, allow_patterns=[CONFIG, WEIGHTS]))
    except Exception as error:  # its own classes, those of its HTTP library, and OSError
        raise InputError(
            f"checkpoint {name}: no such folder, and it could not be fetched from the hub ({reason(error)})."
        ) from error


def require_hub(repo_id: str, token: str | None = None, *, key: str = "repo_id") -> None:
    """Raise InputError if nothing can be uploaded from here: before anything is computed for it.

    Args:
        repo_id: Where to.
        token: The account's; None: the one that this machine has.
        key: How messages call the name.
    """
    if not _NAME.fullmatch(repo_id):
        raise InputError(
            f"{key}={repo_id}: is no name of the hub, expected organization/name of letters, digits, '-', '_' and '.'."
        )
    try:
        import huggingface_hub
    except ImportError as error:
        raise InputError(f"{key}={repo_id}: huggingface_hub is not installed: {EXTRA}.") from error
    if token is None and huggingface_hub.get_token() is None:
        raise InputError(
            f"{key}={repo_id}: there is no token of the hub here; type `hf auth login`, or set the variable HF_TOKEN to one "
            "that may write."
        )


def push_folder(
    folder: str | Path,
    repo_id: str,
    *,
    commit_message: str = "Upload a detector of lfb-lightning",
    private: bool | None = None,
    token: str | None = None,
    branch: str | None = None,
    create_pr: bool | None = None,
    overwrite_card: bool = False,
    key: str = "repo_id",
) -> Pushed:
    """Upload a folder of the format `safetensors`: `config.json`, `model.safetensors` and its card.

    Args:
        folder: What `save_pretrained` or `lfb-export` has written.
        repo_id: As `ActionDetector.push_to_hub` has it, and the arguments below.
        commit_message: The commit's.
        private: Whether a new repository is private.
        token: Of an account that may write there.
        branch: Where to.
        create_pr: Whether a pull request is made.
        overwrite_card: Whether a generated card replaces one there that somebody has edited.
        key: How messages call the name.

    Raises:
        InputError: The name is none, a token or the extra is missing, or the hub cannot be reached or refuses.
    """
    require_hub(repo_id, token, key=key)
    try:
        is_generated = not is_edited(Path(folder) / CARD)  # a card of somebody's own hand is uploaded in any case
        keeps = is_generated and not overwrite_card and _has_edited_card(repo_id, token, branch)
        address = _mixin(Path(folder)).push_to_hub(
            repo_id,
            commit_message=commit_message,
            private=private,
            token=token,
            branch=branch,
            create_pr=create_pr,
            allow_patterns=[CONFIG, WEIGHTS, *([] if keeps else [CARD])],
        )
    except Exception as error:  # its own classes, those of its HTTP library, and OSError
        raise InputError(f"{key}={repo_id}: could not be uploaded to the hub ({reason(error)}).") from error
    return Pushed(str(address), keeps)


def _mixin(folder: Path) -> Any:
    """Make an object that huggingface_hub's mixin can upload: its `save_pretrained` gives the folder's files."""
    from huggingface_hub import ModelHubMixin

    class Folder(ModelHubMixin):
        def save_pretrained(self, save_directory: str | Path, **settings: Any) -> None:
            Path(save_directory).mkdir(parents=True)
            for name in (CONFIG, WEIGHTS, CARD):
                if (folder / name).is_file():
                    shutil.copyfile(folder / name, Path(save_directory) / name)

    return Folder()


def _has_edited_card(repo_id: str, token: str | None, branch: str | None) -> bool:
    """Tell whether the repository has a card that this package has not written so."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    with TemporaryDirectory() as folder:
        try:
            found = hf_hub_download(repo_id, CARD, revision=branch, token=token, local_dir=folder)
        except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError):
            return False
        return is_edited(Path(found))


def reason(error: Exception) -> str:
    """Say in a few words why the hub's client gave up: what it says is of several lines, and of addresses."""
    if type(error) is RuntimeError and isinstance(error.__cause__, Exception):  # around what happened to one file
        error = error.__cause__
    status = getattr(getattr(error, "response", None), "status_code", None)
    known = {401: "the token is not valid, or may not see it", 403: "the token may not write there"}
    told = None if status is None else known.get(int(status))
    name = type(error).__name__
    if told is not None:
        return f"{name}: {told}"
    if "Connect" in name or "Offline" in name or "LocalEntry" in name or "Timeout" in name:
        name = f"no connection; {name}"
    told = _SECRET.sub(r"\1...", one_line(str(error)))  # HTTP libraries show a header that they refuse
    return f"{name}: {told.strip()[:300]}"
