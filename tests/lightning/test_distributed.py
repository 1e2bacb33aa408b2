"""Two real processes give what one gives: bank bytes, mAP, loss; a sweep makes exactly its jobs."""

import json
import shutil

import pytest
import torch

from lfb_lightning.models import load_detector

pytestmark = pytest.mark.slow
DDP = ["trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp"]


def metrics_of(run_dir):
    return json.loads((run_dir / "metrics.json").read_text())


def test_two_processes_write_the_same_bank(pipeline, console, tmp_path):
    console(
        "extract",
        *pipeline.overrides[:2],
        *pipeline.overrides[3:],
        "split=train",
        f"ckpt_path={pipeline.checkpoint}",
        f"bank.dir={tmp_path}",
        f"hydra.run.dir={tmp_path / 'run'}",
        *DDP,
    )
    names = {path.name for path in (pipeline.bank_dir / "train").iterdir()}
    assert {path.name for path in (tmp_path / "train").iterdir()} == names
    for name in names:
        assert (tmp_path / "train" / name).read_bytes() == (pipeline.bank_dir / "train" / name).read_bytes(), name


def test_two_processes_test_to_the_same_digits(pipeline, console, here, tmp_path):
    for name, extra, command in (("one", [], here), ("two", DDP, console)):
        command("test", f"ckpt_path={pipeline.checkpoint}", f"hydra.run.dir={tmp_path / name}", *extra)
    assert (tmp_path / "one" / "results.csv").read_bytes() == (tmp_path / "two" / "results.csv").read_bytes()
    assert metrics_of(tmp_path / "one") == metrics_of(tmp_path / "two")


@pytest.mark.parametrize("ranks", ["two", pytest.param("accumulated", marks=pytest.mark.thorough)])
def test_two_ranks_train_as_one_with_twice_the_batch(pipeline, console, here, tmp_path, ranks):
    # Plain SGD and frozen batch norms: what remains is the arithmetic of the loss and of averaging gradients.
    (tmp_path / "excluded.csv").write_text("mini-train-000,0905\n")  # an odd number of clips
    common = [*pipeline.overrides, "fbo=max", "optim=sgd", "optim.lr=0.01", "optim.base_batch_size=12"]
    common += ["trainer.max_epochs=1", "model.dropout=0.0", f"data.excluded={tmp_path / 'excluded.csv'}"]
    common += ["backbone.freeze_batch_norm=true", f"init_from={pipeline.checkpoint}"]  # so that every weight learns
    accumulated = ["data.batch_size=3", "trainer.accumulate_grad_batches=2", *DDP]
    forms = {"two": ["data.batch_size=6", *DDP], "accumulated": accumulated}
    runs = {"one": ["data.batch_size=12"], ranks: forms[ranks]}
    for name, extra in runs.items():
        (here if name == "one" else console)("train", *common, *extra, f"hydra.run.dir={tmp_path / name}")
    # 113 clips: the last step's five are dealt unevenly, and the last accumulation has a batch less.
    one, other = (load_detector(tmp_path / name / "checkpoints" / "last.ckpt") for name in runs)
    for name, value in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, atol=1e-5, rtol=1e-4, msg=name)
    before = load_detector(pipeline.checkpoint).backbone.state_dict()
    for name, value in one.backbone.state_dict().items():
        assert not (name.endswith("conv.weight") and torch.equal(value, before[name])), f"{name} has not learned"
    if ranks == "two":
        losses = [metrics_of(tmp_path / name)["logged"]["train/loss_epoch"] for name in runs]
        assert losses[0] == pytest.approx(losses[1], rel=1e-2), "the mean over steps, whose last one is smaller"
    assert [metrics_of(tmp_path / name)["steps"] for name in runs] == [10, 10]


