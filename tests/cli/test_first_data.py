"""Without data: mini-AVA is generated on demand, once however many ask for it, and everything else is one line."""

import subprocess
import sys
from dataclasses import replace

import pytest

from lfb_lightning.mini_ava import MiniAVA
from lfb_lightning.mini_charades import MiniCharades
from lfb_lightning.mini_epic import MiniEPIC
from tests.cli.in_process import load, run

TINY = MiniAVA(num_train=2, num_val=1, seconds=4)
SMALL = ["data.num_workers=0", "videos=false"]


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(load("first_data"), "RECIPE", TINY)


def test_plain_training_says_where_data_is_to_be_had(tmp_path):
    done = run("train", folder=tmp_path)
    assert done.status == 1
    for part in ("data/ava", "scripts/quickstart.sh", "data=mini_ava", "lfb-new", "lfb-data download"):
        assert part in done.message
    assert len(done.stderr.strip().splitlines()) == 1
    assert "there is no folder elsewhere" in run("train", "paths.data_dir=elsewhere", folder=tmp_path).message


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("charades", "scripts/quickstart.sh --data mini_charades"),
        ("epic55", "scripts/quickstart.sh --data mini_epic"),
    ],
)
def test_other_data_sets_say_how_theirs_are_generated(data, told, tmp_path):
    done = run("train", f"data={data}", folder=tmp_path)
    assert done.status == 1
    assert "there is no folder data/" in done.message
    assert told in done.message


@pytest.mark.parametrize("arguments", [["data.annotations=own_{split}.csv"], ["data=ava_custom"]])
def test_files_of_ones_own_are_missed_by_name(arguments, tmp_path):
    done = run("train", *arguments, folder=tmp_path)
    assert done.status == 1
    assert "no such file" in done.message


def test_mini_ava_is_generated_once_and_anew_where_that_was_interrupted(tiny, tmp_path):
    folder = tmp_path / "data" / "mini_ava"
    folder.mkdir(parents=True)
    (folder / ".generating.lock").touch()
    (folder / "mini_ava_train.csv").write_text("half a ro")
    first = run("check", "data=mini_ava", *SMALL, "data.last_second=904", folder=tmp_path)
    assert "its 3 videos are generated now" in first.stderr
    assert first.status == 0, first.stdout
    made = {path: path.stat().st_mtime_ns for path in folder.rglob("*.mp4")}
    assert len(made) == 3
    second = run("check", "data=mini_ava", *SMALL, "data.last_second=904", folder=tmp_path)
    assert "generated" not in second.stderr
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_the_hard_one_is_generated_in_a_folder_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setattr(load("first_data"), "HARD_RECIPE", replace(TINY, hard=True))
    done = run("check", "data=mini_ava_hard", *SMALL, "data.last_second=904", folder=tmp_path)
    assert "data=mini_ava_hard: data/mini_ava_hard has no mini-AVA yet; its 3 videos are generated now" in done.stderr
    assert done.status == 0, done.stdout
    assert len(list((tmp_path / "data" / "mini_ava_hard" / "videos").glob("hard-*.mp4"))) == 3


@pytest.mark.parametrize(
    ("data", "recipe", "title"),
    [
        ("mini_charades", MiniCharades(num_train=2, num_test=1), "mini-Charades"),
        pytest.param(
            "mini_epic", MiniEPIC(num_train=1, num_val=1, seconds=130), "mini-EPIC", marks=pytest.mark.thorough
        ),
    ],
)
def test_those_in_other_files_are_generated_too(data, recipe, title, monkeypatch, tmp_path):
    monkeypatch.setattr(load("first_data"), f"{title.removeprefix('mini-').upper()}_RECIPE", recipe)
    done = run("check", f"data={data}", *SMALL, folder=tmp_path)
    number = len(list((tmp_path / "data" / data / "videos").iterdir()))
    assert f"data={data}: data/{data} has no {title} yet; its {number} videos are generated now" in done.stderr
    assert done.status == 0, done.stdout + done.stderr
    again = run("check", f"data={data}", *SMALL, folder=tmp_path)
    assert "generated" not in again.stderr


def test_a_folder_of_something_else_is_left_alone(tiny, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    done = run("train", "experiment=mini_ava", "paths.data_dir=photos", folder=tmp_path)
    assert "photos holds a.jpg and no mini-AVA" in done.message
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.jpg"]


ASKING = """
from omegaconf import OmegaConf
from lfb_lightning.cli import first_data
from lfb_lightning.mini_ava import MiniAVA
from lfb_lightning.mini_charades import MiniCharades
from lfb_lightning.mini_epic import MiniEPIC
first_data.RECIPE = MiniAVA(num_train=2, num_val=1, seconds=4)
first_data._chosen = lambda: "mini_ava"
first_data.provide_data(OmegaConf.create({"paths": {"data_dir": "mini"}}))
assert (first_data.Path("mini") / "mini_ava.json").is_file()
"""


def test_of_two_who_ask_at_once_one_generates_and_both_find_it_whole(tmp_path):
    command = [sys.executable, "-c", ASKING]
    asking = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate()[1] for process in asking]
    assert [process.returncode for process in asking] == [0, 0], told
    assert sum("generated now" in text for text in told) == 1
