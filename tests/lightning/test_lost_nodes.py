"""Runs of several machines over real TCP, one of which dies, loses its cable, or has a bad one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import torch

from tests.conftest import ROOT
from tests.hosts import INTERFACE, can_make_hosts, network

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_make_hosts(), reason="needs the right to make network namespaces"),
]
_PATIENCE = 600  # seconds for what takes 20 on a quiet machine
_STORE = 29511


class Cluster:
    """Two hosts, and the processes that run on them; all of them see the same folders."""

    def __init__(self, net, folder):
        self.net, self.hosts, self.folder = net, net.hosts, folder
        self.processes = []

    def start(self, command, overrides):
        """Start a command on each host, as by hand: Lightning's own variables."""
        for host in self.hosts:
            self.start_on(host, command, overrides)
        return self.processes[-len(self.hosts) :]

    def start_on(self, host, command, overrides):
        """Start a command on one host."""
        where = {"NODE_RANK": self.hosts.index(host), "MASTER_ADDR": self.hosts[0].address, "MASTER_PORT": _STORE}
        self._start(host, [f"lfb_lightning.cli.{command}", *overrides], where)

    def torchrun(self, overrides, *options):
        """Start torchrun on each host; the first one keeps the store at which they meet, again and again."""
        meeting = ["--rdzv-backend=c10d", f"--rdzv-endpoint={self.hosts[0].address}:{_STORE}", "--rdzv-id=run"]
        for host in self.hosts:
            own = ["--nnodes=2", "--nproc-per-node=1", f"--local-addr={host.address}", *meeting, *options]
            self._start(host, ["torch.distributed.run", *own, "-m", "lfb_lightning.cli.train", *overrides], {})
        return self.processes[-len(self.hosts) :]

    def _start(self, host, arguments, variables):
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, "GLOO_SOCKET_IFNAME": INTERFACE}
        self.processes.append(
            subprocess.Popen(
                host.command(sys.executable, "-m", *arguments, folder=self.folder),
                env={**environment, **{name: str(value) for name, value in variables.items()}},
                start_new_session=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )

    def close(self):
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def cluster(tmp_path):
    with network("node-a", "node-b") as net:
        made = Cluster(net, tmp_path)
        yield made
        made.close()


def training(mini_dir, run_dir, *more):
    chosen = ["experiment=mini_ava", f"paths.data_dir={mini_dir}", "data.last_second=920", "data.num_workers=0"]
    chosen += ["fbo=none", "data.batch_size=1", "trainer.limit_train_batches=12", "trainer.max_epochs=2"]
    chosen += ["trainer.accelerator=cpu", "trainer.devices=1", "trainer.num_nodes=2", "trainer.strategy=ddp"]
    return [*chosen, "callbacks.last.every_n_steps=2", f"hydra.run.dir={run_dir}", "ckpt_path=auto", *more]


NO_VALIDATION = ("trainer.limit_val_batches=0", "callbacks.pictures=null")


def wait_for(path, processes):
    until = time.monotonic() + _PATIENCE
    while not path.is_file():
        assert time.monotonic() < until
        assert all(process.poll() is None for process in processes), [one.communicate()[0] for one in processes]
        time.sleep(0.02)


def seconds_to_end(process):
    began = time.monotonic()
    output = process.communicate(timeout=_PATIENCE)[0]
    return time.monotonic() - began, output


def assert_says_who_and_how(output, who, checkpoint):
    assert "Traceback" not in output
    (line,) = [line for line in output.splitlines() if "host node-" in line]
    assert who in line
    assert f"hydra.run.dir={checkpoint.parents[1]} ckpt_path=auto" in line
    assert f"goes on from {checkpoint}" in line


@pytest.mark.thorough  # tests/cli/test_ending.py kills a rank of one machine
def test_others_end_when_a_process_is_killed_and_say_who_it_was(cluster, mini_dir, tmp_path):
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    first, second = cluster.start("train", training(mini_dir, tmp_path / "run", *NO_VALIDATION))
    wait_for(last, [first, second])
    second.kill()
    seconds, output = seconds_to_end(first)
    assert first.returncode == 1
    assert seconds < 60
    assert_says_who_and_how(output, "host node-b (rank 1) has ended or was cut off", last)


def test_both_sides_end_when_a_cable_is_pulled(cluster, mini_dir, tmp_path):
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    patience = "callbacks.nodes.patience_seconds=8"
    processes = cluster.start("train", training(mini_dir, tmp_path / "run", *NO_VALIDATION, patience))
    wait_for(last, processes)
    cluster.net.cut.add(cluster.hosts[1])
    began = time.monotonic()
    outputs = [seconds_to_end(process)[1] for process in processes]
    assert time.monotonic() - began < 60
    assert [process.returncode for process in processes] == [1, 1]
    assert_says_who_and_how(outputs[0], "host node-b (rank 1) has not answered for 8 s", last)
    assert_says_who_and_how(outputs[1], "host node-a (rank 0), where the nodes of the run meet, has not answered", last)


@pytest.fixture(scope="module")
def undisturbed(mini_dir, tmp_path_factory):
    """The run folder of a training on two hosts that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with network("node-a", "node-b") as net:
        cluster = Cluster(net, folder)
        for process in cluster.start("train", training(mini_dir, folder / "run")):
            output = process.communicate(timeout=_PATIENCE)[0]
            assert process.returncode == 0, output[-4000:]
    return folder / "run"


def assert_same_end(run_dir, expected_dir):
    found, expected = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True) for folder in (run_dir, expected_dir)
    )
    assert found["global_step"] == expected["global_step"] == 24
    for name, value in expected["state_dict"].items():
        assert torch.equal(found["state_dict"][name], value), name
    found, expected = (json.loads((folder / "metrics.json").read_text()) for folder in (run_dir, expected_dir))
    for figure in ("mAP", "best_mAP", "steps", "epochs", "per_class"):
        assert found.get(figure) == expected.get(figure), figure
    assert "mAP" in expected


@pytest.mark.thorough
@pytest.mark.parametrize(("loss", "delay"), [(0.05, 0.0), (0.2, 0.01)])
def test_lost_and_late_packets_change_nothing(cluster, mini_dir, tmp_path, undisturbed, loss, delay):
    cluster.net.loss, cluster.net.delay = loss, delay
    for process in cluster.start("train", training(mini_dir, tmp_path / "run")):
        output = process.communicate(timeout=2 * _PATIENCE)[0]
        assert process.returncode == 0, output[-4000:]
    assert cluster.net.lost > 20
    assert_same_end(tmp_path / "run", undisturbed)


def child_of(process):
    listed = subprocess.run(
        ["ps", "--ppid", str(process.pid), "-o", "pid="], capture_output=True, text=True, check=True
    )
    return int(listed.stdout.split()[0])


@pytest.mark.thorough
@pytest.mark.parametrize("victim", [0, 1])
def test_torchrun_starts_a_killed_rank_again_and_the_run_ends_as_if_nothing_had_happened(
    cluster, mini_dir, tmp_path, undisturbed, victim
):
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    agents = cluster.torchrun(training(mini_dir, tmp_path / "run"), "--max-restarts=3")
    wait_for(last, agents)
    os.kill(child_of(agents[victim]), signal.SIGKILL)
    outputs = [agent.communicate(timeout=2 * _PATIENCE)[0] for agent in agents]
    for agent, output in zip(agents, outputs, strict=True):
        assert agent.returncode == 0, output[-6000:]
    assert any(f"goes on from {last}: epoch" in output for output in outputs)
    assert_same_end(tmp_path / "run", undisturbed)


@pytest.mark.thorough
def test_extraction_does_its_own_videos_when_the_other_node_is_killed_and_again_does_the_rest(
    cluster, pipeline, here, tmp_path
):
    bank = tmp_path / "banks" / "train"
    nodes = ["trainer.accelerator=cpu", "trainer.devices=1", "trainer.num_nodes=2", "trainer.strategy=ddp"]
    arguments = [*pipeline.overrides[:2], "data.last_second=920", f"ckpt_path={pipeline.checkpoint}", "split=train"]
    arguments += [f"hydra.run.dir={tmp_path / 'run'}", "data.num_workers=0", "data.batch_size=2"]
    here("extract", *arguments, f"bank.dir={tmp_path / 'undisturbed'}")
    arguments += [f"bank.dir={tmp_path / 'banks'}"]
    first, second = cluster.start("extract", [*arguments, *nodes])
    until = time.monotonic() + _PATIENCE
    while not list(bank.glob("*.safetensors")):
        assert time.monotonic() < until
        time.sleep(0.02)
    second.kill()
    output = first.communicate(timeout=_PATIENCE)[0]
    assert first.returncode == 1, output
    assert "Traceback" not in output
    assert "host node-b (rank 1)" in output
    assert "the same command on every node does the rest" in output
    assert len(list(bank.glob("*.safetensors"))) >= 3, "the half of six videos that are its own"
    assert not (bank / "manifest.json").exists()
    here("extract", *arguments)
    assert {path.name: path.read_bytes() for path in bank.iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "undisturbed" / "train").iterdir()
    }


@pytest.mark.thorough
def test_nodes_that_do_not_see_the_same_run_folder_are_told_so(cluster, mini_dir, tmp_path, undisturbed):
    shutil.copytree(undisturbed / "checkpoints", tmp_path / "a" / "checkpoints")
    for host, name in zip(cluster.hosts, ("a", "b"), strict=True):
        cluster.start_on(host, "train", training(mini_dir, tmp_path / name))
    outputs = [process.communicate(timeout=_PATIENCE)[0] for process in cluster.processes]
    assert [process.returncode for process in cluster.processes] == [1, 1]
    assert all("last.ckpt is on node-a and not on node-b; the run folder" in output for output in outputs), outputs
