"""A durable file is there whole or not at all, and what killed writers leave behind is cleared away."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import remove_abandoned, write_durably

CONTENT = b"x" * 100_000


def test_file_has_its_content_and_nothing_else_is_left(tmp_path):
    write_durably(tmp_path / "a", CONTENT)
    write_durably(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"new"


def test_the_longest_name_that_a_file_system_takes_is_written(tmp_path):
    write_durably(tmp_path / ("n" * 255), b"1")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"1"


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.*cannot be written"):
        write_durably(tmp_path / "nowhere" / "a", b"1")


def test_refused_write_leaves_the_old_file_and_no_other():
    # A limit on file sizes is the disk error that needs no rights: the write itself fails, as on a full disk.
    code = """
import resource, sys, tempfile
from pathlib import Path
from lfb_lightning.files.durable import write_durably
from lfb_lightning.errors import InputError
folder = Path(tempfile.mkdtemp())
write_durably(folder / "a", b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_durably(folder / "a", b"x" * 5000)
except InputError as error:
    print(error)
print([(path.name, path.read_bytes()) for path in folder.iterdir()])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cannot be written (File too large)" in done.stdout
    assert "[('a', b'old')]" in done.stdout


def _write_until_killed(folder):
    number = 0
    while True:
        write_durably(folder / f"{number % 7}", CONTENT * 20)
        number += 1


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_what_a_killed_writer_leaves_is_removed_and_a_living_ones_is_not(tmp_path):
    context = multiprocessing.get_context("fork")
    left_behind = removed = 0
    for _ in range(6):
        process = context.Process(target=_write_until_killed, args=(tmp_path,))
        process.start()
        until = time.monotonic() + 5
        while not list(tmp_path.glob(".*.tmp")) and time.monotonic() < until:
            time.sleep(0.001)
        removed += remove_abandoned(tmp_path)  # must not disturb the living one
        time.sleep(0.02)
        assert process.is_alive()
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        left_behind += len(list(tmp_path.glob(".*.tmp")))  # of this process: those before it have been removed
        assert {path.read_bytes() == CONTENT * 20 for path in tmp_path.glob("[0-9]")} == {True}
    removed += remove_abandoned(tmp_path)
    assert not list(tmp_path.glob(".*.tmp"))
    assert removed >= left_behind  # one that is just being opened may be taken too; its writer opens another
