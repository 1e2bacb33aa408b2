"""AVA-Kinetics through the commands that a user types: two sources of videos, one label map, AVA's validation."""

import json

import pytest

from lfb_lightning.bank import FeatureBank
from lfb_lightning.clips import ClipSampling
from lfb_lightning.datasets import AvaKineticsDataset
from lfb_lightning.models.checkpoint import read_checkpoint
from lfb_lightning.prediction.recipe import read_recipe
from tests.kinetics_set import NAMES

pytestmark = pytest.mark.slow


def test_ava_kinetics_trains_extracts_and_tests(kinetics_set, here, tmp_path):
    banks = tmp_path / "banks"
    overrides = ["experiment=mini_ava", *kinetics_set.overrides, f"bank.dir={banks}"]
    short = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "data.class_balance=1.0"]
    here("train", *overrides, *short, "fbo=none", f"hydra.run.dir={tmp_path / 'base'}")
    checkpoint = f"ckpt_path={tmp_path / 'base' / 'checkpoints' / 'best.ckpt'}"
    for split in ("train", "val"):
        here("extract", *overrides, checkpoint, f"split={split}", f"hydra.run.dir={tmp_path / split}")
    bank = FeatureBank.open(banks / "train")
    assert set(NAMES) < set(bank.videos), "the bank has both parts"
    assert [*bank.timestamps(NAMES[1])] == 3 * [905_000]
    assert (bank.manifest.provenance.ticks_per_second, bank.manifest.provenance.spacing) == ("1000", (1000, 901_000))
    here("train", *overrides, *short, "fbo=nl", f"hydra.run.dir={tmp_path / 'nl'}")
    here("test", f"ckpt_path={tmp_path / 'nl' / 'checkpoints' / 'best.ckpt'}", f"hydra.run.dir={tmp_path / 'test'}")
    trained, tested = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("nl", "test"))
    assert tested["mAP"] == pytest.approx(trained["mAP"], abs=1e-9)
    config, _ = read_checkpoint(tmp_path / "nl" / "checkpoints" / "best.ckpt")
    recipe = read_recipe(config, source="the checkpoint", num_columns=15)
    assert (recipe.clock.ticks_per_second, recipe.step, recipe.window.slots) == (1, 1, 80), "predicted once per second"
    rows = (tmp_path / "test" / "results.csv").read_text().splitlines()
    assert {row.split(",")[0][:9] for row in rows} == {"mini-val-"}, "AVA's validation alone"


def test_check_counts_what_is_missing_and_cache_stores_both_sources(kinetics_set, here, tmp_path):
    here("check", *kinetics_set.overrides, "data.last_second=920", "splits=[train]", f"out={tmp_path}")
    content = json.loads((tmp_path / "check.json").read_text())
    figures = content["splits"]["train"]
    assert figures["kinetics_missing_videos"] == ["ddddddddddd"]
    assert (figures["kinetics_rows_without_people"], figures["kinetics_clips"], figures["videos_found"]) == (1, 4, 10)
    assert [finding["level"] for finding in content["findings"]] == ["note"]
    done = here(
        "cache", *kinetics_set.overrides, f"data.cache_dir={tmp_path / 'cache'}", "splits=[train]", "num_workers=0"
    )
    assert "10 videos cached" in done.stdout
    section = {**kinetics_set.section, "source": "cache", "cache_dir": str(tmp_path / "cache")}
    split = AvaKineticsDataset(**section).split("train")
    sampling = ClipSampling(4, 3, 10.0)
    for item in split.training_items():
        times = sampling.times(split.clock.seconds_in_video(item.keyframe.timestamp))
        assert split.video(item.keyframe.video_id).clip(times).shape == (4, 96, 96, 3)
