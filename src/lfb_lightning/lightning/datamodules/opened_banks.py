"""The banks that a detector reads: opened when first asked for, refused where they do not fit, and read as windows."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from lfb_lightning.bank import BankConfig, FeatureBank
from lfb_lightning.bank.fit import refuse_unfit
from lfb_lightning.datasets import ActionSplit
from lfb_lightning.lightning.datamodules.bank_windows import WindowReader
from lfb_lightning.models.fbo.several import MAIN
from lfb_lightning.structures import BankWindow, BankWindows, ClipBatch


class OpenedBanks:
    """The banks of a run, in every split that is read.

    Args:
        config: Where they are, and which windows are read.
        seed: Of windows.
        own_channels: Width of the detector's own features, which the bank of `bank.dir` holds.
        channels: Width of the features that are read, where one bank is.
        name: Which bank that is; None: that of `bank.dir`.
        banks: The width of each bank that is read, by its name in `fbo.banks`; None: one bank.
        backbone_digest: Digest of the backbone that the bank of `bank.dir` must be of (with `bank.strict`, the only bank that
            is read); None: of any.
        trained_on: The backbones of the banks that the detector was trained on, by the names in `banks`. A bank of
            another one is refused, and so is one whose backbone is not that of the same bank of another split.
        identity: Whether windows say which slots show the same person as each region.

    Attributes:
        names: The names in `banks`; None: one bank.
    """

    def __init__(
        self,
        config: BankConfig,
        *,
        seed: int,
        own_channels: int,
        channels: int,
        name: str | None,
        banks: Mapping[str, int] | None,
        backbone_digest: str | None,
        trained_on: Mapping[str, str],
        identity: bool,
    ) -> None:
        self.names = None if banks is None else tuple(banks)
        self._config = config
        self._seed = seed
        self._identity = identity
        self._only = name
        read = {name: channels} if banks is None else {_folder(one): width for one, width in banks.items()}
        self._widths: dict[str | None, int] = {None: own_channels, **read}
        self._backbone_digest = backbone_digest
        self._made_by = dict(trained_on)
        self._banks: dict[tuple[str, str | None], FeatureBank] = {}
        self._readers: dict[str, Mapping[str | None, WindowReader]] = {}

    def read(self, split: ActionSplit) -> Mapping[str | None, FeatureBank]:
        """Open the banks of a split that windows are read from, by their names; the only one's is None.

        Raises:
            InputError: One is missing, or does not fit the detector.
        """
        if self.names is None:
            return {None: self._bank(split, self._only)}
        return {name: self._bank(split, _folder(name)) for name in self.names}

    def own(self, split: ActionSplit) -> FeatureBank:
        """Open the bank of a split that holds the detector's own features, which is that of `bank.dir`.

        Raises:
            InputError: It is missing, or does not fit the detector.
        """
        return self._bank(split, None)

    def readers(self, split: ActionSplit) -> Mapping[str | None, WindowReader]:
        """Make, once, what reads windows from each bank of a split, by the names that `read` gives.

        Raises:
            InputError: A bank is missing, or does not fit the detector.
        """
        if split.name not in self._readers:
            self._readers[split.name] = {
                name: WindowReader(bank, split.video, seed=self._seed, identity=self._identity)
                for name, bank in self.read(split).items()
            }
        return self._readers[split.name]

    def windows(self, split: ActionSplit, batch: ClipBatch, *, epoch: int, training: bool) -> BankWindow | BankWindows:
        """Read the windows of a batch.

        Args:
            split: Of which split.
            batch: Its key frames and regions.
            epoch: Of a random choice, which is the same in all banks: those of the same persons show the same ones.
            training: Whether they are the windows of training.
        """
        spec, pin = self._config.window_spec(training=training), torch.cuda.is_available()
        found = {
            name or MAIN: reader(batch, spec, epoch=epoch, pin_memory=pin)
            for name, reader in self.readers(split).items()
        }
        return found[MAIN] if self.names is None else BankWindows.of(found)

    def _bank(self, split: ActionSplit, which: str | None) -> FeatureBank:
        """Open a bank, once; `which` is its name in `bank.others`, None that of `bank.dir`."""
        key = (split.name, which)
        if key not in self._banks:
            bank = FeatureBank.open(self._config.folder_to_read(split.name, which), clock=split.clock)
            own = which is None or (self.names is None and self._config.strict)
            wanted, whose = self._backbone_digest if own else None, "the detector's"
            if self.names is not None and wanted is None:
                found = bank.manifest.provenance.backbone_digest
                wanted, whose = self._made_by.setdefault(which or MAIN, found), "that of the bank of training"
            items = split.training_items() if split.name == "train" else split.evaluation_items()
            refuse_unfit(
                bank,
                split=split.name,
                channels=self._widths[which],
                backbone_digest=wanted,
                whose=whose,
                key="bank.dir" if which is None else f"bank.others.{which}",
                video_ids={item.keyframe.video_id for item in items},
            )
            self._banks[key] = bank
        return self._banks[key]


def _folder(name: str) -> str | None:
    """How `bank.others` calls a bank of `fbo.banks`; None is the bank of `bank.dir`."""
    return None if name == MAIN else name
