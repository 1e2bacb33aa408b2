"""Resuming a run from a checkpoint that is data: its form is checked, and no path in it is ever deleted or written to.

Lightning's `ModelCheckpoint` stores the paths of its best files and, when the run goes on, deletes the one that a better file
replaces, with all that is in it if it is a folder. Whoever wrote the file could name any path there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import CheckpointIO
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from lfb_lightning.errors import InputError
from lfb_lightning.models.checkpoint import load_content

_log = logging.getLogger(__name__)
_FORM = {
    "pytorch-lightning_version": str,
    "epoch": int,
    "global_step": int,
    "state_dict": dict,
    "loops": dict,
    "callbacks": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
}
_PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")
_FORGOTTEN: dict[str, Any] = {**dict.fromkeys(_PATHS, ""), "best_k_models": {}, "best_model_score": None}


class Resuming(Callback):
    """Reads the checkpoint that training goes on from, and names it if it turns out not to fit."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._restoring = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Read the checkpoint in Lightning's place."""
        if stage == "fit":
            trainer.strategy.checkpoint_io = _CheckedReading(trainer.strategy.checkpoint_io, trainer, self)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that everything has been restored: what fails from here on is not the file's fault."""
        self._restoring = False
        if trainer.is_global_zero:
            _log.info("goes on from %s: epoch %d, step %d", self.path, trainer.current_epoch + 1, trainer.global_step)

    def read(self, trainer: Trainer) -> dict[str, Any]:
        """Read the checkpoint's content, without paths that are not this run's own."""
        content = load_content(self.path)
        self._check(content)
        folders = [
            Path(callback.dirpath)
            for callback in trainer.checkpoint_callbacks
            if isinstance(callback, ModelCheckpoint) and callback.dirpath
        ]
        for state in content["callbacks"].values():
            self._keep_own_paths(state, folders)
        self._restoring = True
        return content

    @contextmanager
    def naming_the_file(self) -> Iterator[None]:
        """Turn what is raised while the content is being restored into one line."""
        try:
            yield
        except InputError:
            raise
        except (
            Exception
        ) as error:  # Lightning and torch read the content by plain access: nearly anything can be raised
            if not self._restoring:
                raise
            what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise InputError(f"checkpoint {self.path}: training cannot go on from its content ({what}).") from error

    def _check(self, content: dict[Any, Any]) -> None:
        for key, kind in _FORM.items():
            value = content.get(key)
            if not isinstance(value, kind):
                found = f"of type {type(value).__name__}" if key in content else "missing"
                raise InputError(
                    f"checkpoint {self.path}: {key} is {found}, expected {kind.__name__}; training goes on from a "
                    "last.ckpt of lfb-train, and starts from other weights with init_from=."
                )
        version = content["pytorch-lightning_version"]
        major = version.partition(".")[0]
        if not (major.isdecimal() and int(major) >= 2):  # older ones are rewritten by Lightning after this check
            raise InputError(f"checkpoint {self.path}: is of Lightning {version!r:.80}, expected 2 or newer.")
        for key, state in content["callbacks"].items():
            if not isinstance(key, str) or not isinstance(state, dict):
                raise InputError(f"checkpoint {self.path}: callbacks is not a mapping from names to their states.")

    def _keep_own_paths(self, state: dict[str, Any], folders: list[Path]) -> None:
        """Let a `ModelCheckpoint` forget its files unless all of them lie in this run's folders of checkpoints."""
        if not state.keys() & {*_PATHS, "best_k_models"}:
            return
        best, kth = state.get("best_k_models", {}), state.get("kth_best_model_path", "")
        if not isinstance(best, dict) or not all(map(_is_score, [*best.values(), state.get("best_model_score")])):
            raise InputError(f"checkpoint {self.path}: callbacks has no scores where Lightning keeps the best ones.")
        paths = [*best, *(state.get(key, "") for key in _PATHS)]
        if not all(isinstance(path, str) for path in paths) or (kth and kth not in best):
            raise InputError(f"checkpoint {self.path}: callbacks has no paths where Lightning keeps the best files.")
        if not all(_lies_in(path, folders) for path in paths if path):
            state.update(_FORGOTTEN)


class _CheckedReading(CheckpointIO):
    """Reads through `Resuming`; writes and removes as the strategy did before."""

    def __init__(self, inner: CheckpointIO, trainer: Trainer, resuming: Resuming) -> None:
        self._inner = inner
        self._trainer = trainer
        self._resuming = resuming

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        return self._resuming.read(self._trainer)

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        self._inner.save_checkpoint(checkpoint, path, storage_options)

    def remove_checkpoint(self, path: Any) -> None:
        self._inner.remove_checkpoint(path)

    def teardown(self) -> None:
        self._inner.teardown()


def _lies_in(path: str, folders: list[Path]) -> bool:
    """Say whether a path leads into one of the folders, and not out of it again."""
    return ".." not in Path(path).parts and any(folder in Path(path).parents for folder in folders)


def _is_score(value: object) -> bool:
    return value is None or isinstance(value, float | int) or (isinstance(value, torch.Tensor) and value.numel() == 1)
