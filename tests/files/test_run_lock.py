"""One process has a run folder; another is told which; the lock ends with its holder and not with its holder's children."""

import fcntl
import multiprocessing
import os
import re
import signal
import socket
import time

import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.files.run_lock import RunLock

pytestmark = pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
context = multiprocessing.get_context("fork")


def hold(folder, ready):
    lock = RunLock(folder, key="hydra.run.dir")
    worker = context.Process(target=time.sleep, args=(60,), daemon=True)  # as a loader's, which inherits open files
    worker.start()
    ready.send(worker.pid)
    time.sleep(60)
    lock.release()


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of `tmp_path / "run"`, and its worker's id."""
    ours, its = context.Pipe()
    process = context.Process(target=hold, args=(tmp_path / "run", its))
    process.start()
    worker = ours.recv()
    yield process
    process.kill()
    process.join()
    os.kill(worker, signal.SIGKILL)


def test_a_second_one_is_told_who_and_since_when_and_gets_it_once_the_first_is_killed(tmp_path, holder):
    with pytest.raises(InputError) as refused:
        RunLock(tmp_path / "run", key="hydra.run.dir")
    who = rf"process {holder.pid} on {re.escape(socket.gethostname())}, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.search(who, str(refused.value))
    assert "choose another hydra.run.dir" in str(refused.value)
    holder.kill()
    holder.join()
    lock = RunLock(tmp_path / "run", key="hydra.run.dir")  # at once, though its worker lives on
    assert f"process {os.getpid()} on" in (tmp_path / "run" / ".lock").read_text()
    lock.release()


def test_a_file_system_without_locks_refuses_nobody(tmp_path, holder, monkeypatch):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    RunLock(tmp_path / "run", key="hydra.run.dir").release()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"run folder .*file/run: cannot be written to \(Not a directory\)"):
        RunLock(tmp_path / "file" / "run", key="hydra.run.dir")
