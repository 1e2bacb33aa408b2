"""`lfb-predict` as a user runs it: on what `lfb-train` and `lfb-extract` made, against what `lfb-test` says."""

import json
import os
import shutil
import signal
import time

import av
import numpy as np
import pandas as pd
import pytest

from lfb_lightning.bank import FeatureBank
from tests.cli.in_process import run

COLUMNS = ["video", "second", "x1", "y1", "x2", "y2", "action", "score"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, here, pipeline):
    """An LFB detector on the pipeline's banks, and what lfb-test says of it."""
    folder = tmp_path_factory.mktemp("lfb")
    run_dir, tested = folder / "nl", folder / "test"
    common = [*pipeline.overrides, f"hydra.run.dir={run_dir}"]
    common[0] = "experiment=mini_ava_lfb"
    here("train", *common, "fbo=nl_small", "trainer.max_epochs=1", f"init_from={pipeline.checkpoint}")
    checkpoint = run_dir / "checkpoints" / "best.ckpt"
    here("test", f"ckpt_path={checkpoint}", f"hydra.run.dir={tested}")
    return checkpoint, pd.read_csv(tested / "results.csv", names=COLUMNS)


def persons(pipeline):
    """The options that find the persons who were scored in the test."""
    proposals = pipeline.mini_dir / "mini_ava_val_proposals.csv"
    return ["persons=boxes", f"persons.proposals={proposals}", "persons.origin_second=900", "persons.threshold=0.9"]


def predict(*arguments, folder):
    done = run("predict", *arguments, folder=folder)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_it_says_of_a_video_what_lfb_test_says(trained, pipeline, tmp_path):
    checkpoint, tested = trained
    video = sorted((pipeline.mini_dir / "videos").glob("mini-val-*"))[0]
    arguments = [f"video={video}", f"ckpt_path={checkpoint}", f"bank_ckpt_path={pipeline.checkpoint}", "least_score=0"]
    out = [f"out={tmp_path / 'out'}", "overlay=false", "page=false", f"bank.dir={tmp_path / 'bank'}"]
    done = predict(*arguments, *persons(pipeline), *out, folder=tmp_path)
    assert done.status == 0, done.stderr
    assert "note:" not in done.stdout  # the checkpoint knows which backbone made its bank
    found = pd.read_csv(tmp_path / "out" / "detections.csv", names=COLUMNS)
    found["second"] += 900
    expected = tested[tested["video"] == video.stem]
    keys = ["second", "x1", "y1", "action"]
    both = expected.merge(found, on=keys, suffixes=("", "_found"))
    assert len(both) == len(expected) > 100
    # The bank's window at the first and last second may reach seconds that the test leaves out.
    inner = both["second"].between(expected["second"].min() + 8, expected["second"].max() - 8)
    assert inner.sum() > 20
    np.testing.assert_allclose(both["score_found"][inner], both["score"][inner], atol=1e-5)
    names = json.loads((tmp_path / "out" / "detections.json").read_text())["actions"]
    assert {entry["id"]: entry["name"] for entry in names}[1] != "action 1"
    mine = FeatureBank.open(tmp_path / "bank" / "videos").read_video(video.stem)
    theirs = FeatureBank.open(pipeline.bank_dir / "val").read_video(video.stem)
    at = np.isin(mine.timestamps.numpy() + 900, theirs.timestamps.numpy())
    assert at.sum() == len(theirs.timestamps)
    np.testing.assert_array_equal(mine.features.float().numpy()[at], theirs.features.float().numpy())


def test_that_nobody_was_found_is_said_with_what_it_may_be(pipeline, tmp_path):
    video = sorted((pipeline.mini_dir / "videos").glob("mini-val-*"))[0]
    counted_from_0 = [option for option in persons(pipeline) if "origin_second" not in option]
    options = ["overlay=false", "page=false", f"out={tmp_path / 'out'}", *counted_from_0]
    done = predict(f"video={video}", f"ckpt_path={pipeline.checkpoint}", *options, folder=tmp_path)
    assert done.status == 0, done.stderr
    assert (
        "0 persons in 0 tracks\n  nobody was found: try a lower persons.threshold; with persons=boxes, " in done.stdout
    )


def test_a_folder_of_videos_loses_none_for_a_bad_one(pipeline, tmp_path):
    (tmp_path / "videos").mkdir()
    first, second, *_ = sorted((pipeline.mini_dir / "videos").glob("mini-val-*"))
    shutil.copy(first, tmp_path / "videos" / "good.mp4")
    shutil.copy(second, tmp_path / "videos" / "also.mp4")
    (tmp_path / "videos" / "cut.mp4").write_bytes(first.read_bytes()[:5000])
    (tmp_path / "videos" / "notes.txt").write_text("not a video")
    (tmp_path / "videos" / "._good.mp4").write_text("what a Mac leaves")
    shutil.copy(first, os.fsencode(tmp_path / "videos") + b"/caf\xe9.mp4")
    arguments = [f"video={tmp_path / 'videos'}", f"ckpt_path={pipeline.checkpoint}", "persons=none", "out=shown"]
    arguments += ["bank.dir=kept"]
    done = predict(*arguments, folder=tmp_path)
    assert done.status == 1
    assert "2 of 4 videos predicted" in done.stdout
    assert "its name is not UTF-8; rename it" in done.stdout
    assert "not predicted: " in done.stdout
    assert "cut.mp4" in done.stdout
    kept = FeatureBank.open(tmp_path / "kept" / "videos")
    assert sorted(kept.videos) == ["also", "good"]
    assert sorted(kept.manifest.failed) == ["caf?", "cut"]
    files = ["detections.csv", "detections.json", "overlay.mp4", "page.html", "prediction.json", "video.mp4"]
    for name in ("also", "good"):
        shown = sorted(path.name for path in (tmp_path / "shown" / name).iterdir() if not path.name.startswith("."))
        assert shown == files
    with av.open(tmp_path / "shown" / "good" / "overlay.mp4") as container:
        assert container.streams.video[0].codec_context.name == "h264"
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "shown").rglob("*.*")}
    again = predict(*arguments, folder=tmp_path)
    assert again.stdout.count("was there") == 2
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "shown").rglob("*.*")}
    assert {path for path in before if before[path] != after[path] and path.name != ".lock"} == set()
    changed = predict(*arguments, "threshold=0.3", folder=tmp_path)
    assert "was there" not in changed.stdout


