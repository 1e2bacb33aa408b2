"""The console commands as a user types them: real files, run folders as promised."""

import csv
import json
import shutil

import pytest
import torch
import yaml

from lfb_lightning.ava.evaluation_csv import read_evaluation_csv
from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.bank import FeatureBank, WindowSpec
from lfb_lightning.metrics.csv_evaluation import evaluate_csv
from lfb_lightning.models import load_detector

pytestmark = pytest.mark.slow


def metrics_of(run_dir):
    return json.loads((run_dir / "metrics.json").read_text())


def test_run_folder_is_complete(pipeline):
    names = {str(path.relative_to(pipeline.run_dir)) for path in pipeline.run_dir.rglob("*")}
    assert {"config.yaml", "metrics.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt", "train.log"} <= names
    assert "logs/metrics.csv" in names
    assert any(name.startswith("tensorboard/") for name in names)
    config = yaml.safe_load((pipeline.run_dir / "config.yaml").read_text())
    assert config["model"]["backbone"]["base_channels"] == 8
    assert "${" not in (pipeline.run_dir / "config.yaml").read_text()
    assert 0 < metrics_of(pipeline.run_dir)["best_mAP"] < 1


def test_bank_holds_every_confident_proposal(pipeline):
    bank = FeatureBank.open(pipeline.bank_dir / "val")
    with (pipeline.mini_dir / "mini_ava_val_proposals.csv").open() as file:
        confident = [row for row in csv.reader(file) if float(row[7]) >= 0.9 and int(row[1]) <= 920]
    assert bank.manifest.num_rows == len(confident)
    assert [str(keyframe) for keyframe in bank.keyframes()] == sorted({",".join(row[:2]) for row in confident})
    detector = load_detector(pipeline.checkpoint)
    assert bank.channels == detector.channels == 64
    window = bank.window(bank.keyframes()[0], WindowSpec.of_seconds(seconds=16))
    assert torch.isfinite(window.features).all()


@pytest.fixture(scope="module")
def lfb_run(pipeline, here):
    run_dir = pipeline.folder / "lfb"
    here(
        "train",
        *pipeline.overrides,
        "fbo=nl",
        "fbo.latent_channels=16",
        "trainer.max_epochs=1",
        f"hydra.run.dir={run_dir}",
    )
    return run_dir


def test_lfb_detector_trains_end_to_end_and_is_tested_from_its_checkpoint_alone(pipeline, here, lfb_run):
    run_dir = pipeline.folder / "lfb_test"
    here("test", f"ckpt_path={lfb_run}/checkpoints/best.ckpt", f"hydra.run.dir={run_dir}")
    tested = metrics_of(run_dir)
    assert tested["mAP"] == pytest.approx(metrics_of(lfb_run)["mAP"], abs=1e-6)
    assert set(tested["groups"]) == {"short_term", "long_term"}
    # The official tool computes from results.csv what was computed from the tensors.
    result = evaluate_csv(
        detections=read_evaluation_csv(run_dir / "results.csv"),
        annotations=read_evaluation_csv(pipeline.mini_dir / "mini_ava_val.csv"),
        action_ids=read_label_map(pipeline.mini_dir / "mini_ava_action_list.pbtxt").ids,
        excluded=pipeline.mini_dir / "mini_ava_val_excluded_timestamps.csv",
    )
    assert result.mean == pytest.approx(tested["mAP"], abs=1e-12)
    assert {str(key): value for key, value in result.per_class.items()} == pytest.approx(
        tested["per_class"], nan_ok=True
    )
    columns = (run_dir / "results.csv").read_text().splitlines()[0].split(",")
    assert len(columns) == 8
    assert columns[1].isdigit()
    assert len(columns[1]) == 4


def test_frozen_training_reads_no_video(pipeline, here, tmp_path):
    overrides = [*pipeline.overrides, "experiment=mini_ava_lfb", f"data.video_dir={tmp_path / 'none'}"]
    overrides.remove("experiment=mini_ava")
    run_dir = tmp_path / "run"
    here(
        "train",
        *overrides,
        "fbo=max",
        f"init_from={pipeline.checkpoint}",
        "trainer.max_epochs=1",
        f"hydra.run.dir={run_dir}",
    )
    trained, baseline = load_detector(run_dir / "checkpoints" / "best.ckpt"), load_detector(pipeline.checkpoint)
    for name, value in baseline.backbone.state_dict().items():
        assert torch.equal(trained.backbone.state_dict()[name], value), name
    other = here("train", *overrides, "fbo=max", "seed=5", f"hydra.run.dir={tmp_path / 'other'}", fails=True)
    assert "backbone" in other.stderr
    assert "Traceback" not in other.stderr


def test_resuming_goes_on_where_it_stopped(pipeline, here, tmp_path):
    shutil.copytree(pipeline.run_dir, tmp_path / "run")
    run_dir = tmp_path / "run"
    here("train", *pipeline.overrides, "fbo=none", "trainer.max_epochs=2", "ckpt_path=last", f"hydra.run.dir={run_dir}")
    assert metrics_of(run_dir)["epochs"] == 2
    assert metrics_of(run_dir)["steps"] == 2 * metrics_of(pipeline.run_dir)["steps"]


