"""The harness itself: each fault of a reader is noticed, and the same number makes the same file."""

import re
import socket
import subprocess

import pytest

from lfb_lightning.errors import InputError
from tests.fuzzing.cases import Reader, one
from tests.fuzzing.run import READERS, Watch, case, run_case

WATCH = Watch()
SEEDS = [one("a.txt", "right", "right")]


def refuse(folder):
    raise InputError(f"{folder / 'a.txt'}: no.")


def connect(folder):
    with socket.socket(socket.AF_UNIX) as there:
        there.connect_ex("nowhere")


def outcome(read, folder):
    def way(case_folder):
        read(case_folder)
        return (case_folder / "a.txt").read_text()

    return run_case(Reader("x", [way], lambda: SEEDS), SEEDS, 0, folder, WATCH)


FAULTS = {
    "Traceback": lambda folder: {}["key"],
    "SystemExit": lambda folder: exit(),
    "a right file is refused": refuse,
    "read wrongly": lambda folder: (folder / "a.txt").write_text("wrong"),
    "something outside: .*open": lambda folder: (folder.parent / "b.txt").write_text("x"),
    "something outside: .*os.mkdir": lambda folder: (folder / "b").mkdir(),
    "something outside: .*subprocess": lambda folder: subprocess.run(["true"], check=True),
    "something outside: .*connect": connect,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_noticed(tmp_path, fault):
    found = outcome(FAULTS[fault], tmp_path)
    assert found.state == "failed"
    assert re.search(fault, found.said)


@pytest.mark.parametrize("read", [lambda folder: None, lambda folder: (folder / "out").mkdir()])
def test_reading_and_writing_into_its_own_folder_is_right(tmp_path, read):
    assert outcome(read, tmp_path)[1:3] == ("read", "")


@pytest.mark.parametrize("name", READERS)
def test_a_number_makes_the_same_file_again(name):
    seeds, others = READERS[name].seeds(), READERS[name].seeds()
    for number in range(12):
        assert case(seeds, name, number)[1] == case(others, name, number)[1]
