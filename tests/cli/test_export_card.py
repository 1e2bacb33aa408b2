"""`lfb-export` of a real run: the card's figures are those that the run wrote of this very checkpoint."""

import json

import pytest
import yaml

from lfb_lightning.models.cards import is_edited
from lfb_lightning.models.loading import load_with_config

pytestmark = pytest.mark.slow


def exported(here, folder, checkpoint, *arguments):
    here("export", f"ckpt_path={checkpoint}", f"out={folder}", *arguments)
    text = (folder / "README.md").read_text()
    return text, yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))


def test_the_card_of_a_run(pipeline, here, tmp_path):
    text, head = exported(here, tmp_path / "best", pipeline.checkpoint)
    best = json.loads((pipeline.run_dir / "metrics.json").read_text())["best"]
    (result,) = head["model-index"][0]["results"]
    found = {one["type"]: one["value"] for one in result["metrics"]}
    assert found == {"mAP": best["mAP"], **best["groups"]}
    assert result["dataset"] == {"type": "mini_ava", "name": "mini_ava", "split": "val"}
    assert f"epoch {best['epoch']}, step {best['step']}" in text
    assert "* It began with random weights." in text
    assert "| `trainer.max_epochs` | 1 |" in text
    assert str(pipeline.folder) not in text + (tmp_path / "best" / "config.json").read_text()
    detector, config = load_with_config(pipeline.checkpoint)
    assert config["trained_on"]["began_with"] == []
    assert detector.digest() in text
    last, head = exported(here, tmp_path / "last", pipeline.run_dir / "checkpoints" / "last.ckpt")
    whole = json.loads((pipeline.run_dir / "metrics.json").read_text())
    assert head["model-index"][0]["results"][0]["metrics"][0]["value"] == whole["mAP"]
    assert f"step {whole['step']}" in last
    assert not is_edited(tmp_path / "best" / "README.md")


def test_the_figures_of_a_test_of_it(pipeline, here, tmp_path):
    run_dir = tmp_path / "tested"
    here("test", *pipeline.overrides, f"ckpt_path={pipeline.checkpoint}", "split=train", f"hydra.run.dir={run_dir}")
    text, head = exported(here, tmp_path / "a", pipeline.checkpoint, f"metrics={run_dir / 'metrics.json'}")
    tested = json.loads((run_dir / "metrics.json").read_text())
    (result,) = head["model-index"][0]["results"]
    assert (result["metrics"][0]["value"], result["dataset"]["split"]) == (tested["mAP"], "train")
    assert "by `lfb-test`, split `train`" in text
