"""What a training says on the terminal, and what `metrics.json` says of which checkpoint."""

import fcntl
import json
import logging
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
import warnings

import pytest
from omegaconf import OmegaConf
from pytorch_lightning import Trainer

from lfb_lightning.cli.class_table import class_table
from lfb_lightning.cli.train import _warn_of_partial_validation, _warn_of_random_weights
from lfb_lightning.lightning.callbacks.epoch_lines import describe
from lfb_lightning.lightning.known_messages import hush_known_messages


def test_a_line_of_an_epoch():
    logged = {"train/loss_epoch": 0.25, "val/mAP": 0.5, "val/mAP_short_term": 0.75, "train/loss_step": 9.0, "lr": 1.0}
    line = describe(epoch=2, epochs=10, logged=logged, rates={0.1, 0.02}, seconds=[50.0, 70.0])
    # Eight epochs of a minute are left, after one that took 70 seconds.
    assert line == "epoch  2/10  loss 0.2500  mAP 0.5000  short_term 0.7500  lr 0.02 to 0.1  0:01:10, 0:08:00 left"
    bare = describe(epoch=3, epochs=None, logged={}, rates={0.001}, seconds=[1.0])
    assert bare == "epoch 3  lr 0.001  0:00:01"


def test_classes_without_truth_are_left_out_and_unknown_values_are_dashes():
    last = {"per_class": {"1": 0.5, "10": None, "2": 0.25}}
    best = {
        "per_class": {"1": 0.75, "10": float("nan"), "2": float("nan")},
        "num_ground_truth": {"1": 3, "10": 0, "2": 12},
        "names": {"1": "stand", "10": "swim", "2": "a name that is far longer than any column could ever be"},
    }
    head, stand, long = class_table({"best": best, "last": last})
    assert head.split() == ["class", "boxes", "AP", "best", "AP", "last"]
    assert stand.split() == ["stand", "3", "0.7500", "0.5000"]
    assert long.split()[-3:] == ["12", "-", "0.2500"]
    assert len(head) == len(stand) == len(long) <= 80
    assert class_table({"best": {**best, "counted": "videos"}})[0].split() == ["class", "videos", "AP", "best"]
    assert class_table({"last": {"accuracy": 0.5}}) == []  # another data set's figures


@pytest.mark.parametrize("name", ["pytorch_lightning", "pytorch_lightning.utilities.rank_zero"])
def test_advertisements_are_left_out_and_all_else_is_shown(name):
    shown = []
    lightning = logging.getLogger("pytorch_lightning")
    handler = logging.Handler()
    handler.emit = lambda record: shown.append(record.getMessage())
    lightning.addHandler(handler)
    try:
        hush_known_messages()
        logging.getLogger(name).info("💡 Tip: For seamless cloud logging, try installing something")
        logging.getLogger(name).info("`Trainer.fit` stopped: No training batches.")
    finally:
        lightning.removeHandler(handler)
    assert shown == ["`Trainer.fit` stopped: No training batches."]


def test_other_warnings_are_shown():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        hush_known_messages()
        warnings.warn("Your `IterableDataset` has `__len__` defined. In combination", stacklevel=1)
        warnings.warn("Checkpoint directory of yours is full", stacklevel=1)
    assert [str(one.message) for one in caught] == ["Checkpoint directory of yours is full"]


@pytest.mark.parametrize(("limit", "warns"), [(1, True), (0.1, True), (1.0, False), (0, False)])
def test_a_validation_of_some_batches_is_said_to_count_the_rest_as_missed(limit, warns, caplog):
    trainer = Trainer(accelerator="cpu", limit_val_batches=limit, logger=False, enable_checkpointing=False)
    _warn_of_partial_validation(trainer)
    assert ("counts as missed" in caplog.text) == warns


