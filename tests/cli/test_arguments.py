"""A command line reaches Hydra as the user meant it: any path, options anywhere, sweeps still sweeps."""

import pytest
import yaml

from lfb_lightning.cli.arguments import prepare
from lfb_lightning.errors import InputError
from tests.cli.in_process import run

NAMES = [
    "eq=al",
    "(1)",
    "a(b)",
    "[1]",
    "x[1]",
    "a,b",
    "été",
    "it's",
    '"q"',
    "{split}.csv",
    "a&b;c#d",
    "a b",
    "日本",
    "100%",
    "~",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_is_the_one_that_is_used(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    done = run("check", f"paths.data_dir={folder}", "--cfg", "job", "-p", "paths", folder=tmp_path)
    assert done.status == 0, done.stderr
    assert yaml.safe_load(done.stdout)["data_dir"] == str(folder)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "a,b"])
def test_so_is_one_that_is_not_there_yet(name):
    (prepared,) = prepare([f"out=runs/{name}"], may_sweep=False)
    assert prepared in (f"out=runs/{name}", 'out="runs/' + name.replace('"', '\\"') + '"')


def test_what_may_be_text_or_a_sweep_is_asked_for():
    with pytest.raises(
        InputError, match=r"""'out="runs/a,b"' if it is one text, 'out=\[runs/a,b\]' if it is a list, or add -m"""
    ):
        prepare(["out=runs/a,b"], may_sweep=True)


def test_a_comma_in_a_sweep_stays_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nl,avg").mkdir()
    arguments = ["-m", "fbo=nl,avg", "bank.dir=/a=b"]
    assert prepare(arguments, may_sweep=True) == ["-m", "fbo=nl,avg", 'bank.dir="/a=b"']
    with pytest.raises(InputError, match=r"""'bank.dir="/a=1","/b"'"""):
        prepare(["-m", "bank.dir=/a=1,/b"], may_sweep=True)


def test_options_come_first_and_their_folders_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["fbo=nl", "--config-dir", "mine", "bank=fp32", "-m", "--config-path=all"]
    options = ["--config-dir", str(tmp_path / "mine"), "-m", f"--config-path={tmp_path / 'all'}"]
    assert prepare(arguments, may_sweep=True) == [*options, "fbo=nl", "bank=fp32"]
    (added,) = prepare(["hydra.searchpath=[mine,file://yours,pkg://theirs]"], may_sweep=True)
    assert added == f'hydra.searchpath=["file://{tmp_path / "mine"}","file://{tmp_path / "yours"}","pkg://theirs"]'


@pytest.mark.parametrize(
    "text", ["+a=1", "~logger", "a={b: 1}", "a=[1,2]", "a=null", "a='x=y'", "a=${b}", "a=", "++a.b=1"]
)
def test_what_hydra_reads_is_left_alone(text):
    assert prepare([text], may_sweep=False) == [text]


def test_a_group_is_left_out_with_null():
    assert prepare(["logger=null", "init_from=null"], may_sweep=False) == ["~logger", "init_from=null"]


def test_a_word_is_no_override():
    with pytest.raises(InputError, match="fbo is no override, expected key=value"):
        prepare(["fbo"], may_sweep=False)


def test_only_what_leaves_a_run_folder_sweeps(tmp_path):
    refused = run("check", "-m", "data=ava_v2_1,ava_v2_2", folder=tmp_path)
    assert (refused.status, refused.message.count("\n")) == (1, 0)
    assert refused.message.startswith("lfb-check: runs once at a time, without -m")
