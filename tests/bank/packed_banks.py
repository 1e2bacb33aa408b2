"""Small banks of every precision for the tests of packed ones."""

import numpy as np
import torch

from lfb_lightning.bank import BankWriter, FeatureBank, finish_bank
from tests.bank.test_window import provenance

PRECISIONS = ("fp32", "fp16", "bf16", "int8")
IDS = ["v0", "v/1", "ü", "empty", "long " * 20, "z"]


def random_bank(folder, *, precision="fp16", ids=IDS, channels=6, seed=0, failed=None):
    """Videos of 0 to 60 rows at seconds 900 to 920, with random features, boxes and scores."""
    rng = np.random.default_rng(seed)
    made = provenance(precision=precision, channels=channels)
    writer = BankWriter(folder, made)
    for video_id in ids:
        rows = 0 if video_id == "empty" else int(rng.integers(1, 60))
        writer.write(
            video_id,
            timestamps=torch.from_numpy(np.sort(rng.integers(900, 921, rows))),
            boxes=torch.from_numpy(rng.random((rows, 4))),
            scores=torch.from_numpy(rng.random(rows)),
            features=torch.from_numpy(rng.standard_normal((rows, channels))).float(),
        )
    finish_bank(folder, made, [*ids, *(failed or {})], failed)
    return FeatureBank.open(folder)


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
