"""The commands that are named at the end of others, followed one after the other from a checkpoint to a trained detector."""

import shlex

import pytest

pytestmark = pytest.mark.slow


def following(done):
    """The command that a finished one names, as words, and what stands beside it."""
    (line,) = [line.removeprefix("next: ") for line in done.stdout.splitlines() if line.startswith("next: ")]
    command, _, remark = line.partition("   # ")
    return shlex.split(command), remark


def test_from_one_split_to_the_other_and_to_the_detector_that_reads_both(pipeline, here, tmp_path):
    data = ["experiment=mini_ava", f"paths.data_dir={pipeline.mini_dir}", "data.last_second=905"]
    typed = [*data, f"bank.dir={tmp_path / 'banks'}", "bank.on_error=stop", "trusted_packages=[]"]
    typed += [f"ckpt_path={pipeline.checkpoint}", "data.num_workers=0"]
    small = [f"hydra.run.dir={tmp_path / 'run'}"]
    words, remark = following(here("extract", *typed, "split=train", *small))
    assert words[0] == "lfb-extract"
    assert {*typed, "split=val"} == set(words[1:])
    assert remark == ""
    words, remark = following(here("extract", *words[1:], *small))
    assert words[0] == "lfb-train"
    taken = {*data, "data.num_workers=0", f"bank.dir={tmp_path / 'banks'}", "trusted_packages=[]", "fbo=nl"}
    assert set(words[1:]) == {*taken, f"init_from={pipeline.checkpoint}", "hydra.run.dir=runs/nl"}
    assert remark == "and what else the training of that checkpoint was given"
    limits = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "trainer.limit_val_batches=1"]
    words, _ = following(here("train", *words[1:], *limits, *small))
    assert words[0] == "lfb-test"


def test_nothing_follows_on_a_split_of_another_name(pipeline, here, tmp_path):
    typed = ["experiment=mini_ava", f"paths.data_dir={pipeline.mini_dir}", f"ckpt_path={pipeline.checkpoint}"]
    typed += [f"bank.dir={tmp_path / 'banks'}", f"hydra.run.dir={tmp_path / 'run'}", "data.num_workers=0"]
    proposals = pipeline.mini_dir / "mini_ava_val_proposals.csv"
    done = here("extract", *typed, "split=test", f"data.proposals={proposals}", "data.last_second=905")
    assert "next: " not in done.stdout