def test_rank_without_persons_changes_nothing(pipeline, console, here, tmp_path):
    # With one clip per rank and so small a crop, some steps have a rank that sees nobody at all.
    overrides = [*pipeline.overrides, "fbo=nl", "fbo.latent_channels=16", "fbo.dropout=0.0", "model.dropout=0.0"]
    overrides += ["data.train_crop=20", "optim=sgd", "optim.lr=0.01", "optim.base_batch_size=2", "trainer.max_epochs=1"]
    overrides += [
        "trainer.limit_train_batches=25",
        "backbone.freeze_batch_norm=true",
        f"init_from={pipeline.checkpoint}",
    ]
    for name, extra in (("one", ["data.batch_size=2"]), ("two", ["data.batch_size=1", *DDP])):
        (here if name == "one" else console)("train", *overrides, *extra, f"hydra.run.dir={tmp_path / name}")
    one, two = (load_detector(tmp_path / name / "checkpoints" / "last.ckpt").state_dict() for name in ("one", "two"))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-5, rtol=1e-4, msg=name)
    assert metrics_of(tmp_path / "two")["steps"] == 25


@pytest.mark.thorough
def test_sweep_of_jobs_with_two_ranks_each_makes_these_jobs(pipeline, console, tmp_path):
    values = ["avg", "max"]
    overrides = [*pipeline.overrides, "trainer.max_epochs=1", "trainer.limit_train_batches=2", *DDP]
    overrides += ["trainer.limit_val_batches=2"]
    console("train", "-m", f"fbo={','.join(values)}", *overrides, f"hydra.sweep.dir={tmp_path}")
    jobs = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert jobs == ["0", "1"]
    for job, fbo in zip(jobs, values, strict=True):
        folder = tmp_path / job
        assert f"FBO{fbo.title()}" in (folder / "config.yaml").read_text()
        assert (folder / "checkpoints" / "last.ckpt").is_file()
        assert "mAP" in metrics_of(folder)
        logs = {path.name for path in folder.glob("*.log")}
        assert logs == {"train.log", "train_ddp_process_1.log"}, logs
    assert not list(console.folder.glob("runs")), "a rank started a sweep of its own"


@pytest.fixture
def one_video(mini_dir, tmp_path):
    """Proposals of one validation video only."""
    shutil.copy(mini_dir / "mini_ava_train_proposals.csv", tmp_path / "train.csv")
    lines = (mini_dir / "mini_ava_val_proposals.csv").read_text().splitlines(keepends=True)
    (tmp_path / "val.csv").write_text("".join(line for line in lines if line.startswith("mini-val-001,")))
    return f"data.proposals='{tmp_path}/{{split}}.csv'"


@pytest.mark.thorough
def test_rank_without_a_video_takes_part_in_evaluation(pipeline, console, here, tmp_path, one_video):
    for name, extra, command in (("one", [], here), ("two", DDP, console)):
        command("test", f"ckpt_path={pipeline.checkpoint}", f"hydra.run.dir={tmp_path / name}", one_video, *extra)
    assert metrics_of(tmp_path / "one") == metrics_of(tmp_path / "two")


def test_rank_without_a_video_takes_part_in_the_validation_of_training(pipeline, console, here, tmp_path, one_video):
    overrides = [*pipeline.overrides, "fbo=none", "trainer.max_epochs=2", "trainer.limit_train_batches=2", one_video]
    console("train", *overrides, "data.batch_size=4", f"hydra.run.dir={tmp_path / 'two'}", *DDP)
    last = tmp_path / "two" / "checkpoints" / "last.ckpt"
    here("test", f"ckpt_path={last}", f"hydra.run.dir={tmp_path / 'test'}")
    assert metrics_of(tmp_path / "two")["mAP"] == pytest.approx(metrics_of(tmp_path / "test")["mAP"], abs=1e-6)


def test_rank_without_a_video_takes_part_in_extraction_and_a_missing_manifest_is_written(
    pipeline, console, here, tmp_path, one_video
):
    arguments = ["split=val", f"ckpt_path={pipeline.checkpoint}", f"bank.dir={tmp_path}", one_video]
    console("extract", *arguments, f"hydra.run.dir={tmp_path / 'run'}", *DDP)
    manifest = tmp_path / "val" / "manifest.json"
    before = manifest.read_bytes()
    manifest.unlink()  # as if the run was killed after its last video
    here("extract", *arguments, f"hydra.run.dir={tmp_path / 'again'}")
    assert manifest.read_bytes() == before
