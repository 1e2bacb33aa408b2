"""`fbo=xattn` from training to the test, and a window that it was not trained with."""

import json

import pytest
import yaml

from lfb_lightning.models import FBOCrossAttention, load_detector


@pytest.fixture(scope="module")
def run_dir(pipeline, here):
    run_dir = pipeline.folder / "xattn"
    overrides = ["experiment=mini_ava_lfb", *pipeline.overrides[1:], f"init_from={pipeline.checkpoint}"]
    small = ["fbo=xattn", "fbo.latent_channels=16", "fbo.num_heads=2", "trainer.max_epochs=1"]
    here("train", *overrides, *small, f"hydra.run.dir={run_dir}")
    return run_dir


def test_it_trains_on_the_bank_and_is_tested_from_its_checkpoint_alone(run_dir, here, tmp_path):
    checkpoint = run_dir / "checkpoints" / "best.ckpt"
    here("test", f"ckpt_path={checkpoint}", f"hydra.run.dir={tmp_path}")
    trained, tested = (json.loads((folder / "metrics.json").read_text()) for folder in (run_dir, tmp_path))
    # Validation reads the persons' features from the bank, in half precision; the test computes them.
    assert tested["mAP"] == pytest.approx(trained["mAP"], abs=1e-3)
    fbo = load_detector(checkpoint).fbo
    assert isinstance(fbo, FBOCrossAttention)
    stored = yaml.safe_load((run_dir / "config.yaml").read_text())
    assert (fbo.cells, fbo.slots_per_cell) == (stored["bank"]["window_seconds"], stored["bank"]["features_per_second"])
    assert fbo.get_buffer("std").ne(1).any(), "the bank's statistics are there"
    assert all(layer.time.abs().sum() > 0 for layer in fbo.layers), "relative time has been learned"


def test_another_window_is_refused_in_a_line(run_dir, here, tmp_path):
    checkpoint = run_dir / "checkpoints" / "best.ckpt"
    done = here("test", f"ckpt_path={checkpoint}", "bank.window_seconds=8", f"hydra.run.dir={tmp_path}", fails=True)
    assert "a window of 80 slots; the bank's window has 40" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_long_window_is_trained_and_tested_with_its_cells(pipeline, here, tmp_path):
    overrides = ["experiment=mini_ava_lfb", *pipeline.overrides[1:], f"init_from={pipeline.checkpoint}"]
    window = ["bank.layout=hierarchical", "bank.window_seconds=40", "bank.cells=12"]
    small = ["fbo=xattn", "fbo.latent_channels=16", "fbo.num_heads=2", "trainer.max_epochs=1"]
    here("train", *overrides, *window, *small, f"hydra.run.dir={tmp_path / 'train'}")
    checkpoint = tmp_path / "train" / "checkpoints" / "best.ckpt"
    assert load_detector(checkpoint).window_slots == 12 * 5
    # A shorter window has as many cells: the detector reads it.
    here("test", f"ckpt_path={checkpoint}", "bank.window_seconds=30", f"hydra.run.dir={tmp_path / 'test'}")
