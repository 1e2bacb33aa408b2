"""Forty mutated files per reader: read, or refused in one line that names the file; `benchmarks.fuzz` runs thousands."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.fuzzing.run import GROUPS


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_mutated_files_are_read_or_refused_in_one_line(group):
    names = [argument for reader in GROUPS[group] for argument in ("--reader", reader.name)]
    command = [sys.executable, "-m", "benchmarks.fuzz", "--count", "32", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
