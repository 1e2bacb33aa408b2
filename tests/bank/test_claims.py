"""One claim a video among processes; it ends with its owner, and finished videos need none."""

import fcntl
import multiprocessing
import threading

import pytest
import torch

from lfb_lightning.bank import BankWriter
from lfb_lightning.bank.claims import VideoClaims, left_by_others
from lfb_lightning.errors import InputError
from tests.bank.test_window import provenance

PROVENANCE = provenance()


def write(writer, name):
    one = {"timestamps": torch.tensor([902]), "boxes": torch.zeros(1, 4).double(), "scores": torch.ones(1).double()}
    writer.write(name, **one, features=torch.zeros(1, writer.provenance.channels))


@pytest.fixture
def writer(tmp_path):
    return BankWriter(tmp_path, PROVENANCE)


def hold(folder, ready, done):
    claims = VideoClaims(BankWriter(folder, PROVENANCE))
    assert claims.begin("a")
    ready.set()
    done.wait(30)


def holder_of_a(writer):
    """A process that has claimed video a."""
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(writer.folder, ready, done))
    other.start()
    assert ready.wait(30)
    return other


def test_a_claim_is_one_process_and_dies_with_it(writer):
    other = holder_of_a(writer)
    claims = VideoClaims(writer)
    assert not claims.begin("a")
    assert claims.begin("b")
    BankWriter(writer.folder, PROVENANCE)  # starting a run removes dead writers' files only
    assert not claims.begin("a")
    other.kill()
    other.join()
    assert claims.begin("a")
    claims.end()
    assert list(writer.folder.iterdir()) == []


def test_a_finished_video_is_not_begun_and_gives_its_claim_back(writer):
    claims, others = VideoClaims(writer), VideoClaims(writer)
    assert claims.begin("a")
    assert not others.begin("a")
    write(writer, "a")
    assert claims.begin("b")
    assert len([path for path in writer.folder.iterdir() if "claim" in path.name]) == 1
    assert not others.begin("a")
    others.end()
    claims.end()
    assert [path.name for path in writer.folder.iterdir()] == ["a.safetensors"]


def test_the_longest_id_can_be_claimed(writer):
    claims = VideoClaims(writer)
    name = "é" * 40  # 240 characters when encoded
    assert claims.begin(name)
    write(writer, name)
    claims.end()


def test_a_folder_that_takes_no_file_is_named(writer):
    claims = VideoClaims(writer)
    writer.folder.rmdir()
    with pytest.raises(InputError, match=r"a\.safetensors: cannot be written \(No such file"):
        claims.begin("a")


def test_a_claim_that_is_given_back_between_opening_and_locking_its_file_is_claimed_anew(writer, monkeypatch):
    # The first to come locks a file that its holder has just removed: the next one would make a new file and claim it too.
    lock = fcntl.flock
    removed = []

    def flock(file, how):
        if not removed:
            removed.append(file.name)
            (writer.folder / file.name).unlink()
        return lock(file, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    first, second = VideoClaims(writer), VideoClaims(writer)
    assert first.begin("a")
    assert removed
    assert not second.begin("a")
    first.end()


def test_patience_waits_for_a_claim_to_end(writer):
    other = holder_of_a(writer)
    claims = VideoClaims(writer)
    assert not claims.begin("a", patience=0.3)
    threading.Timer(0.5, other.kill).start()
    assert claims.begin("a", patience=30.0)
    claims.end()
    other.join()


def test_what_others_left_is_taken_or_given_up(writer):
    other = VideoClaims(writer)
    assert other.begin("a")
    write(writer, "c")
    assert left_by_others(writer, ["a", "b", "c"], patience=0.0) == (["a"], ["b"])
    threading.Timer(0.3, write, (writer, "b")).start()  # whose writer gave its claim back a moment before
    assert left_by_others(writer, ["a", "b"], patience=30.0) == (["a"], [])
    other.end()
