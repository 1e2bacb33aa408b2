"""A command's process computes with the threads, seeds and arithmetic that its configuration says."""

import subprocess
import sys

# In a process of its own: the settings are the process's.
SETTLE = """
import torch
from omegaconf import OmegaConf

from lfb_lightning.cli.building import settle_process

tiny = torch.tensor([1e-30])
assert float(tiny * 1e-10) > 0
settle_process(OmegaConf.create({"seed": 5, "num_threads": 1}))
assert float(tiny * 1e-10) == 0, "numbers below 1e-38 slow CPUs down"
assert torch.get_num_threads() == 1
first = torch.rand(3)
settle_process(OmegaConf.create({"seed": 5, "num_threads": None}))
assert torch.equal(torch.rand(3), first)
"""


def test_tiny_numbers_are_flushed_and_threads_and_seeds_are_set():
    done = subprocess.run([sys.executable, "-c", SETTLE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
