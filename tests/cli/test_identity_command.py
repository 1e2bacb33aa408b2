"""`fbo.identity=true` from training to prediction: the bank's tracks say which slots of a window show the same person."""

import json

import pytest
import yaml

from lfb_lightning.models import load_detector

SMALL = ["fbo=xattn", "fbo.identity=true", "fbo.latent_channels=16", "fbo.num_heads=2", "trainer.max_epochs=1"]


@pytest.fixture(scope="module")
def run_dir(pipeline, here):
    run_dir = pipeline.folder / "identity"
    overrides = ["experiment=mini_ava_lfb", *pipeline.overrides[1:], f"init_from={pipeline.checkpoint}"]
    here("train", *overrides, *SMALL, f"hydra.run.dir={run_dir}")
    return run_dir


def test_it_trains_on_stored_persons_and_is_tested_on_several_views(run_dir, here, tmp_path):
    checkpoint = run_dir / "checkpoints" / "best.ckpt"
    fbo = load_detector(checkpoint).fbo
    assert fbo.reads_identity
    assert all(layer.same.abs().sum() > 0 and layer.same_key.abs().sum() > 0 for layer in fbo.layers), "it has learned"
    assert yaml.safe_load((run_dir / "config.yaml").read_text())["fbo"]["identity"] is True
    here("test", f"ckpt_path={checkpoint}", f"hydra.run.dir={tmp_path / 'one'}")
    trained, tested = (json.loads((folder / "metrics.json").read_text()) for folder in (run_dir, tmp_path / "one"))
    # Validation reads the persons' features from the bank, in half precision; the test computes them.
    assert tested["mAP"] == pytest.approx(trained["mAP"], abs=1e-3)
