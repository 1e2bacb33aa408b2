"""The feature bank: on disk one safetensors file per video and one manifest; a window is one contiguous read.

    <bank_dir>/<split>/<video>.safetensors   features [N,C], timestamps [N], boxes [N,4], scores [N], statistics
    <bank_dir>/<split>/videos.json           rows and checksum of every video
    <bank_dir>/<split>/manifest.json         what made the bank, statistics, what failed; written last

Knows neither Lightning nor Hydra: `FeatureBank.open(dir).window(keyframe, spec)` works alone,
and so does `FeatureBank.from_rows(...)`, a bank in memory.
"""

from lfb_lightning.bank.config import BankConfig
from lfb_lightning.bank.manifest import Manifest, Provenance, finish_bank
from lfb_lightning.bank.memory import BankRows
from lfb_lightning.bank.reader import FeatureBank
from lfb_lightning.bank.window import WindowSpec
from lfb_lightning.bank.writer import BankWriter

__all__ = ["BankConfig", "BankRows", "BankWriter", "FeatureBank", "Manifest", "Provenance", "WindowSpec", "finish_bank"]