def test_extraction_resumes_and_ends_byte_identical(pipeline, here, tmp_path):
    shutil.copytree(pipeline.bank_dir / "train", tmp_path / "train")
    (tmp_path / "train" / "manifest.json").unlink()
    (tmp_path / "train" / "mini-train-003.safetensors").unlink()
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "train").glob("*.safetensors")}
    done = here(
        "extract",
        "split=train",
        f"ckpt_path={pipeline.checkpoint}",
        f"bank.dir={tmp_path}",
        f"hydra.run.dir={tmp_path / 'run'}",
    )
    assert "1 of 6 videos to do (5 finished before)" in done.stdout + done.stderr
    for path in (pipeline.bank_dir / "train").iterdir():
        assert (tmp_path / "train" / path.name).read_bytes() == path.read_bytes()
    assert all((tmp_path / "train" / name).stat().st_mtime_ns == stamp for name, stamp in kept.items())
    arguments = [
        "split=train",
        f"ckpt_path={pipeline.checkpoint}",
        f"bank.dir={tmp_path}",
        "trainer.precision=bf16-mixed",
    ]
    refused = here("extract", *arguments, f"hydra.run.dir={tmp_path / 'other'}", fails=True)
    assert "compute_precision: '32' there, 'bf16-mixed' here" in refused.stderr


def test_failed_video_is_listed_and_the_status_says_so(pipeline, here, tmp_path):
    shutil.copytree(pipeline.mini_dir / "videos", tmp_path / "videos")
    (tmp_path / "videos" / "mini-val-001.mp4").unlink()
    done = here(
        "extract",
        "split=val",
        f"ckpt_path={pipeline.checkpoint}",
        f"bank.dir={tmp_path / 'bank'}",
        f"data.video_dir={tmp_path / 'videos'}",
        f"hydra.run.dir={tmp_path / 'run'}",
        fails=True,
    )
    assert done.returncode == 1
    bank = FeatureBank.open(tmp_path / "bank" / "val")
    assert list(bank.manifest.failed) == ["mini-val-001"]
    assert sorted(bank.videos) == ["mini-val-000", "mini-val-002"]


def failure(here, command, *overrides):
    done = here(command, *overrides, fails=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr


def test_mistakes_get_one_clear_message(pipeline, here, tmp_path):
    run = f"hydra.run.dir={tmp_path / 'run'}"
    near = failure(here, "train", "optim.lrr=1", run)
    assert "unknown option 'optim.lrr'" in near
    assert "optim.lr" in near
    group = failure(here, "train", "fbo=nll", run)
    assert group == "lfb-train: fbo=nll: no such option; did you mean nl? (avg, max, nl, nl_small, none, xattn).\n"
    split = failure(here, "detect", *pipeline.overrides[1:2], "data=mini_ava", "persons=none", "split=vall")
    assert split.startswith("lfb-detect: split=vall: no such split; did you mean val? (train, val, test): annotations ")
    assert "lfb-train fbo=none" in failure(here, "extract", "split=val", run)
    assert "lfb-train fbo=none" in failure(here, "test", run)
    without_bank = [value for value in pipeline.overrides if not value.startswith("bank.dir")]
    missing = failure(here, "train", *without_bank, f"bank.dir={tmp_path / 'none'}", "fbo=nl", run)
    assert "lfb-extract split=train" in missing
    frozen = failure(here, "train", *pipeline.overrides, "fbo=nl", "data.short_term=bank", run)
    assert "model.frozen_backbone=true" in frozen


def test_help_config_and_defaults_are_readable(here):
    text = here("train", "--help").stdout
    assert "lfb-train fbo=nl trainer.devices=8" in text
    assert "  fbo=" in text
    assert yaml.safe_load(here("train", "--cfg", "job", "fbo=avg").stdout)["fbo"]["mask_padding"] is False
    assert "bank" in here("extract", "--info", "defaults").stdout


def test_another_bank_precision_leaves_the_windows_of_the_training_run(pipeline, here, lfb_run, tmp_path):
    bank = f"bank.dir={pipeline.bank_dir}"
    here("test", f"ckpt_path={lfb_run}/checkpoints/best.ckpt", "bank=fp32", bank, f"hydra.run.dir={tmp_path}")
    trained, tested = (yaml.safe_load((run / "config.yaml").read_text())["bank"] for run in (lfb_run, tmp_path))
    assert tested == {**trained, "precision": "fp32", "work_dir": "banks/unpacked/fp32"}
    assert trained["window_seconds"] == 16  # not the group's own 60


def test_users_add_their_own_groups(pipeline, here, tmp_path):
    (tmp_path / "fbo").mkdir()
    (tmp_path / "fbo" / "mine.yaml").write_text("defaults:\n  - nl\nlatent_channels: 8\n")
    done = here("train", "--config-dir", tmp_path, "fbo=mine", "--cfg", "job")
    assert yaml.safe_load(done.stdout)["fbo"]["latent_channels"] == 8


def test_backbone_weights_start_training(pipeline, here, tmp_path):
    arguments = [
        *pipeline.overrides,
        "fbo=none",
        "optim.lr=0.0",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=1",
    ]
    arguments += ["optim=sgd", "backbone.freeze_batch_norm=true", f"backbone.weights={pipeline.checkpoint}"]
    here("train", *arguments, f"hydra.run.dir={tmp_path}")
    trained, start = load_detector(tmp_path / "checkpoints" / "last.ckpt"), load_detector(pipeline.checkpoint)
    for name, value in start.backbone.state_dict().items():
        assert torch.equal(trained.backbone.state_dict()[name], value), name


def test_half_precision_compute_trains(pipeline, here, tmp_path):
    arguments = [*pipeline.overrides, "fbo=nl", "fbo.latent_channels=16", "trainer.precision=bf16-mixed", "seed=1"]
    here("train", *arguments, "trainer.max_epochs=1", "trainer.limit_train_batches=5", f"hydra.run.dir={tmp_path}")
    assert 0 < metrics_of(tmp_path)["logged"]["train/loss"] < 1
