"""`lfb-doctor` as a user types it."""

import json
import signal
import subprocess
import sys

import pytest
import yaml

from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.cli.doctor import parse
from lfb_lightning.doctor import Settings, examine
from tests.cli.in_process import load


def test_the_report_of_this_machine_has_no_problem_and_no_color(here, tmp_path):
    done = here("doctor", f"paths.runs_dir={tmp_path / 'runs'}", f"paths.bank_dir={tmp_path / 'banks'}")
    *sections, verdict = done.stdout.strip().split("\n\n")
    assert [section.splitlines()[0] for section in sections][:3] == ["machine", "limits", "folders"]
    assert verdict.startswith("verdict: no problems, ")
    assert "frame" in sections[-1]
    assert "\x1b" not in done.stdout


def test_a_folder_that_cannot_be_written_is_the_status_and_in_the_json(here, monkeypatch):
    monkeypatch.setattr(load("doctor"), "examine", lambda settings: examine(settings, ["folders", "launch"]))
    done = here("doctor", "json=true", "self_test=false", "paths.bank_dir=/proc/banks", fails=True)
    assert done.status == 1
    report = json.loads(done.stdout)
    (bad,) = [line for check in report["checks"] for line in check["lines"] if line["status"] == "problem"]
    assert "banks" in bad["what"]
    assert (report["format"], report["version"], report["problems"]) == ("lfb-lightning doctor", 1, 1)


@pytest.mark.parametrize("argument", ["selftest=false", "json=yes", "--config-dir", "fbo=nl", "paths.bank_dir="])
def test_what_is_not_understood_is_one_line(here, argument):
    done = here("doctor", argument, fails=True)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("lfb-doctor: ")
    assert argument in line


def test_own_folders_are_passed_on():
    settings, as_json = parse(["--config-dir", "own", "paths.data_dir=/data/ava", "json=true"])
    assert (settings.config_dir, settings.data_dir, settings.self_test, as_json) == ("own", "/data/ava", True, True)


def test_the_documented_keys_have_the_defaults_that_the_command_has():
    conf = conf_dir()
    documented = yaml.safe_load((conf / "doctor.yaml").read_text())
    folders = yaml.safe_load((conf / "paths" / "default.yaml").read_text())
    settings = Settings(conf_dir="conf")
    assert (documented["json"], documented["self_test"]) == (False, settings.self_test)
    assert folders == {name: getattr(settings, name) for name in ("data_dir", "bank_dir", "runs_dir")}
    for key in ("json=true", "self_test=false", *(f"paths.{name}=x" for name in folders)):
        parse([key])


@pytest.mark.slow
def test_ctrl_c_ends_it_without_a_traceback(tmp_path):
    command = [sys.executable, "-m", "lfb_lightning.cli.doctor"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() != ""  # the first section: the checks have begun
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (128 + signal.SIGINT, "")