@pytest.mark.slow
def test_each_number_belongs_to_its_checkpoint(pipeline, here, tmp_path):
    run = tmp_path / "run"
    overrides = [*pipeline.overrides, "fbo=none", "backbone.freeze_batch_norm=true", f"hydra.run.dir={run}"]
    said = here("train", *overrides, "trainer.max_epochs=3", "optim.lr=0.1", "trainer.limit_train_batches=2").stdout
    metrics = json.loads((run / "metrics.json").read_text())
    for name, part in (("best", metrics["best"]), ("last", metrics)):
        folder = tmp_path / name
        here("test", f"ckpt_path={run}/checkpoints/{name}.ckpt", f"hydra.run.dir={folder}")
        tested = json.loads((folder / "metrics.json").read_text())
        assert tested["checkpoint"] == part["checkpoint"] == str(run / "checkpoints" / f"{name}.ckpt")
        assert part["per_class"] == pytest.approx(tested["per_class"], abs=1e-6, nan_ok=True)
        assert part["mAP"] == pytest.approx(tested["mAP"], abs=1e-6)
    best = metrics["best"]
    assert best["mAP"] == pytest.approx(metrics["best_mAP"], abs=1e-6)
    assert f"best checkpoint: mAP {best['mAP']:.4f} of epoch {best['epoch']}: {best['checkpoint']}" in said
    assert re.search(r"^epoch 2/3  loss \d\.\d{4}  mAP \d\.\d{4}", said, re.MULTILINE)
    (following,) = re.findall(r"^next: (lfb-extract .*)   # and split=val$", said, re.MULTILINE)
    words = shlex.split(following)
    assert {"split=train", f"ckpt_path={best['checkpoint']}", f"bank.dir={pipeline.bank_dir}"} <= set(words)
    here(words[0].removeprefix("lfb-"), *words[1:], f"bank.dir={tmp_path / 'bank'}", "--cfg", "job")


@pytest.mark.slow
def test_what_was_measured_earlier_is_not_said_of_later_weights(pipeline, here, tmp_path):
    overrides = [*pipeline.overrides, "fbo=none", "trainer.limit_train_batches=1", "trainer.check_val_every_n_epoch=2"]
    said = here("train", *overrides, "trainer.max_epochs=3", f"hydra.run.dir={tmp_path}").stdout
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["epochs"], metrics["epoch"], metrics["step"], metrics["checkpoint"]) == (3, 2, 2, None)
    lines = {line[:9]: line for line in said.splitlines()}
    assert ["mAP" in lines[f"epoch {number}/3"] for number in (1, 2, 3)] == [False, True, False]
    told = f"last checkpoint: not validated; the last validation: mAP {metrics['mAP']:.4f} of epoch 2: {tmp_path}"
    assert told in said


@pytest.mark.slow
def test_the_best_of_an_earlier_part_of_the_run_is_remembered(pipeline, here, tmp_path):
    overrides = [*pipeline.overrides, "fbo=none", "backbone.freeze_batch_norm=true", "trainer.limit_train_batches=1"]
    overrides += ["optim.lr=0.0", f"hydra.run.dir={tmp_path}"]  # every epoch is as good as the first
    here("train", *overrides, "trainer.max_epochs=1")
    here("train", *overrides, "trainer.max_epochs=2", "ckpt_path=last")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["best"]["epoch"], metrics["epochs"]) == (1, 2)
    assert metrics["best"]["per_class"] == metrics["per_class"]


@pytest.mark.slow
def test_a_terminal_of_80_columns_sees_a_bar_of_one_line_and_nothing_of_the_libraries(pipeline, tmp_path):
    overrides = [*pipeline.overrides, "fbo=none", "trainer.max_epochs=1", f"hydra.run.dir={tmp_path}"]
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "lfb_lightning.cli", "train", *overrides]
    process = subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower, close_fds=True)
    os.close(follower)
    seen = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        seen += part
    os.close(leader)
    assert process.wait() == 0, seen.decode()[-3000:]
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode())
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    bars = [line for line in lines if line.startswith("Epoch ")]
    assert bars
    assert all(len(line) <= 80 for line in bars)
    assert re.search(r"Epoch 1/1 .*it/s loss: \d\.\d+$", bars[-1])
    known = "Epoch|Validation|epoch|learning rate|a step took|warning|class|best|last|run folder|next"
    actions = "be|stand|sway|bob|show|pulse"
    assert [line for line in lines if not re.match(f"({known}|{actions})[ :]", line)] == []
    assert not any("site-packages" in line for line in lines)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (
            {"backbone": {"freeze_batch_norm": True}, "model": {"frozen_backbone": False}},
            "backbone.freeze_batch_norm=true",
        ),
        ({"backbone": {}, "model": {"frozen_backbone": True}}, "model.frozen_backbone=true"),
        ({"backbone": {"freeze_batch_norm": False}, "model": {"frozen_backbone": False}}, None),
    ],
)
def test_a_frozen_backbone_with_random_weights_is_warned_of(content, named, caplog):
    _warn_of_random_weights(OmegaConf.create(content))
    assert [named in message and "backbone.weights" in message for message in caplog.messages] == [True] * (
        named is not None
    )