def test_killed_it_goes_on(pipeline, tmp_path, start):
    """The journal's first stretch is kept; the rest is done by the same command."""
    short = sorted((pipeline.mini_dir / "videos").glob("mini-val-*"))[0]
    video = tmp_path / "long.mkv"
    with av.open(short) as source, av.open(video, "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.dts is not None]
        length = max(packet.pts + packet.duration for packet in packets)
        for repeat in range(12):  # four minutes
            source.seek(0)
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.pts, packet.dts = packet.pts + repeat * length, packet.dts + repeat * length
                    packet.stream = stream
                    target.mux(packet)
    arguments = [f"video={video}", f"ckpt_path={pipeline.checkpoint}", "persons=none", "overlay=false", "page=false"]
    process = start("predict", [*arguments, "out=killed"], tmp_path)
    journal = tmp_path / "killed" / ".unfinished"
    until = time.monotonic() + 300
    while not (journal / "stretch-000000.safetensors").exists() and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert journal.is_dir()
    kept = (journal / "stretch-000000.safetensors").stat().st_mtime_ns
    for name in ("killed", "whole"):  # by processes of one kind, so that not a last bit differs
        process = start("predict", [*arguments, f"out={name}"], tmp_path)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    assert kept
    assert not journal.exists()
    for name in ("detections.csv", "detections.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["video=~nouser/v.mp4"], "video is ~nouser/v.mp4: there is no such home directory"),
        (["video=a/**.mp4"], "no such file or folder, and no"),
        (["video=v.mp4", "bank.threshold=nan", "persons=none"], "bank.threshold is nan, expected a number of 0 to 1"),
        (["video=v.mp4", "bank.threshold=abc", "persons=none"], "bank.threshold is abc, expected a number of 0 to 1"),
        (["video=v.mp4", "+bank.treshold=0.9", "persons=none"], "bank.treshold"),
        (["video=v.mp4", "threshold=nan", "persons=none"], "threshold is nan, expected 0 to 1"),
        (["video=v.mp4", "detection_rate=inf", "persons=none"], "detection_rate is inf, expected more than 0"),
        (["video=video.mp4", "out=.", "persons=none"], "would be written over it"),
        (["video=nowhere.mp4"], "video nowhere.mp4: no such file or folder"),
        ([], "video is not set: give a video file, a folder of videos, or a pattern"),
        (["video=.", "persons=onnx"], "the folder has no file with one of the endings"),
        (["video=v.mp4", "ckpt_path=null"], "ckpt_path is not set"),
        (["video=v.mp4", "linker=sort"], "linker"),
        (["video=v.mp4", "detection_rate=0.3", "persons=none"], "detection_rate is 0.3, expected a whole multiple"),
        (["video=v.mp4", "+clips.frames=3", "persons=none"], "clips has frames, expected some of fps, num_frames"),
        (["video=v.mp4", "device=cuda:9", "persons=none"], "device is cuda:9, which is not there"),
        (["video=v.mp4", "threshold=high"], "threshold is high, expected a number"),
    ],
)
def test_mistakes_are_one_line(arguments, message, pipeline, tmp_path):
    for name in ("v.mp4", "video.mp4"):
        if f"video={name}" in arguments:
            shutil.copy(sorted((pipeline.mini_dir / "videos").glob("mini-val-*"))[0], tmp_path / name)
    checkpoint = [] if any(one.startswith("ckpt_path") for one in arguments) else [f"ckpt_path={pipeline.checkpoint}"]
    done = predict(*arguments, *checkpoint, folder=tmp_path)
    assert done.status == 1
    assert message in done.message
    assert len(done.message.splitlines()) == 1


def test_a_bank_gathers_the_videos_of_several_commands(pipeline, tmp_path):
    videos = sorted((pipeline.mini_dir / "videos").glob("mini-val-*"))[:2]
    arguments = [f"ckpt_path={pipeline.checkpoint}", "persons=none", "overlay=false", "page=false", "bank.dir=kept"]
    for video in videos:
        done = predict(f"video={video}", *arguments, f"out={video.stem}", folder=tmp_path)
        assert done.status == 0, done.stderr
    assert sorted(FeatureBank.open(tmp_path / "kept" / "videos").videos) == [video.stem for video in videos]
    other = predict(f"video={videos[0]}", *arguments, f"out={videos[1].stem}", folder=tmp_path)
    assert other.status == 1
    assert "holds the results of" in other.message
