"""Reading costs no memory that grows with the bank, works in any kind of process, and names what is wrong."""

import subprocess
import sys

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from lfb_lightning.bank import WindowSpec, video_rows
from lfb_lightning.bank.layout import file_name
from lfb_lightning.bank.window import window_generator
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe
from tests.bank.test_window import write_bank

SPEC = WindowSpec.of_seconds(seconds=6, features_per_second=2, selection="random")
VIDEOS = {f"v{number}": [(900 + row // 3, 0.5) for row in range(60)] for number in range(5)}

BIGGER_THAN_MEMORY = """
import resource, sys
import numpy as np
import torch
from lfb_lightning.bank import BankWriter, FeatureBank, WindowSpec, finish_bank
from lfb_lightning.structures import Keyframe
from tests.bank.test_window import provenance

torch.set_num_threads(1)
folder = sys.argv[1]
made = provenance(channels=2048, precision="fp16")
writer = BankWriter(folder, made)
features = torch.randn(2000, 2048).half()
for number in range(40):
    writer.write(
        f"v{number}",
        timestamps=torch.arange(2000) // 2,
        boxes=torch.zeros(2000, 4, dtype=torch.float64),
        scores=torch.ones(2000, dtype=torch.float64),
        features=features,
    )
finish_bank(writer.folder, made, [f"v{number}" for number in range(40)])
in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
budget = 120_000_000
resource.setrlimit(resource.RLIMIT_AS, (in_use + budget, in_use + budget))
try:
    np.ones(2 * budget, dtype=np.uint8)
except MemoryError:
    print("the limit bites")
bank = FeatureBank.open(folder)
assert bank.manifest.num_rows * bank.row_bytes > 2 * budget
for second in range(0, 1000, 50):
    keyframes = [Keyframe(f"v{number}", second) for number in range(40)]
    window = bank.windows(keyframes, WindowSpec.of_seconds(features_per_second=1))
    rows = features[[2 * min(max(second, 0), 999)]]
    assert torch.equal(window.features[7, 30], rows[0])
print("served")
"""


def test_a_bank_larger_than_the_memory_allowed_opens_and_serves(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", BIGGER_THAN_MEMORY, str(tmp_path / "bank")], capture_output=True, text=True, check=False
    )
    assert done.stdout.split("\n")[:2] == ["the limit bites", "served"], done.stderr[-3000:]


class Windows(Dataset):
    def __init__(self, bank):
        self.bank = bank
        self.keyframes = [Keyframe(f"v{number}", 905 + number) for number in range(5)]

    def __len__(self):
        return len(self.keyframes)

    def __getitem__(self, index):
        keyframe = self.keyframes[index]
        return self.bank.window(keyframe, SPEC, window_generator(3, 1, keyframe)).features[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_windows_are_the_same_in_workers_of_either_kind(tmp_path, start):
    bank, _ = write_bank(tmp_path, VIDEOS)
    dataset = Windows(bank)
    here = torch.stack([dataset[index] for index in range(5)])  # its index is warm when it travels
    loader = DataLoader(dataset, batch_size=5, num_workers=2, multiprocessing_context=start)
    assert torch.equal(next(iter(loader)), here)


def test_only_so_many_videos_indexes_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(video_rows, "_KEPT_VIDEOS", 2)
    bank, features = write_bank(tmp_path, VIDEOS)
    for name in [*VIDEOS, *VIDEOS]:
        assert torch.equal(bank.rows_at(Keyframe(name, 901))[2], features[name][3:6])
        assert len(bank._videos._indexes) <= 2


def test_a_file_that_goes_away_or_shrinks_while_open_is_named(tmp_path):
    bank, _ = write_bank(tmp_path, VIDEOS)
    bank.window(Keyframe("v1", 905), SPEC, window_generator(0, 0, Keyframe("v1", 905)))
    path = tmp_path / file_name("v1")
    path.write_bytes(path.read_bytes()[:800])
    with pytest.raises(InputError, match=r"v1\.safetensors: shorter than its header says"):
        bank.window(Keyframe("v1", 905), WindowSpec())
    path.unlink()
    with pytest.raises(InputError, match=r"v1\.safetensors: cannot be opened.*lfb-bank verify"):
        bank.window(Keyframe("v1", 905), WindowSpec())
