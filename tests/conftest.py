"""What several rooms' tests share: a small mini-AVA on disk, and console commands in processes of their own."""

import http.server
import subprocess
import threading
from functools import partial
from pathlib import Path

import pytest
import torch

from lfb_lightning.mini_ava import MiniAVA, generate
from tests import moto_server
from tests.forked import ForkedCommand
from tests.kinetics_set import write_kinetics_set
from tests.site import Ranges

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"  # made by other programs: tests/golden/README.md
SHARED = ROOT.parent / "shared"  # where it exists, GOLDEN must equal it

torch.set_num_threads(1)


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("gpu") is not None and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session")
def mini_dir(tmp_path_factory):
    """Six training and three validation videos of 20 seconds."""
    folder = tmp_path_factory.mktemp("mini_ava")
    generate(folder, MiniAVA(seed=7, num_train=6, num_val=3, seconds=20))
    return folder


@pytest.fixture(scope="module")
def moto():
    """moto's S3 server, whose only bucket is `bucket`."""
    with moto_server.serving() as server:
        server.make_bucket("bucket")
        yield server


@pytest.fixture
def server(tmp_path):
    """Serves `tmp_path / "site"`; `begins` are the bytes from which files were asked for, `stop` where answers break off."""
    (tmp_path / "site" / "trainval").mkdir(parents=True)
    handler = partial(Ranges, directory=str(tmp_path / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.begins, running.stop = [], None
        running.address = f"http://127.0.0.1:{running.server_port}"
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


class Console:
    """Runs `lfb-<command>` in a process of its own, in a folder that is not the checkout."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, command, *overrides, fails=False):
        process = ForkedCommand(command, overrides, self.folder, separate=True)
        stdout, stderr = process.communicate()
        assert (process.returncode != 0) == fails, stdout[-3000:] + stderr[-6000:]
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


@pytest.fixture(scope="session")
def console(tmp_path_factory):
    return Console(tmp_path_factory.mktemp("elsewhere"))


class Here(Console):
    """Runs a command's `main()` in this process instead: the same command line, without six seconds of imports."""

    def __call__(self, command, *overrides, fails=False):
        from tests.cli.in_process import run

        done = run(command, *overrides, folder=self.folder)
        assert (done.status != 0) == fails, done.stdout[-3000:] + done.stderr[-6000:]
        return done


@pytest.fixture(scope="session")
def here(tmp_path_factory):
    return Here(tmp_path_factory.mktemp("here"))


class Pipeline:
    """A trained baseline and its banks on `mini_dir`, made once with real commands."""

    def __init__(self, folder, mini_dir):
        self.folder = folder
        self.mini_dir = mini_dir
        self.bank_dir = folder / "banks"
        self.run_dir = folder / "baseline"
        self.checkpoint = self.run_dir / "checkpoints" / "best.ckpt"
        self.overrides = [
            "experiment=mini_ava",
            f"paths.data_dir={mini_dir}",
            f"bank.dir={self.bank_dir}",
            "data.last_second=920",
            "data.num_workers=0",
        ]


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory, here, mini_dir):
    made = Pipeline(tmp_path_factory.mktemp("pipeline"), mini_dir)
    here("train", *made.overrides, "fbo=none", "trainer.max_epochs=1", f"hydra.run.dir={made.run_dir}")
    for split in ("train", "val"):
        run_dir = made.folder / f"extract_{split}"
        here("extract", *made.overrides, f"split={split}", f"ckpt_path={made.checkpoint}", f"hydra.run.dir={run_dir}")
    return made


@pytest.fixture(scope="session")
def kinetics_set(tmp_path_factory, mini_dir):
    """A small AVA-Kinetics, whose AVA is mini-AVA."""
    return write_kinetics_set(tmp_path_factory.mktemp("kinetics"), mini_dir)
