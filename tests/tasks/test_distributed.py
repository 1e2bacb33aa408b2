"""Two real processes give what one gives: bank bytes, mAP, loss; a sweep makes exactly its jobs."""

import json

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


def test_two_processes_test_to_the_same_digits(pipeline, console, tmp_path):
    for name, extra in (("one", []), ("two", DDP)):
        console("test", f"ckpt_path={pipeline.checkpoint}", f"hydra.run.dir={tmp_path / name}", *extra)
    assert (tmp_path / "one" / "results.csv").read_bytes() == (tmp_path / "two" / "results.csv").read_bytes()
    assert metrics_of(tmp_path / "one") == metrics_of(tmp_path / "two")


def test_two_ranks_train_as_one_with_twice_the_batch(pipeline, console, tmp_path):
    # Plain SGD and frozen batch norms: what remains is the arithmetic of the loss and of averaging gradients.
    common = [
        *pipeline.overrides,
        "fbo=max",
        "optim=sgd",
        "optim.lr=0.01",
        "optim.base_batch_size=8",
        "trainer.max_epochs=1",
    ]
    common += ["backbone.freeze_batch_norm=true", "model.dropout=0.0", "trainer.limit_train_batches=8"]
    accumulated = ["data.batch_size=2", "trainer.accumulate_grad_batches=2", "trainer.limit_train_batches=16", *DDP]
    runs = {"one": ["data.batch_size=8"], "two": ["data.batch_size=4", *DDP], "accumulated": accumulated}
    for name, extra in runs.items():
        console("train", *common, *extra, f"hydra.run.dir={tmp_path / name}")
    one, *others = (load_detector(tmp_path / name / "checkpoints" / "last.ckpt") for name in runs)
    for other in others:
        for name, value in one.state_dict().items():
            torch.testing.assert_close(other.state_dict()[name], value, atol=1e-5, rtol=1e-4, msg=name)
    losses = [metrics_of(tmp_path / name)["logged"]["train/loss_epoch"] for name in ("one", "two")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert [metrics_of(tmp_path / name)["steps"] for name in runs] == [8, 8, 8]


def test_rank_without_persons_does_not_hang_the_other(pipeline, console, tmp_path, mini_dir):
    # Proposals match nobody and only one video's persons are labelled with a listed action: with one clip per rank,
    # some steps have a rank whose crop holds nobody at all.
    overrides = [*pipeline.overrides, "fbo=avg", "trainer.max_epochs=1", "data.batch_size=1", "data.train_crop=20"]
    console("train", *overrides, "trainer.limit_train_batches=25", f"hydra.run.dir={tmp_path}", *DDP)
    assert metrics_of(tmp_path)["steps"] == 25


def test_sweep_of_two_jobs_with_two_ranks_each_makes_two_jobs(pipeline, console, tmp_path):
    overrides = [*pipeline.overrides, "trainer.max_epochs=1", "trainer.limit_train_batches=2", *DDP]
    console("train", "-m", "fbo=avg,max", *overrides, f"hydra.sweep.dir={tmp_path}")
    jobs = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert jobs == ["0", "1"]
    for job, fbo in zip(jobs, ("FBOAvg", "FBOMax"), strict=True):
        folder = tmp_path / job
        assert fbo in (folder / "config.yaml").read_text()
        assert (folder / "checkpoints" / "last.ckpt").is_file()
        assert "mAP" in metrics_of(folder)
        logs = {path.name for path in folder.glob("*.log")}
        assert logs == {"train.log", "train_ddp_process_1.log"}, logs
    assert not list(console.folder.glob("runs")), "a rank started a sweep of its own"


@pytest.fixture
def one_video(mini_dir, tmp_path):
    path = tmp_path / "one_video.csv"
    lines = (mini_dir / "mini_ava_val_proposals.csv").read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if line.startswith("mini-val-001,")))
    return f"data.proposals={path}"


def test_rank_without_a_video_takes_part_in_evaluation(pipeline, console, tmp_path, one_video):
    for name, extra in (("one", []), ("two", DDP)):
        console("test", f"ckpt_path={pipeline.checkpoint}", f"hydra.run.dir={tmp_path / name}", one_video, *extra)
    assert metrics_of(tmp_path / "one") == metrics_of(tmp_path / "two")


def test_rank_without_a_video_takes_part_in_extraction_and_a_missing_manifest_is_written(
    pipeline, console, tmp_path, one_video
):
    arguments = ["split=val", f"ckpt_path={pipeline.checkpoint}", f"bank.dir={tmp_path}", one_video]
    console("extract", *arguments, f"hydra.run.dir={tmp_path / 'run'}", *DDP)
    manifest = tmp_path / "val" / "manifest.json"
    before = manifest.read_bytes()
    manifest.unlink()  # as if the run was killed after its last video
    console("extract", *arguments, f"hydra.run.dir={tmp_path / 'again'}")
    assert manifest.read_bytes() == before
