"""The quickstart's data sets: what they say can be composed, a whole run of one, and what its benchmark makes of figures."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.paper_datasets import Wanted, acceptance
from benchmarks.quickstart_seeds import table

from tests.cli.test_config import compose
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
DATA = importlib.import_module("quickstart_data").DATA


@pytest.mark.parametrize("name", DATA)
def test_presets_and_models_of_each_data_set_compose(name):
    data = DATA[name]
    assert data.name == name
    baseline = compose("train", f"experiment={name}", "fbo=none", *data.baseline)
    assert baseline["paths"]["data_dir"] == f"data/{name}"
    for overrides in data.models.values():
        cfg = compose("train", f"experiment={name}_lfb", *overrides)
        assert cfg["model"]["frozen_backbone"]
        assert cfg["data"]["short_term"] == "bank"
        assert cfg["bank"]["window_seconds"] == baseline["bank"]["window_seconds"]
    assert set(data.shown) == set(data.figures)


@pytest.mark.thorough
def test_mini_charades_goes_the_whole_way_and_a_second_time_skips(tmp_path):
    command = [sys.executable, str(ROOT / "scripts" / "quickstart.py"), "--data=mini_charades", "--num-train=6"]
    command += ["--num-val=4", f"--out={tmp_path / 'out'}", "trainer.max_epochs=1"]
    first = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert set(summary["models"]) == {"baseline", "nl", "max", "avg"}
    for model in summary["models"].values():
        assert len(Path(model["results_txt"]).read_text().splitlines()) <= 4
        assert Path(model["checkpoint"]).is_file()
    assert all(Path(summary[name]).is_file() for name in ("chart", "page"))
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary
    assert "mini-Charades, mAP over the test videos" in second.stdout


def summary(nl, baseline):
    models = {"baseline": {"long_term_mAP": baseline, "mAP": 0.5, "checkpoint": "x"}}
    return {"models": {**models, "nl": {"long_term_mAP": nl, "mAP": 0.75, "checkpoint": "y"}}, "seconds": {"data": 3.6}}


def test_differences_are_of_means_over_seeds():
    found = [summary(0.9, 0.3), summary(0.7, 0.5)]
    rows = table(found).splitlines()
    assert rows[0] == "| model | long-term | overall |"
    assert rows[3] == "| nl | 80.0 (70.0 .. 90.0) | 75.0 (75.0 .. 75.0) |"
    assert rows[-1] == "| data | 4, 4 |"
    wanted = [Wanted("long_term_mAP", "nl", "baseline", points) for points in (39.0, 41.0)]
    assert acceptance(found, wanted).splitlines()[2:] == [
        "| long_term_mAP | nl - baseline | +39 | +40.0 | yes |",
        "| long_term_mAP | nl - baseline | +41 | +40.0 | no |",
    ]
