"""What the process has loaded from which tests/forked.py forks commands."""

import os
import warnings

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded, as the commands have it

from lfb_lightning.cli.loading import keep_what_is_loaded
from tests.cli.in_process import load

COMMANDS = ("train", "extract", "test", "predict", "detect", "cache", "bank")

for _command in COMMANDS:
    load(_command)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch._dynamo  # noqa: F401  by the first step of an optimizer
keep_what_is_loaded()
