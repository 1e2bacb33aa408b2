"""A detector as a folder that can be passed on: `config.json`, `model.safetensors` or exported programs, and a card.

The folder is data as checkpoints are (docs/security.md): the configuration is plain values, what it names is looked up in
the tables of `checkpoint`, and the sizes of tensors are compared with the file before any is made.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import remove_abandoned, write_durably
from lfb_lightning.files.json_file import read_json_object
from lfb_lightning.files.safetensors_header import read_safetensors_header
from lfb_lightning.models.cards import CARD, card_text, card_title, is_edited
from lfb_lightning.models.digest import state_digest
from lfb_lightning.models.portable import portable
from lfb_lightning.version import __version__

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FORMATS = ("safetensors", "onnx", "torch_export")
PROGRAMS = ("features", "scores", "detector")
_UNFINISHED = "unfinished"  # says that what lies beside it is of an export that did not come to its end
_OURS = {CONFIG, WEIGHTS, *(f"{name}.{ending}" for name in PROGRAMS for ending in ("onnx", "pt2"))}
_MAKER, _VERSION = "lfb-lightning", 1
_LARGEST_CONFIG = 1 << 20  # bytes; that of a detector of AVA has 5,000
_DEEPEST = 32


def is_own_folder(folder: str | Path) -> bool:
    """Tell whether a folder's `config.json` may be this package's: it says who made it, or is too damaged to tell."""
    path = Path(folder) / CONFIG
    try:
        return path.stat().st_size > _LARGEST_CONFIG or "made_by" in read_json_object(path, what="checkpoint")
    except (OSError, InputError) as error:
        return isinstance(error, InputError)


def read_folder_config(folder: str | Path) -> dict[str, Any]:
    """Read the configuration of a detector's folder, which is plain data.

    Returns:
        What a checkpoint's configuration has, and `format`: one of `FORMATS`.

    Raises:
        InputError: The folder has none, or it is not as `save_pretrained` and `lfb-export` write it.
    """
    folder = Path(folder)
    path = folder / CONFIG
    if not path.is_file():
        raise InputError(
            f"checkpoint {folder}: a folder without {CONFIG}; expected a file, or a folder that lfb-export has written "
            "(of a run's folder, give checkpoints/best.ckpt)."
        )
    if (size := path.stat().st_size) > _LARGEST_CONFIG:
        raise InputError(f"checkpoint {path}: has {size} bytes, expected at most {_LARGEST_CONFIG}; it is damaged.")
    config = read_json_object(path, what="checkpoint")
    if config.get("made_by") != _MAKER or config.get("format") not in FORMATS:
        raise InputError(
            f"checkpoint {path}: was not written by lfb-export (made_by {config.get('made_by')!r:.40}, format "
            f"{config.get('format')!r:.40}), expected {_MAKER} and one of {', '.join(FORMATS)}."
        )
    if config.get("format_version") != _VERSION:
        raise InputError(
            f"checkpoint {path}: is of version {config.get('format_version')!r:.40}, this package ({__version__}) reads "
            f"version {_VERSION}; install the one that wrote it."
        )
    if _is_deeper(config, _DEEPEST):
        raise InputError(f"checkpoint {path}: is nested more than {_DEEPEST} levels deep; it is damaged.")
    return _with_whole_columns(config)


def read_folder(folder: str | Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read the configuration and the weights of a folder of the format `safetensors`.

    Raises:
        InputError: Something is missing, damaged, or the folder is of another format.
    """
    folder = Path(folder)
    config = read_folder_config(folder)
    if config["format"] != "safetensors":
        raise InputError(
            f"checkpoint {folder}: is a detector exported as {config['format']}, whose weights are not read; export it with "
            "format=safetensors for this."
        )
    if not (path := folder / WEIGHTS).is_file():
        raise InputError(f"checkpoint {path}: no such file, although {CONFIG} is there; copy the folder again.")
    try:
        _, spans = read_safetensors_header(path)
        end = min((span.begin for span in spans.values()), default=0)
        for name, span in sorted(spans.items(), key=lambda entry: (entry[1].begin, entry[1].end)):
            if span.begin != end:
                raise ValueError(f"its {name!r:.80} does not begin where the tensor before it ends")
            end = span.end
        return config, load_file(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"checkpoint {path}: cannot be read ({error}); copy the folder again.") from error


