"""A module that can be written as a folder and uploaded, with the configuration that rebuilds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from lfb_lightning.models.hub import push_folder, require_hub
from lfb_lightning.models.pretrained import save_folder


class Saved(nn.Module):
    """The part of a detector that writes it, as huggingface_hub's mixin would, which is not needed for it.

    Attributes:
        stored_config: The configuration that it was loaded with, plain data; None: it was not loaded.
    """

    stored_config: Mapping[str, Any] | None = None

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        config: Mapping[str, Any] | None = None,
        checkpoint: str | Path | None = None,
        overwrite: bool = False,
        overwrite_card: bool = False,
    ) -> Path:
        """Write the detector as a folder of `model.safetensors`, `config.json` and a model card; `from_pretrained` reads it.

        Args:
            folder: Where to; it is returned.
            config: What it is rebuilt with, `{"model": {"_target_": ...}, ...}`, with `license` and `notes` if there are any;
                None: that with which it was loaded.
            checkpoint: The file that it was loaded from, whose run's figures the card then has.
            overwrite: Whether an earlier export in the folder is replaced.
            overwrite_card: Whether a card (`README.md`) that somebody has edited is replaced too.

        Raises:
            InputError: The folder is not empty or cannot be written, or the detector is not the checkpoint's.
        """
        stored = self._config(config, checkpoint, "save_pretrained")
        return save_folder(folder, self, stored, overwrite=overwrite, overwrite_card=overwrite_card)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        config: Mapping[str, Any] | None = None,
        checkpoint: str | Path | None = None,
        commit_message: str = "Upload a detector of lfb-lightning",
        private: bool | None = None,
        token: str | None = None,
        branch: str | None = None,
        create_pr: bool | None = None,
        overwrite_card: bool = False,
    ) -> str:
        """Upload the detector to the Hugging Face Hub, from where `from_pretrained` fetches it; needs the extra `hub`.

        The arguments are those of `huggingface_hub.ModelHubMixin.push_to_hub`, which does it.

        Args:
            repo_id: `organization/name`; a repository that is not there is made.
            config: As `save_pretrained` has it.
            checkpoint: As `save_pretrained` has it.
            commit_message: The commit's.
            private: Whether a new repository is private; None: as its owner has set it, and mostly it is public.
            token: Of an account that may write there; None: that of `hf auth login` or of the variable HF_TOKEN.
            branch: Where to; None: the main branch.
            create_pr: Whether a pull request is made in place of a commit.
            overwrite_card: Whether a card there that somebody has edited is replaced.

        Returns:
            The commit's address.

        Raises:
            InputError: The name is none, a token or the extra is missing, or the Hub cannot be reached or refuses.
        """
        require_hub(repo_id, token)
        stored = self._config(config, checkpoint, "push_to_hub")
        with TemporaryDirectory() as temporary:
            folder = save_folder(Path(temporary) / "detector", self, stored, card=repo_id)
            return push_folder(
                folder,
                repo_id,
                commit_message=commit_message,
                private=private,
                token=token,
                branch=branch,
                create_pr=create_pr,
                overwrite_card=overwrite_card,
            ).address

    def _config(
        self, config: Mapping[str, Any] | None, checkpoint: str | Path | None, method: str
    ) -> Mapping[str, Any]:
        config = self.stored_config if config is None else config
        if config is None:
            raise ValueError(f'this detector was built and not loaded: give {method} config={{"model": ...}}')
        if checkpoint is None:
            return config
        from lfb_lightning.models.cards.run_facts import with_figures  # it imports detectors

        return with_figures(config, self, checkpoint)
