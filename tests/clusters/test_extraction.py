"""`lfb-extract engine=ray` on a real cluster of two nodes: whatever dies in it, the bank is that of one process."""

import json
import os
import shutil
import signal
import threading
import time

import pytest

from tests.cli.test_extraction import content

pytestmark = pytest.mark.slow


def command(pipeline, data_dir, bank_dir, cluster, *more):
    chosen = ["experiment=mini_ava", f"paths.data_dir={data_dir}", "data.last_second=920"]
    return [
        *chosen,
        f"ckpt_path={pipeline.checkpoint}",
        "split=train",
        f"bank.dir={bank_dir}",
        f"hydra.run.dir={bank_dir}_run",
        "num_threads=1",
        "engine=ray",
        f"engine.address={cluster.address}",
        "engine.actors=1",
        *more,
    ]


class Killer(threading.Thread):
    """Kills who reads a video half way, and at the same moment who holds the model."""

    def __init__(self, cluster, pause, *, times=1, of_model=True):
        super().__init__(daemon=True)
        self.cluster, self.pause, self.times, self.of_model = cluster, pause, times, of_model
        self.killed = []

    def run(self):
        pid = self.pause.with_suffix(".pid")
        for _ in range(self.times):
            while not pid.exists():
                time.sleep(0.05)
            number = int(pid.read_text())
            pid.unlink()
            if len(self.killed) + 1 >= self.times and self.times < 10:
                self.pause.unlink()
            if self.of_model:
                for actor in self.cluster.processes("ray::MapWorker"):
                    actor.kill()
                    self.killed.append("model")
            os.kill(number, signal.SIGKILL)
            self.killed.append("reader")


def test_killed_processes_and_a_broken_video_then_repaired(pipeline, two_nodes, here, tmp_path):
    data_dir, bank_dir = tmp_path / "data", tmp_path / "banks"
    shutil.copytree(pipeline.mini_dir, data_dir)
    videos = sorted((data_dir / "videos").iterdir())[:6]  # those of split train
    whole = videos[0].read_bytes()
    videos[0].write_bytes(whole[: len(whole) // 2])
    pause = data_dir / "pause" / videos[1].stem
    pause.parent.mkdir()
    pause.touch()
    killer = Killer(two_nodes, pause)
    killer.start()
    set_that_waits = "data._target_=tests.clusters.pausing.PausingAva"
    done = here("extract", *command(pipeline, data_dir, bank_dir, two_nodes, set_that_waits), fails=True)
    killer.join(5)
    assert sorted(killer.killed) == ["model", "reader"], done.stdout + done.stderr
    assert done.returncode == 1
    assert "6 of 6 videos to do" in done.stdout
    manifest = json.loads((bank_dir / "train" / "manifest.json").read_text())
    assert list(manifest["failed"]) == [videos[0].stem]
    assert len(manifest["failed"][videos[0].stem].splitlines()) == 1
    assert f"not in the bank: {videos[0].stem}: {manifest['failed'][videos[0].stem]}" in done.stdout
    wanted = content(pipeline.bank_dir / "train")  # Lightning's
    made = content(bank_dir / "train")
    others = [name for name in wanted if name.endswith(".safetensors") and not name.startswith(videos[0].stem)]
    assert len(others) == 5
    assert {name: made[name] for name in others} == {name: wanted[name] for name in others}

    videos[0].write_bytes(whole)
    before = {name: (bank_dir / "train" / name).stat().st_mtime_ns for name in others}
    done = here("extract", *command(pipeline, data_dir, bank_dir, two_nodes))
    assert "1 of 6 videos to do (5 finished before)" in done.stdout
    assert {name: (bank_dir / "train" / name).stat().st_mtime_ns for name in others} == before
    assert content(bank_dir / "train") == wanted  # and nothing else lies there
