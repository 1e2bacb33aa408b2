"""The one entry of all programs: which module it runs, with which arguments, and as what Lightning sees it."""

import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest

from lfb_lightning.cli import entry


@pytest.fixture
def ran(monkeypatch):
    """What the entry has run: the module's name and the arguments."""
    found = []

    def load(name):
        module = SimpleNamespace(__spec__=SimpleNamespace(name=name))
        module.main = lambda: found.append((sys.modules["__main__"].__spec__.name, sys.argv[1:]))
        return module

    monkeypatch.setattr(entry, "load_to_stay", load)
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    return found


@pytest.mark.parametrize(
    ("program", "arguments", "module", "left"),
    [
        ("/env/bin/lfb", ["train", "fbo=nl", "-m"], "train", ["fbo=nl", "-m"]),
        ("/env/bin/lfb-train", ["fbo=nl", "-m"], "train", ["fbo=nl", "-m"]),
        ("lfb-train.exe", [], "train", []),
        ("lfb", ["import", "src=a"], "import_weights", ["src=a"]),
        ("lfb", ["bank", "verify", "folder=x"], "bank", ["verify", "folder=x"]),
        ("cli/__main__.py", ["eval"], "eval", []),
    ],
)
def test_a_command_is_run_as_python_m_would_start_it_again(program, arguments, module, left, ran, monkeypatch):
    monkeypatch.setattr(sys, "argv", [program, *arguments])
    entry.main()
    assert ran == [(f"lfb_lightning.cli.{module}", left)]


@pytest.mark.parametrize("arguments", [["train", "--help"], ["--version"], [], ["completion", "bash"]])
def test_what_asks_for_words_runs_nothing(arguments, ran, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lfb", *arguments])
    entry.main()
    assert ran == []
    assert capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["no-such"], ["fbo=nl"], ["completion", "tcsh"]])
def test_what_is_no_command_is_one_line_and_status_1(arguments, ran, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lfb", *arguments])
    with pytest.raises(SystemExit) as end:
        entry.main()
    assert end.value.code == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_reader_that_has_gone_is_no_traceback():
    """As in `lfb train --help | head`; here nobody reads from the beginning."""
    words = [sys.executable, "-m", "lfb_lightning.cli", "train", "--help"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), said) == (1, b"")
