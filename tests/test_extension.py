"""The page examples/README.md: its commands in a fresh environment, in its order, and what they leave behind."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from lfb_lightning.cli.sections import Sections, refuse_unloadable
from tests.cli.in_process import load
from tests.cli.test_config import compose

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "examples" / "README.md").read_text()
INSTALLED, BESIDE = PAGE.split("## As an installed package")[1].split("## As modules beside the working directory")
OFFLINE = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]


def blocks(text, kind):
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def commands(text):
    return [line for block in blocks(text, "bash") for line in block.splitlines()]


def shell(command, folder, bin_dir, **environment):
    """Run a line of the page as it stands."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    path = os.pathsep.join([str(bin_dir), kept["PATH"]])
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**kept, "PATH": path, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def works(command, folder, bin_dir, **environment):
    done = shell(command, folder, bin_dir, **environment)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert "is not available" not in done.stderr, f"{command}\n{done.stderr}"  # Hydra of a search path
    return done.stdout


def read(path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def bin_dir(tmp_path_factory):
    """A new environment with nothing but our package in it; the dependencies are borrowed from this one."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = folder / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--force-reinstall"]
    subprocess.run([*install, *OFFLINE, str(ROOT)], check=True)
    return folder / "bin"


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_page_counts_the_lines_of_its_files():
    rows = re.findall(r"\]\((extension/[^)]*\.py)\) \| (\d+) \|", PAGE)
    assert len(rows) == 5
    found = {path: len((ROOT / "examples" / path).read_text().splitlines()) for path, _ in rows}
    assert found == {path: int(number) for path, number in rows}


@pytest.mark.parametrize("chosen", [["data=own_ava"], ["experiment=events"], ["experiment=events", "fbo=none"]])
def test_its_configuration_fits_what_it_names(monkeypatch, chosen):
    monkeypatch.syspath_prepend(ROOT / "examples" / "extension" / "src")
    cfg = compose("train", "hydra.searchpath=[pkg://lfb_extension.conf]", *chosen, plain=False)
    load("checking").check_config(cfg, "train")
    Sections(cfg).data()
    refuse_unloadable(cfg, ["lfb_extension"])


@pytest.mark.slow
@pytest.mark.thorough  # the same package, found in another way
def test_modules_beside_the_working_directory(folder, bin_dir):
    copying, generating, training, testing = commands(BESIDE)
    works(copying, folder, bin_dir)
    works(generating, folder, bin_dir)
    untrusted = training.replace(" trusted_packages=[lfb_extension]", "")
    assert untrusted != training
    for found in ({}, {"PYTHONPATH": str(folder)}):  # by nobody; by Python, but a checkpoint may not name it
        refused = shell(untrusted, folder, bin_dir, **found)
        (line,) = refused.stderr.splitlines()
        assert refused.returncode == 1
        assert line.startswith("lfb-train: ")
        assert line.endswith("only if lfb_extension is code of your own: trusted_packages=[lfb_extension].")
        assert not (folder / "runs" / "beside" / "checkpoints").exists()
    works(training, folder, bin_dir)
    works(testing, folder, bin_dir)
    assert 0 <= read(folder / "runs" / "beside_test" / "metrics.json")["accuracy"] <= 1


FURTHER = ("lfb-train -m", "data.views=4")  # a sweep and a test of further views: half a minute


@pytest.mark.slow
@pytest.mark.parametrize("left_out", [FURTHER, pytest.param((), marks=pytest.mark.thorough)], ids=["most", "all"])
def test_the_installed_package_goes_through_its_commands(folder, bin_dir, left_out):
    first, *others = (line for line in commands(INSTALLED) if not any(part in line for part in left_out))
    works(f"{first} {' '.join(OFFLINE)}", folder, bin_dir)
    (code,) = blocks(INSTALLED, "python")
    (folder / "page.py").write_text(code)
    steps, scores = {}, None
    for command in others:
        said = works(command, folder, bin_dir)
        if "hydra.run.dir=runs/test" in command.split():  # it has the scores of the same checkpoint
            scores = ast.literal_eval(works("python page.py", folder, bin_dir).splitlines()[-1])
        if command.endswith("--cfg job"):
            assert "ticks_per_second: 25\n" in said
        if (folder / "runs" / "lfb" / "metrics.json").is_file():
            steps.setdefault(read(folder / "runs" / "lfb" / "metrics.json")["steps"], None)
    assert list(steps) == [8, 12], "16 events in batches of 4: two epochs, then a third"
    runs = folder / "runs"
    trained, tested = (read(runs / name / "metrics.json") for name in ("lfb", "test"))
    assert trained["main_figure"] == tested["main_figure"] == "accuracy"
    assert trained["best_accuracy"] >= tested["accuracy"], "the test was of the best of the first two epochs"
    assert tested["items"] == 8
    manifest = read(folder / "banks" / "fp16" / "val" / "manifest.json")
    assert (manifest["num_videos"], manifest["num_rows"]) == (2, 20)
    assert manifest["provenance"]["ticks_per_second"] == "25/2"
    assert manifest["provenance"]["backbone"] == "FrameCNN"
    number, *tested_scores = map(float, (runs / "test" / "scores.csv").read_text().splitlines()[0].split(","))
    assert number == 0
    assert scores == pytest.approx(tested_scores, abs=1e-6)
    if not left_out:
        assert read(runs / "test_4_views" / "metrics.json")["items"] == 8
        sweep = (runs / "sweep" / "sweep.csv").read_text()
        assert "best_accuracy" in sweep.splitlines()[0]
        assert sweep.count(",ok,") == 2
