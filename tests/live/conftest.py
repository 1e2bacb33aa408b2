"""The detector, the video and the walkers of the predictions' tests, and live sources of them."""

import socket
import subprocess
import sys

import pytest

from lfb_lightning.live import LiveRecognizer, LiveSettings
from lfb_lightning.prediction import LFBPredictor
from tests.conftest import ROOT
from tests.prediction.conftest import checkpoint, video, walkers

__all__ = ["checkpoint", "video", "walkers"]


@pytest.fixture
def live(checkpoint, walkers):
    """Makes a recognizer: `live(source, speed="max")`, with a checkpoint as `model` and `predictor` for its settings."""

    def make(source, *, model=None, predictor=None, watcher=None, report=lambda line: None, stop=None, **settings):
        given = {"persons": walkers, **(predictor or {})}
        return LiveRecognizer(
            LFBPredictor.from_checkpoint(model or checkpoint("nl", seed=1), **given),
            str(source),
            settings=LiveSettings(**settings),
            watcher=watcher,
            report=report,
            stop=stop,
        )

    return make


@pytest.fixture
def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def feeder():
    """Starts a process that sends a video to an address at its own speed."""
    started = []

    def feed(video, url, *more):
        command = [sys.executable, "-m", "tests.live.feeder", str(video), url, *map(str, more)]
        started.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL))
        return started[-1]

    yield feed
    for process in started:
        process.kill()
        process.wait()
