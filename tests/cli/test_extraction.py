"""Extraction survives what happens to long runs: kills, broken videos, full disks, another run in the same folder."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import av
import pytest

from lfb_lightning.bank import FeatureBank
from lfb_lightning.structures import Keyframe
from tests.cli.in_process import run
from tests.forked import ForkedCommand

pytestmark = pytest.mark.slow
DDP = ["trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp"]


def arguments(pipeline, bank_dir, *more, split="train", data_dir=None):
    data_dir = data_dir or pipeline.mini_dir
    chosen = ["experiment=mini_ava", f"paths.data_dir={data_dir}", "data.last_second=920", "data.num_workers=0"]
    return [
        *chosen,
        f"ckpt_path={pipeline.checkpoint}",
        f"split={split}",
        f"bank.dir={bank_dir}",
        f"hydra.run.dir={bank_dir}_run",
        *more,
    ]


def start(arguments, folder):
    return ForkedCommand("extract", arguments, folder)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def copy_of(pipeline, tmp_path):
    """The data set with its own video and proposal files, to break."""
    folder = tmp_path / "data"
    shutil.copytree(pipeline.mini_dir, folder)
    return folder


def write_without_frames(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 96
        stream.pix_fmt = "yuv420p"
        container.start_encoding()


def cut_in_half_as_mkv(path):
    """The first half of the video's bytes in a container that plays up to where it was cut off."""
    cut = path.with_suffix(".mkv")
    with av.open(str(path)) as source, av.open(str(cut), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    path.unlink()
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    return cut


def manifest_of(bank_dir, split):
    return json.loads((bank_dir / split / "manifest.json").read_text())


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_killed_run_goes_on_where_it_stopped_and_ends_with_the_same_bytes(pipeline, console, here, tmp_path, processes):
    command = arguments(pipeline, tmp_path / "banks", *(DDP if processes == 2 else []))
    folder = tmp_path / "banks" / "train"
    for wanted in (1, 3):
        process = start(command, tmp_path)
        until = time.monotonic() + 300
        while len(list(folder.glob("*.safetensors"))) < wanted:
            assert time.monotonic() < until
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert not (folder / "manifest.json").exists()
    before = {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("*.safetensors")}
    done = (console if processes == 2 else here)("extract", *command)
    said = re.search(r"(\d+) of 6 videos to do \((\d+) finished before\)", done.stdout)
    assert said, done.stdout
    assert int(said[2]) == len(before) >= 3
    after = {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("*.safetensors")}
    assert {name: after[name] for name in before} == before  # no finished video was made again
    assert content(folder) == content(pipeline.bank_dir / "train")  # and nothing else lies there


def test_two_runs_at_once_share_the_videos_and_make_one_good_bank(pipeline, tmp_path):
    command = arguments(pipeline, tmp_path / "banks")
    processes = [start([*command, f"hydra.run.dir={tmp_path / name}"], tmp_path) for name in ("a", "b")]
    clips = 0
    for process in processes:
        output = process.communicate(timeout=300)[0]
        assert process.returncode == 0, output
        clips += int(re.search(r"(\d+) clips in", output)[1])
    assert content(tmp_path / "banks" / "train") == content(pipeline.bank_dir / "train")
    bank = FeatureBank.open(tmp_path / "banks" / "train")
    per_video = Counter(keyframe.video_id for keyframe in bank.keyframes()).values()
    # A run gives up its last claim a moment before that video's file is there.
    assert sum(per_video) <= clips <= sum(per_video) + max(per_video)


def test_broken_videos_are_named_the_others_finish_and_repaired_ones_are_added(pipeline, here, tmp_path):
    data_dir = copy_of(pipeline, tmp_path)
    videos = sorted((data_dir / "videos").iterdir())[:6]  # those of split train
    whole = videos[0].read_bytes()
    videos[0].write_bytes(whole[: len(whole) // 2])  # truncated
    videos[1].unlink()  # missing
    write_without_frames(videos[2])
    cut = cut_in_half_as_mkv(videos[4])
    with (data_dir / "mini_ava_train_proposals.csv").open("a") as file:
        file.write(f"{videos[3].stem},0950,0.1,0.1,0.5,0.9,,0.99\n")  # the video ends at 920
    more = ["data.last_second=960", f"data.proposals={data_dir}/mini_ava_train_proposals.csv"]
    more += ["callbacks.progress.log_seconds=0.0", "data.batch_size=4", "data.num_workers=1"]
    command = arguments(pipeline, tmp_path / "banks", *more, data_dir=data_dir)
    done = here("extract", *command, fails=True)
    assert done.returncode == 1
    failed = manifest_of(tmp_path / "banks", "train")["failed"]
    names = [path.stem for path in videos[:5]]
    assert sorted(failed) == names
    assert "it was cut off" in failed[names[4]]
    assert "-1 day" not in done.stdout, "clips of a video that failed half way are not left to do"
    assert "no file with one of the endings" in failed[names[1]]
    assert "keyframes lie outside of it (the first at 950 s" in failed[names[3]]
    for name in names:
        assert len(failed[name].splitlines()) == 1
        assert failed[name] in done.stdout
    assert len(FeatureBank.open(tmp_path / "banks" / "train").videos) == 1
    assert not FeatureBank.open(tmp_path / "banks" / "train").rows_at(Keyframe(names[0], 905))[0].numel()

    cut.unlink()
    for path in [*videos[:3], videos[4]]:
        shutil.copy(pipeline.mini_dir / "videos" / path.name, path)
    command = arguments(pipeline, tmp_path / "banks", *more, "bank.outside_video=clamp", data_dir=data_dir)
    here("extract", *command)
    repaired = manifest_of(tmp_path / "banks", "train")
    assert repaired["failed"] == {}
    assert repaired["num_videos"] == 6


def test_on_error_stop_ends_at_the_first_broken_video(pipeline, here, tmp_path):
    data_dir = copy_of(pipeline, tmp_path)
    for path in sorted((data_dir / "videos").iterdir())[:6]:
        path.write_bytes(b"")
    stop = ["bank.on_error=stop", "data.num_workers=1"]
    done = here("extract", *arguments(pipeline, tmp_path / "banks", *stop, data_dir=data_dir), fails=True)
    assert "lfb-extract: video" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "banks" / "train" / "manifest.json").exists()


def test_every_second_describes_seconds_without_proposals(pipeline, here, tmp_path):
    more = ["bank.keyframes=every_second", "bank=int8", "callbacks.progress.log_seconds=0.0"]
    done = here("extract", *arguments(pipeline, tmp_path / "banks", *more, split="val"))
    assert re.search(r"[0-3] of 3 videos, \d+\.\d clips/s, 0:0\d:\d\d left", done.stdout), done.stdout
    bank = FeatureBank.open(tmp_path / "banks" / "val")
    seconds = {name: [] for name in bank.videos}
    for keyframe in bank.keyframes():
        seconds[keyframe.video_id].append(keyframe.timestamp)
    excluded = (pipeline.mini_dir / "mini_ava_val_excluded_timestamps.csv").read_text().split()
    for name, found in seconds.items():
        assert found == [second for second in range(901, 921) if f"{name},{second:04d}" not in excluded]
    assert bank.manifest.provenance.keyframes == "every_second"


def test_other_seconds_than_a_finished_banks_and_none_at_all_are_refused(pipeline, here, tmp_path):
    shutil.copytree(pipeline.bank_dir / "val", tmp_path / "banks" / "val")
    command = arguments(pipeline, tmp_path / "banks", "data.last_second=910", split="val")
    done = here("extract", *command, fails=True)
    assert "holds other persons or seconds than are asked for now" in done.stderr
    assert content(tmp_path / "banks" / "val") == content(pipeline.bank_dir / "val")
    none = arguments(pipeline, tmp_path / "none", "data.bank_threshold=1.5", split="val")
    assert "split val: no second to extract" in here("extract", *none, fails=True).stderr


@pytest.mark.parametrize(
    "how", [["hydra.searchpath=[file://own]"], ["--config-dir", "own"]], ids=["searchpath", "config-dir"]
)
def test_groups_of_ones_own_are_found(how, pipeline, tmp_path):
    (tmp_path / "own" / "bank").mkdir(parents=True)
    (tmp_path / "own" / "bank" / "mine.yaml").write_text("defaults: [fp32]\nkeyframes: every_second\n")
    done = run("extract", *how, *arguments(pipeline, tmp_path / "banks", "bank=mine", split="val"), folder=tmp_path)
    assert done.status == 0, done.stderr
    made = manifest_of(tmp_path / "banks", "val")["provenance"]
    assert (made["precision"], made["keyframes"]) == ("fp32", "every_second")


def can_mount():
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(shutil.which("unshare") is None or not can_mount(), reason="needs the right to mount")
@pytest.mark.parametrize("mount", ["size=24k", pytest.param("ro", marks=pytest.mark.thorough)])
def test_full_disk_and_read_only_folder_give_one_line_each(pipeline, tmp_path, mount):
    target = tmp_path / "banks"
    target.mkdir()
    command = [sys.executable, "-m", "lfb_lightning.cli", "extract", *arguments(pipeline, target)]
    mounted = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o {mount} none {target} && "$@"', "sh", *command]
    done = subprocess.run(mounted, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if mount == "ro":
        assert re.search(r"lfb-extract: bank .*banks/train: cannot be written \(Read-only file system\)", done.stderr)
    else:
        assert "No space left on device" in done.stdout + done.stderr