def save_folder(
    folder: str | Path,
    detector: nn.Module,
    config: Mapping[str, Any],
    *,
    overwrite: bool = False,
    card: str | None = None,
    overwrite_card: bool = False,
) -> Path:
    """Write a detector's weights and configuration as a folder of the format `safetensors`.

    Args:
        folder: Where to.
        detector: Whose weights are written, bit for bit.
        config: What it is rebuilt with, as a checkpoint has it; `portable` chooses what is written of it.
        overwrite: Whether a folder that holds an export already is replaced.
        card: What the model card calls it; None: as the folder is called.
        overwrite_card: Whether a card that somebody has edited is replaced too.

    Returns:
        The folder.

    Raises:
        InputError: The folder has something in it, or cannot be written.
    """
    weights = {name: value.detach().cpu().clone().contiguous() for name, value in detector.state_dict().items()}
    title = card_title(folder, card, overwrite_card=overwrite_card)
    with export_folder(folder, overwrite=overwrite) as made:
        write_durably(made / WEIGHTS, save(weights, metadata={"format": "pt"}))
        more = {name: getattr(detector, name, None) or None for name in ("window_slots", "reads_identity")}
        more["weights_digest"] = digest = state_digest(detector)
        write_folder_config(made, config, format="safetensors", card=title, digest=digest, **more)
    return Path(folder)


@contextmanager
def export_folder(folder: str | Path, *, overwrite: bool) -> Iterator[Path]:
    """Give the folder that an export is written into; one that replaces an earlier export does so when it is whole.

    Args:
        folder: Where to.
        overwrite: Whether a folder that holds an export already is replaced.

    Raises:
        InputError: As `prepare_folder` raises it.
    """
    folder = Path(folder).resolve()
    if not (overwrite and (folder / CONFIG).is_file()):
        yield prepare_folder(folder, overwrite=overwrite)
        return
    read_folder_config(folder)
    try:
        beside = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise InputError(f"out={folder}: nothing can be written beside it ({error.strerror}).") from error
    try:
        yield beside
        prepare_folder(folder, overwrite=True)
        for path in sorted(beside.iterdir(), key=lambda path: path.name == CONFIG):  # the configuration last
            path.replace(folder / path.name)
        (folder / _UNFINISHED).unlink()
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def prepare_folder(folder: str | Path, *, overwrite: bool) -> Path:
    """Make the folder of an export, without a configuration, which is written last.

    Args:
        folder: Where to.
        overwrite: Whether the files of an earlier export are removed; those of one that did not come to its end, which the
            file `unfinished` tells, always are, and any others are left alone.

    Raises:
        InputError: There is something in it that may not be replaced, or it cannot be made.
    """
    folder = Path(folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"out={folder}: is a file, expected a folder to write into.")
        folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned(folder)
        there = {path.name for path in folder.iterdir()}
        ours = _OURS if is_edited(folder / CARD) else _OURS | {CARD}  # figures of earlier weights must not stay
        is_unfinished = CONFIG not in there and _UNFINISHED in there
        if there and not is_unfinished:
            if not overwrite:
                raise InputError(f"out={folder}: is not empty; give another folder, or replace it with overwrite=true.")
            read_folder_config(folder)  # files that lie in any other folder are nobody's to remove
        (folder / _UNFINISHED).touch()
        for name in [CONFIG, *sorted(there & ours)]:  # the configuration first: without it, the folder is unfinished
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"out={folder}: cannot be written ({error.strerror or error}).") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"out={folder}: cannot be written (no permission).")
    return folder


def write_folder_config(
    folder: Path, config: Mapping[str, Any], *, format: str, card: str | None, digest: str, **more: Any
) -> None:
    """Write the card, and then `config.json`: what is portable of a configuration, and what the format adds.

    Args:
        folder: The export's folder.
        config: The detector's configuration.
        format: One of `FORMATS`.
        card: What the card calls the detector; None: no card is written.
        digest: `state_digest` of the detector.
        **more: Further sections, plain data; those that are None are left out.
    """
    head = {"made_by": _MAKER, "format": format, "format_version": _VERSION, "package_version": __version__}
    content = {**head, **portable(config), **{name: value for name, value in more.items() if value is not None}}
    if card is not None:
        text = card_text(content, name=card, weights_digest=digest)
        write_durably(folder / CARD, text.encode(errors="replace"))  # half a surrogate pair has no UTF-8
    write_durably(folder / CONFIG, f"{json.dumps(content, indent=1, ensure_ascii=False)}\n".encode(errors="replace"))
    (folder / _UNFINISHED).unlink(missing_ok=True)


def _is_deeper(value: Any, levels: int) -> bool:
    """Tell whether containers are nested in more than so many levels."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)


def _with_whole_columns(config: dict[str, Any]) -> dict[str, Any]:
    """Turn the score columns of `trained_on.actions` into numbers again, which JSON has as text."""
    trained = config.get("trained_on")
    actions = trained.get("actions") if isinstance(trained, dict) else None
    if not isinstance(trained, dict) or not isinstance(actions, dict):
        return config
    columns = {int(key) if key.isdecimal() and len(key) < 10 else key: name for key, name in actions.items()}
    return {**config, "trained_on": {**trained, "actions": columns}}
