"""A durable file is there whole or not at all, and what killed writers leave behind is cleared away."""

import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import durable_file, remove_abandoned, write_durably, write_json
from lfb_lightning.files.torch_writing import save_durably

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


WRITERS = """
import numpy as np, pandas as pd, torch
from matplotlib.figure import Figure
from lfb_lightning.ava.annotations import write_annotations
from lfb_lightning.ava.label_map import write_label_map
from lfb_lightning.ava.results import COLUMNS, write_results
from lfb_lightning.files.durable import write_durably, write_json
from lfb_lightning.files.torch_writing import save_durably
from lfb_lightning.structures import Keyframe
from lfb_lightning.viz.saving import save_figure
rows = pd.DataFrame([["v", 902, 0.1, 0.2, 0.3, 0.4, 1, 0.5]] * 900, columns=COLUMNS)
annotated = [(Keyframe("v", 902), (0.1, 0.2, 0.3, 0.4), 1, 0)] * 900
figure = Figure()
figure.subplots().plot(np.random.default_rng(0).random(5000))
WRITERS = {
    "bytes": lambda path: write_durably(path, b"x" * 9000),
    "json": lambda path: write_json(path, {"a": list(range(9000))}),
    "torch": lambda path: save_durably(path, {"a": torch.zeros(9000)}),
    "small tensors": lambda path: save_durably(path, [torch.zeros(9) for _ in range(100)]),
    "results": lambda path: write_results(path, rows),
    "label map": lambda path: write_label_map(path, {key: "name" * 9 for key in range(1, 200)}),
    "annotations": lambda path: write_annotations(path, annotated),
    "figure": lambda path: save_figure(figure, path, dpi=100),
}
"""


def test_every_writer_says_in_one_line_what_the_disk_refused_and_leaves_the_old_file_and_no_other():
    # A limit on file sizes is the disk error that needs no rights: the write itself fails, as on a full disk.
    code = f"""{WRITERS}
import resource, tempfile
from pathlib import Path
from lfb_lightning.errors import InputError
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
for name, write in WRITERS.items():
    folder = Path(tempfile.mkdtemp())
    write_durably(folder / "a", b"old")
    try:
        write(folder / "a")
    except InputError as error:
        left = [(path.name, path.read_bytes()) for path in folder.iterdir()]
        print(name, "|", str(error).replace(str(folder), "<folder>"), "|", left)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    refused = dict(line.split(" | ", 1) for line in done.stdout.splitlines())
    names = [line.split('"')[1] for line in WRITERS.splitlines() if "lambda" in line]
    assert refused == dict.fromkeys(names, "<folder>/a: cannot be written (File too large). | [('a', b'old')]")


def test_content_and_then_the_name_are_flushed_to_the_disk(tmp_path, monkeypatch):
    # What a power failure leaves cannot be tried here: the order of the calls is what decides.
    path = tmp_path / "a"
    write_durably(path, b"old")
    calls = []
    rename = Path.replace

    def fsync(descriptor):
        status = os.fstat(descriptor)
        calls.append(("flushed", status.st_ino, status.st_size if status.st_ino != tmp_path.stat().st_ino else None))

    def replace(self, target):
        calls.append(("renamed", self.stat().st_ino))
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    write_durably(path, b"new")
    file, folder = path.stat().st_ino, tmp_path.stat().st_ino
    assert calls == [("flushed", file, len(b"new")), ("renamed", file), ("flushed", folder, None)]


def test_a_temporary_file_that_is_removed_before_it_is_locked_is_not_written_into(tmp_path, monkeypatch):
    lock = fcntl.flock
    taken = []

    def flock(file, how):
        if not taken:  # what `remove_abandoned` of another process does in that moment
            taken.append(Path(file.name))
            taken[0].unlink()
        return lock(file, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    write_durably(tmp_path / "a", b"1")
    assert (tmp_path / "a").read_bytes() == b"1"


def test_an_exception_while_writing_leaves_the_old_file_and_no_other(tmp_path):
    def write_half():
        with durable_file(tmp_path / "a") as file:
            file.write(b"ne")
            raise ZeroDivisionError

    write_durably(tmp_path / "a", b"old")
    with pytest.raises(ZeroDivisionError):
        write_half()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_json_has_null_for_nan_and_nested_keys_in_order(tmp_path):
    write_json(tmp_path / "a.json", {"b": float("nan"), "a": {"d": 1.5, "c": [1, 2]}})
    text = (tmp_path / "a.json").read_text()
    assert text.split() == ["{", '"a":', "{", '"c":', "[", "1,", "2", "],", '"d":', "1.5", "},", '"b":', "null", "}"]


def test_a_checkpoint_reads_back(tmp_path):
    save_durably(tmp_path / "a.ckpt", {"weight": torch.arange(5)})
    assert torch.load(tmp_path / "a.ckpt", weights_only=True)["weight"].tolist() == [0, 1, 2, 3, 4]


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
        until = time.monotonic() + 60
        while not ((tmp_path / "0").exists() and list(tmp_path.glob(".*.tmp"))) and time.monotonic() < until:
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
