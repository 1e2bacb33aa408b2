"""`fbo.identity=true` by command: on stored persons and on clips, with several views, in overfitting and in prediction."""

import json

import numpy as np
import pytest
import yaml

from lfb_lightning.bank import FeatureBank
from lfb_lightning.boxes import iou_matrix
from lfb_lightning.mini_ava import MiniAVA
from lfb_lightning.mini_ava.drawing import actor_box
from lfb_lightning.mini_ava.files import ORIGIN_SECOND, scenario_of
from lfb_lightning.models import load_detector
from lfb_lightning.persons import BankTracks

SMALL = ["fbo=xattn", "fbo.identity=true", "fbo.latent_channels=16", "fbo.num_heads=2", "trainer.max_epochs=1"]


@pytest.fixture(scope="module")
def overrides(pipeline):
    return ["experiment=mini_ava_lfb", *pipeline.overrides[1:], f"init_from={pipeline.checkpoint}", *SMALL]


@pytest.fixture(scope="module")
def run_dir(pipeline, overrides, here):
    run_dir = pipeline.folder / "identity"
    here("train", *overrides, f"hydra.run.dir={run_dir}")
    return run_dir


def test_it_trains_on_stored_persons_and_its_test_on_clips_agrees(run_dir, here, tmp_path):
    checkpoint = run_dir / "checkpoints" / "best.ckpt"
    fbo = load_detector(checkpoint).fbo
    assert fbo.reads_identity
    assert all(layer.same.abs().sum() > 0 and layer.same_key.abs().sum() > 0 for layer in fbo.layers), "it has learned"
    assert yaml.safe_load((run_dir / "config.yaml").read_text())["fbo"]["identity"] is True
    here("test", f"ckpt_path={checkpoint}", f"hydra.run.dir={tmp_path}")
    trained, tested = (json.loads((folder / "metrics.json").read_text()) for folder in (run_dir, tmp_path))
    # Validation reads the persons' features from the bank, in half precision; the test computes them.
    assert tested["mAP"] == pytest.approx(trained["mAP"], abs=1e-3)
    here("test", f"ckpt_path={checkpoint}", "data.test_flip=true", f"hydra.run.dir={tmp_path / 'flipped'}")
    flipped = json.loads((tmp_path / "flipped" / "metrics.json").read_text())
    assert flipped["mAP"] == pytest.approx(trained["mAP"], abs=0.1)


def test_it_trains_on_clips(overrides, here, tmp_path):
    few = ["data.short_term=clips", "trainer.limit_train_batches=2", "trainer.limit_val_batches=1", "data.batch_size=4"]
    here("train", *overrides, *few, f"hydra.run.dir={tmp_path}")
    layers = load_detector(tmp_path / "checkpoints" / "last.ckpt").fbo.layers
    assert all(layer.same.abs().sum() > 0 for layer in layers)


def test_tracks_of_the_bank_are_the_actors_of_the_videos(pipeline):
    bank = FeatureBank.open(pipeline.bank_dir / "train")
    tracks = BankTracks(bank, aspect=lambda _: 1.0)
    recipe = MiniAVA(seed=7, num_train=6, num_val=3, seconds=20)
    for number, video_id in enumerate(recipe.videos("train")):
        actors, _ = scenario_of(recipe, "train", number)
        ticks = bank.timestamps(video_id)
        boxes, _ = bank.boxes(video_id, range(len(ticks)))
        pairs = set()
        for tick, one, track in zip(
            ticks.tolist(), boxes.astype(float), tracks.of_video(video_id).tolist(), strict=True
        ):
            overlap = iou_matrix(
                one[None], np.array([actor_box(actor, float(tick - ORIGIN_SECOND)) for actor in actors])
            )[0]
            pairs.add((int(overlap.argmax()), track))
        assert len(pairs) == len(actors)  # each actor is one track, and each track one actor
