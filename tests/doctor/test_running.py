"""The report goes on after a check that raises, crashes or hangs, and says nothing of whose machine it is."""

import getpass
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.doctor import Section, Settings, examine, ok
from lfb_lightning.doctor.report import anonymous, document, section_text

CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
CALLED = "import sys; sys.argv[0] = 'lfb-doctor'; from lfb_lightning.cli.entry import main; main()"
HANG = "import time; time.sleep(60)"


@pytest.fixture
def settings(tmp_path):
    return Settings(
        conf_dir=str(conf_dir()), runs_dir=str(tmp_path / "runs"), bank_dir=str(tmp_path / "banks"), self_test=False
    )


def with_torch(text, tmp_path, monkeypatch):
    """Put a torch in front of the real one."""
    (tmp_path / "torch.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize(
    ("torch", "said"),
    [
        ("raise ImportError('libcudart.so.12: cannot open shared object file')", "libcudart.so.12"),
        ("raise OSError('undefined symbol')", "undefined symbol"),
        (CRASH, "SIGSEGV"),
        (HANG, "nothing happened for"),
    ],
)
def test_the_report_goes_on_after_a_torch_that_cannot_be_imported(torch, said, settings, tmp_path, monkeypatch):
    with_torch(torch, tmp_path, monkeypatch)
    sections = list(examine(settings, ["devices", "limits", "launch"], patience=5.0))
    assert [section.check for section in sections] == ["devices", "limits", "launch"]
    assert [line.status for line in sections[0].lines] == ["problem"]
    assert said in sections[0].lines[0].what
    assert "'devices'" in sections[0].lines[0].what
    assert all(section.lines for section in sections)


def test_a_process_that_cannot_be_started_is_a_line_for_each_check(settings, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    sections = list(examine(settings, ["machine", "limits"]))
    assert [section.lines[0].status for section in sections] == ["problem", "problem"]


def test_home_user_and_machine_are_not_told(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada.l")
    monkeypatch.setenv("LOGNAME", "ada.l")
    monkeypatch.setattr(socket, "gethostname", lambda: "node-17")
    assert getpass.getuser() == "ada.l"
    told = "/home/ada.l/env on node-17: /scratch/ada.l/runs, /home/ada.lovelace, node-170"
    assert anonymous(told) == "~/env on <host>: /scratch/<user>/runs, /home/ada.lovelace, node-170"
    section = Section(check="folders", lines=(ok("runs: /home/ada.l/runs"),), seconds=0.1)
    assert "ada.l" not in section_text(section) + json.dumps(document([section]))


def test_a_user_without_entry_and_home_is_told_the_report(monkeypatch):
    """As in a container that is started with `--user 12345`."""

    def no_entry(number):
        raise KeyError(number)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_entry)
    assert anonymous("a ~ in /home/b/c") == "a ~ in /home/b/c"


def test_the_command_without_torch_has_status_1_and_no_home_path(tmp_path):
    """The whole command, in an environment whose torch, Lightning, Hydra and YAML cannot be imported."""
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("torch", "torchvision", "pytorch_lightning", "hydra", "yaml"):
        (broken / f"{name}.py").write_text("raise ImportError('broken on purpose')")
    source = str(Path(__file__).parents[2] / "src")
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join([str(broken), source])}
    done = subprocess.run(
        [sys.executable, "-c", CALLED, "json=true"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert str(tmp_path) not in done.stdout
    assert done.stderr == ""
    report = json.loads(done.stdout)
    told = {check["check"]: check["lines"] for check in report["checks"]}
    assert len(told) == 12
    bad = [line["what"] for line in told["packages"] if line["status"] == "problem"]
    blocked = {"hydra-core", "pytorch-lightning", "torch", "torchvision"}
    assert {text.split()[0] for text in bad} == blocked | {"torchmetrics", "omegaconf"}  # which import them
    assert all("broken on purpose" in text for text in bad)
    # Reading a video needs no torch.
    assert [line["status"] for line in told["self test"]] == ["ok", "ok", "problem", "problem"]
    assert "packages" in told["self test"][-1]["remedy"]
    assert report["problems"] == sum(line["status"] == "problem" for lines in told.values() for line in lines)
