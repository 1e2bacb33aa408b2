"""`lfb-extract engine=ray` on a real cluster of two nodes: whatever dies in it, the bank is that of one process."""

import json
import os
import shutil
import signal
import threading
import time
from types import SimpleNamespace

import psutil
import pytest

from tests.cli.test_extraction import content, start

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
    """Kills who reads a video half way, some times, and who holds the model at the same moment."""

    def __init__(self, cluster, pause, *, times=1, kills_model=True):
        super().__init__(daemon=True)
        self.cluster, self.pause, self.times, self.kills_model = cluster, pause, times, kills_model
        self.killed = []

    def run(self):
        pid = self.pause.with_suffix(".pid")
        for turn in range(self.times):
            while not pid.exists():
                time.sleep(0.05)
            number = int(pid.read_text())
            pid.unlink()
            if turn == self.times - 1:
                self.pause.unlink()
            for actor in self.cluster.processes("ray::MapWorker") if self.kills_model else ():
                actor.kill()
                self.killed.append("model")
            os.kill(number, signal.SIGKILL)
            self.killed.append("reader")


@pytest.mark.thorough
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


@pytest.mark.thorough
def test_a_video_whose_reader_always_dies_fails_and_the_others_go_on(pipeline, two_nodes, here, tmp_path):
    data_dir, bank_dir = tmp_path / "data", tmp_path / "banks"
    shutil.copytree(pipeline.mini_dir, data_dir)
    pause = data_dir / "pause" / "mini-train-002"
    pause.parent.mkdir()
    pause.touch()
    killer = Killer(two_nodes, pause, times=3, kills_model=False)
    killer.start()
    more = ["data._target_=tests.clusters.pausing.PausingAva", "engine.tries=3"]
    done = here("extract", *command(pipeline, data_dir, bank_dir, two_nodes, *more), fails=True)
    assert killer.killed == ["reader"] * 3
    assert (
        "not in the bank: mini-train-002: video mini-train-002: the process that worked on it was killed" in done.stdout
    )
    manifest = json.loads((bank_dir / "train" / "manifest.json").read_text())
    assert list(manifest["failed"]) == ["mini-train-002"]
    assert len(list((bank_dir / "train").glob("*.safetensors"))) == 5


@pytest.mark.thorough
def test_halved_precision_and_objects_are_those_of_one_process(pipeline, two_nodes, here, tmp_path):
    boxes = pipeline.mini_dir / "mini_ava_train_proposals.csv"
    objects = ["objects=checkpoint", f"objects.boxes.file={boxes}", "objects.boxes.origin_second=900"]
    for name, more in (("half", ["trainer.precision=bf16-mixed"]), ("objects", objects)):
        banks = [tmp_path / f"{name}_{engine}" for engine in ("ray", "lightning")]
        given = [command(pipeline, pipeline.mini_dir, bank, two_nodes, *more) for bank in banks]
        here("extract", *given[0])
        here("extract", *[one for one in given[1] if not one.startswith("engine")])
        assert content(banks[0] / "train") == content(banks[1] / "train")


@pytest.mark.thorough
def test_two_parts_and_a_packed_bank_are_those_of_one_process(pipeline, two_nodes, here, tmp_path):
    for part in ("1/2", "2/2"):
        here("extract", *command(pipeline, pipeline.mini_dir, tmp_path / "parts", two_nodes, f"shard={part}"))
    assert content(tmp_path / "parts" / "train") == content(pipeline.bank_dir / "train")
    packed = tmp_path / "packed"
    here("extract", *command(pipeline, pipeline.mini_dir, packed, two_nodes, "bank.pack=true"))
    assert list((packed / "train").glob("index-*"))
    here("bank", "unpack", f"folder={packed / 'train'}", f"to={tmp_path / 'unpacked'}")
    assert content(tmp_path / "unpacked") == content(pipeline.bank_dir / "train")


@pytest.mark.thorough
def test_ctrl_c_ends_it_and_its_own_cluster(pipeline, tmp_path):
    given = [
        one
        for one in command(pipeline, pipeline.mini_dir, tmp_path / "banks", SimpleNamespace(address=""))
        if "address" not in one
    ]
    process = start(given, tmp_path)
    folder = tmp_path / "banks" / "train"
    until = time.monotonic() + 600
    while not list(folder.glob("*.safetensors")) and time.monotonic() < until:
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130, output
    assert "asked to stop" in output
    assert "Traceback" not in output
    print(f"ended after {time.monotonic() - begun:.1f} s")
    assert not psutil.wait_procs(children, timeout=20)[1]
