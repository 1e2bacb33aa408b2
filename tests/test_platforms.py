"""A system without POSIX, imitated in a process of its own: everything is imported, and a small piece of each kind works."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IMPORT_EVERYTHING = """
import importlib, pkgutil
for found in pkgutil.walk_packages(lfb_lightning.__path__, "lfb_lightning."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
        number += 1
"""
WORK = """
import os, signal, sys, warnings
from pathlib import Path
from tests.no_posix import MODULES, take_away
warnings.simplefilter("ignore")
take_away(sys.argv[1])
import lfb_lightning
number = 0
{imports}
print("imported", number, sorted(MODULES & set(sys.modules)))
from lfb_lightning.bank.claims import VideoClaims
from lfb_lightning.doctor.machine import check_limits, check_machine
from lfb_lightning.doctor.self_test import check_self_test
from lfb_lightning.doctor.settings import Settings
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import remove_abandoned, write_durably
from lfb_lightning.files.run_lock import RunLock, waiting_lock
from lfb_lightning.lightning.callbacks.stop_signals import StopSignals
from lfb_lightning.lightning.datamodules.loader_workers import free_bytes
from lfb_lightning.models import load_detector
from lfb_lightning.processes import end_when_asked, usable_cores
from lfb_lightning.video.jpeg import read_jpeg
import numpy as np
from PIL import Image

settings = Settings(conf_dir="conf")
for line in [*check_machine(settings), *check_limits(settings), *check_self_test(settings)]:
    print(line.status, line.what)

here = Path(sys.argv[2])
class Folder:
    folder = here
    def path(self, video_id): return here / video_id
    def is_finished(self, video_id): return self.path(video_id).exists()
first, second = VideoClaims(Folder()), VideoClaims(Folder())
print("claims", first.begin("a"), second.begin("a"))
write_durably(here / "a", b"1")
print("abandoned", remove_abandoned(here))
first.end()
second.end()
lock = RunLock(here, key="hydra.run.dir")
try:
    RunLock(here, key="hydra.run.dir")
    print("second run goes on")
except InputError as error:
    print("second run refused", str(error).count(f"process {{os.getpid()}} on"))
lock.release()
RunLock(here, key="hydra.run.dir").release()
with waiting_lock(here / "wait"):
    pass
print("left", sorted(path.name for path in here.iterdir()))

del os.statvfs  # Windows has none; until here, the standard library's disk_usage has taken this system to have one
detector = load_detector(Path("tests/checkpoints/nl_0.1.ckpt"))
print("detector", type(detector).__name__, free_bytes() > 1 << 60, usable_cores() >= 1)
Image.fromarray(np.full((8, 8, 3), 200, np.uint8)).save(here / "b.jpg")
print("jpeg", read_jpeg(here / "b.jpg").shape)
signals = StopSignals()
signals.install()
signal.raise_signal(signal.SIGTERM)
print("asked", signals.asked_anywhere("cpu"))
signals.restore()
end_when_asked()
signal.raise_signal(signal.SIGTERM)
"""


def work(locks, folder, imports=""):
    """Run all of it on a system with these locks; returns its lines."""
    done = subprocess.run(
        [sys.executable, "-c", WORK.format(imports=imports), locks, str(folder)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 128 + 15, done.stdout + done.stderr[-4000:]  # ended by its last line
    return done.stdout.splitlines()


@pytest.mark.slow
def test_windows_locks_keep_runs_apart(tmp_path):
    said = work("msvcrt", tmp_path)
    assert not [line for line in said if line.startswith("problem")]
    assert "note file locks: msvcrt, Windows' own" in said
    assert said[-7:] == [
        "claims True False",
        "abandoned 0",
        "second run refused 1",
        "left ['.lock', 'a', 'wait']",
        "detector ActionDetector True True",
        "jpeg (8, 8, 3)",
        "asked True",
    ]


@pytest.mark.slow
def test_without_any_locks_everything_is_imported_and_nobody_is_kept_apart(tmp_path):
    said = work("none", tmp_path, IMPORT_EVERYTHING)
    number = int(said[0].split()[1])
    assert said[0] == f"imported {number} []"
    assert number > 300
    assert not [line for line in said if line.startswith("problem")]
    assert "note stop signals: SIGTERM; this system has no SIGUSR1" in said
    assert "claims True True" in said
    assert "second run goes on" in said
    assert said[-1] == "asked True"
