"""torchrun: one node of two processes, and two nodes of one process that meet over TCP, train as one process does."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch

from lfb_lightning.models import load_detector

pytestmark = pytest.mark.slow


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def torchrun(folder, options, overrides):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", *options, "-m", "lfb_lightning.cli.train", *overrides]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(*processes):
    for process in processes:
        output = process.communicate(timeout=500)[0]
        assert process.returncode == 0, output[-4000:]


@pytest.fixture(scope="module")
def overrides(pipeline):
    chosen = [
        *pipeline.overrides,
        "fbo=max",
        "optim=sgd",
        "optim.lr=0.01",
        "optim.base_batch_size=8",
        "model.dropout=0.0",
    ]
    chosen += ["backbone.freeze_batch_norm=true", "trainer.max_epochs=1", "trainer.limit_train_batches=6"]
    return [*chosen, "trainer.accelerator=cpu"]


@pytest.mark.parametrize("form", [pytest.param("one", marks=pytest.mark.thorough), "two"])
def test_one_node_and_two_nodes_train_as_one_process(here, overrides, tmp_path, form):
    here("train", *overrides, "data.batch_size=8", f"hydra.run.dir={tmp_path / 'plain'}")
    ddp = [*overrides, "data.batch_size=4", "trainer.strategy=ddp"]
    ddp += [f"hydra.run.dir={tmp_path / form}"]
    if form == "one":
        one = ["--nproc-per-node=2", f"--master-port={free_port()}"]
        finish(torchrun(tmp_path, one, [*ddp, "trainer.devices=2"]))
    else:
        two = ["--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={free_port()}"]
        nodes = [*ddp, "trainer.devices=1", "trainer.num_nodes=2"]
        finish(*(torchrun(tmp_path, [*two, f"--node-rank={rank}"], nodes) for rank in range(2)))
    expected = load_detector(tmp_path / "plain" / "checkpoints" / "last.ckpt").state_dict()
    found = load_detector(tmp_path / form / "checkpoints" / "last.ckpt").state_dict()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, atol=1e-5, rtol=1e-4, msg=key)
    assert json.loads((tmp_path / form / "metrics.json").read_text())["steps"] == 6
