"""`lfb-detect` as a user runs it, with a detector that finds three of five colors (tests/persons/onnx_models.py)."""

import json
import os
import shlex
import shutil
import signal
import time

import numpy as np
import pytest

from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.boxes import iou_matrix
from lfb_lightning.clock import Clock
from lfb_lightning.mini_ava.drawing import SIZE
from lfb_lightning.persons import OnnxPersons
from lfb_lightning.structures import Keyframe
from lfb_lightning.video import VideoFile
from tests.cli.in_process import run
from tests.persons.onnx_models import color_detector

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def colors(tmp_path_factory):
    path = color_detector(tmp_path_factory.mktemp("colors") / "colors.onnx", height=SIZE, width=SIZE)
    return ["persons=onnx", f"persons.weights={path}"]


@pytest.fixture(scope="module")
def whole(colors, mini_dir, tmp_path_factory):
    """Every second of nine videos, in an undisturbed run of one process."""
    folder = tmp_path_factory.mktemp("whole")
    done = run("detect", f"videos={mini_dir / 'videos'}", *colors, folder=folder)
    assert done.status == 0, done.stderr
    assert "wrote proposals.csv: " in done.stdout
    return folder / "proposals.csv"


def test_a_folder_of_videos_becomes_proposals_that_equal_the_detectors(whole, colors, mini_dir):
    table = read_proposals(whole)
    source = OnnxPersons(weights=colors[1].partition("=")[2])
    number = 0
    for path in sorted((mini_dir / "videos").glob("*.mp4"))[:3]:
        for second in (0, 7, 19):
            (frame,) = VideoFile(path).clip(np.array([float(second)]))
            (wanted,) = source.find([frame], [float(second)], path.stem)
            found = table.above(Keyframe(path.stem, second), 0.0)
            np.testing.assert_allclose(found.boxes, wanted.boxes, atol=1e-6)
            np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-6)
            number += len(found)
    assert number > 0
    assert {keyframe.timestamp for keyframe in table.keyframes} <= set(range(20))


def test_rows_are_avas_in_the_order_of_videos_and_seconds(whole):
    rows = [line.split(",") for line in whole.read_text().splitlines()]
    assert all(len(row) == 8 and row[6] == "" and len(row[1]) == 4 for row in rows)
    keys = [(row[0], int(row[1]), -float(row[7])) for row in rows]
    assert keys == sorted(keys)


def test_several_processes_write_the_same_file(whole, colors, mini_dir, tmp_path):
    done = run("detect", f"videos={mini_dir / 'videos'}", *colors, "num_workers=2", "out=two.csv", folder=tmp_path)
    assert done.status == 0, done.stderr
    assert (tmp_path / "two.csv").read_bytes() == whole.read_bytes()


def test_shards_write_the_same_file_when_the_last_is_done(whole, colors, mini_dir, tmp_path):
    command = ["detect", f"videos={mini_dir / 'videos'}", *colors, "out=parts.csv"]
    first = run(*command, "shard=2/2", folder=tmp_path)
    assert first.status == 0
    assert "4 of 9 videos done; 0 in the hands of other runs, 5 not begun" in first.stdout
    assert not (tmp_path / "parts.csv").exists()
    assert run(*command, "shard=1/2", folder=tmp_path).status == 0
    assert (tmp_path / "parts.csv").read_bytes() == whole.read_bytes()
    assert "expected i/n" in run(*command, "shard=3/2", folder=tmp_path).message


@pytest.mark.thorough  # test_predict_command.py kills lfb-predict, which keeps its work in the same way
def test_a_run_that_is_killed_goes_on_and_writes_the_same_file(start, colors, mini_dir, tmp_path):
    arguments = [f"videos={mini_dir / 'videos'}", *colors, "detection_rate=10"]
    assert run("detect", *arguments, "out=undisturbed.csv", folder=tmp_path).status == 0
    process = start("detect", [*arguments, "num_workers=2", "out=killed.csv"], tmp_path)
    parts = tmp_path / "killed.csv.parts"
    until = time.monotonic() + 300
    while not list(parts.glob("*.csv")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed.csv").exists()
    kept = {path: path.stat().st_mtime_ns for path in parts.glob("*.csv")}
    assert run("detect", *arguments, "out=killed.csv", folder=tmp_path).status == 0
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "undisturbed.csv").read_bytes()
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # finished videos were not made again
    assert [path.name for path in parts.iterdir() if path.name.startswith(".")] == []


def test_a_bad_video_is_named_and_the_others_are_done(whole, colors, mini_dir, tmp_path):
    shutil.copytree(mini_dir / "videos", tmp_path / "videos")
    bad = tmp_path / "videos" / "mini-train-001.mp4"
    content = bad.read_bytes()
    bad.write_bytes(content[:3000])
    done = run("detect", "videos=videos", *colors, "out=some.csv", folder=tmp_path)
    assert done.status == 1
    assert "in 8 videos, 1 failed" in done.stdout
    assert "no proposals of mini-train-001: video videos/mini-train-001.mp4" in done.stdout
    others = [line for line in whole.read_text().splitlines() if not line.startswith("mini-train-001,")]
    assert (tmp_path / "some.csv").read_text().splitlines() == others
    bad.write_bytes(content)
    assert run("detect", "videos=videos", *colors, "out=some.csv", folder=tmp_path).status == 0
    assert (tmp_path / "some.csv").read_bytes() == whole.read_bytes()


def test_a_data_sets_keyframes_and_the_recall_that_lfb_check_says(colors, mini_dir, tmp_path):
    data = ["data=mini_ava", f"paths.data_dir={mini_dir}", "data.last_second=920"]
    away = "data.proposals=/nowhere/{split}.csv"  # there are none yet
    done = run("detect", *data, away, "split=val", *colors, "out=val.csv", folder=tmp_path)
    assert done.status == 0, done.stderr
    assert "next: lfb-check data=mini_ava" in done.stdout
    found = read_proposals(tmp_path / "val.csv", clock=Clock.parse(1, 900))
    annotated = {}
    for line in (mini_dir / "mini_ava_val.csv").read_text().splitlines():
        video_id, second, *box = line.split(",")[:6]
        annotated.setdefault(Keyframe(video_id, int(second)), set()).add(tuple(map(float, box)))
    assert set(found.keyframes) <= set(annotated)
    hits = [
        bool((iou_matrix(np.array([box]), found.above(keyframe, 0.5).boxes) >= 0.5).any())
        for keyframe, boxes in annotated.items()
        for box in boxes
    ]
    _, _, *arguments = shlex.split(next(line for line in done.stdout.splitlines() if line.startswith("next: ")))
    checked = run("check", *arguments, "videos=false", folder=tmp_path)
    assert checked.status == 0, checked.stdout
    figures = json.loads((tmp_path / "check" / "check.json").read_text())["splits"]["val"]
    assert figures["proposal_recall_at_0.5"] == pytest.approx(np.mean(hits))
    assert 0.3 < np.mean(hits) < 0.9  # three of five colors


def test_whole_videos_of_a_data_set_at_a_rate_of_ones_own(colors, mini_dir, tmp_path):
    data = ["data=mini_ava", f"paths.data_dir={mini_dir}", "split=val", "persons=none"]
    assert run("detect", *data, "detection_rate=0.5", "out=half.csv", folder=tmp_path).status == 0
    rows = [line.split(",") for line in (tmp_path / "half.csv").read_text().splitlines()]
    assert [int(row[1]) for row in rows if row[0] == "mini-val-000"] == list(range(900, 920, 2))
    assert {tuple(row[2:6]) for row in rows} == {("0.000000", "0.000000", "1.000000", "1.000000")}
    refused = run("detect", *data, "detection_rate=2", "out=two.csv", folder=tmp_path)
    assert "detection_rate is 2, but moments lie on 1 ticks per second" in refused.message


def test_moments_between_seconds_and_one_video(colors, mini_dir, tmp_path):
    video = mini_dir / "videos" / "mini-val-000.mp4"
    done = run("detect", f"videos={video}", "persons=none", "detection_rate=2.5", folder=tmp_path)
    assert done.status == 0
    _, _, *arguments = shlex.split(next(line for line in done.stdout.splitlines() if line.startswith("next: ")))
    checked = run("check", *arguments, "videos=false", folder=tmp_path)  # it reads what was written
    assert checked.status == 0, checked.stdout + checked.stderr
    rows = [line.split(",") for line in (tmp_path / "proposals.csv").read_text().splitlines()]
    assert [row[1] for row in rows[:4]] == ["0.000000", "0.400000", "0.800000", "1.200000"]
    assert len(rows) == 50


def test_videos_at_a_url_have_the_rows_of_their_files(whole, colors, mini_dir, tmp_path):
    pytest.importorskip("obstore", reason="lfb-lightning[cloud] is not installed")
    video = mini_dir / "videos" / "mini-val-000.mp4"
    command = ["detect", f"videos={video.as_uri()}", *colors, "out=url.csv"]
    done = run(*command, folder=tmp_path)
    assert done.status == 0, done.stdout + done.stderr
    rows = [row for row in whole.read_text().splitlines(keepends=True) if row.startswith("mini-val-000,")]
    assert rows
    assert (tmp_path / "url.csv").read_text() == "".join(rows)
    (part,) = (tmp_path / "url.csv.parts").glob("*.csv")
    assert f"{video.stat().st_size} bytes, version " in part.read_text()  # by which a replaced one is seen


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["videos=nowhere"], "videos nowhere: no such folder or file."),
        (["videos=."], "videos .: no video with one of the endings .mp4"),
        (["videos=.", "detection_rate=0"], "detection_rate is 0, expected moments per second, more than 0."),
        (["videos=.", "detection_rate=often"], "detection_rate is 'often', expected a number"),
        (
            ["data=mini_ava", "split=test"],
            "the videos of split test are not known; set data.annotations, or look at whole",
        ),
        (["num_workers=-1"], "num_workers is -1, expected a whole number of at least 0."),
        (
            ["persons=none", "persons.threshold=1"],
            "option 'persons.threshold' is not there with the groups that are chosen here",
        ),
        (["persons.threshold=high"], "persons.threshold is high, expected a number."),
        (["~persons"], "persons is not in the configuration"),
    ],
)
def test_what_cannot_be_is_one_line(arguments, message, tmp_path):
    refused = run("detect", *arguments, folder=tmp_path)
    assert refused.status == 1
    assert message in refused.message
    assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_other_settings_do_not_go_on_in_the_same_folder(whole, colors, mini_dir):
    videos = f"videos={mini_dir / 'videos'}"
    other = run("detect", videos, *colors, "persons.threshold=0.8", folder=whole.parent)
    assert "proposals.csv.parts: its videos were made with persons" in other.message
    again = run("detect", videos, *colors, folder=whole.parent)
    assert again.status == 0


def test_another_folders_persons_are_not_taken_for_a_video_of_the_same_name(colors, mini_dir, tmp_path):
    for folder, name in (("a", "mini-val-000"), ("b", "mini-val-001")):
        (tmp_path / folder).mkdir()
        shutil.copy(mini_dir / "videos" / f"{name}.mp4", tmp_path / folder / "x.mp4")
    for place in ("videos=a", "videos=a/x.mp4", f"videos={tmp_path / 'a'}"):  # one folder, however it is named
        assert run("detect", place, *colors, folder=tmp_path).status == 0
    first = (tmp_path / "proposals.csv").read_bytes()
    for place in ("videos=b", "videos=b/x.mp4"):
        refused = run("detect", place, *colors, folder=tmp_path)
        assert f"its videos were made with folder {str(tmp_path / 'a')!r}, now it is" in refused.message
    assert (tmp_path / "proposals.csv").read_bytes() == first
    assert run("detect", "videos=b", *colors, "out=b.csv", folder=tmp_path).status == 0
    assert (tmp_path / "b.csv").read_bytes() != first


def test_another_data_sets_videos_are_not_taken_for_the_same(mini_dir, tmp_path):
    command = ["data=mini_ava", f"paths.data_dir={mini_dir}", "split=val", "persons=none"]
    assert run("detect", *command, folder=tmp_path).status == 0
    shutil.copytree(mini_dir / "videos", tmp_path / "others")
    refused = run("detect", *command, "data.video_dir=others", folder=tmp_path)
    assert f"now it is {str(tmp_path / 'others')!r}" in refused.message


def test_a_video_that_was_replaced_is_detected_again(whole, colors, mini_dir, tmp_path):
    (tmp_path / "videos").mkdir()
    for name in ("mini-val-000", "mini-val-001"):
        shutil.copy2(mini_dir / "videos" / f"{name}.mp4", tmp_path / "videos")
    assert run("detect", "videos=videos", *colors, folder=tmp_path).status == 0
    kept = tmp_path / "proposals.csv.parts" / "mini-val-001.csv"
    made = kept.stat().st_mtime_ns
    shutil.copy(mini_dir / "videos" / "mini-train-000.mp4", tmp_path / "videos" / "mini-val-000.mp4")
    assert run("detect", "videos=videos", *colors, folder=tmp_path).status == 0
    rows = whole.read_text().splitlines()
    wanted = [row.replace("mini-train-000", "mini-val-000") for row in rows if row.startswith("mini-train-000,")]
    wanted += [row for row in rows if row.startswith("mini-val-001,")]
    assert (tmp_path / "proposals.csv").read_text().splitlines() == wanted
    assert kept.stat().st_mtime_ns == made


def test_files_whose_names_are_no_ids_are_named_and_the_others_are_done(mini_dir, tmp_path):
    video = mini_dir / "videos" / "mini-val-000.mp4"
    (tmp_path / "lat").mkdir()
    latin = os.fsdecode(b"caf\xe9.mp4")
    long = "\N{SNOWMAN}" * 80  # 240 bytes, nine characters each in a part's name
    for name in ("good.mp4", latin, f"{long}.mp4"):
        shutil.copy(video, tmp_path / "lat" / name)
    done = run("detect", "videos=lat", "persons=none", folder=tmp_path)
    assert done.status == 1
    assert "Traceback" not in done.stderr
    assert "wrote proposals.csv: 20 persons in 1 videos, 2 failed" in done.stdout
    assert "no proposals of caf?: video caf?: the bytes of its name are not UTF-8; rename the file." in done.stdout
    assert f"no proposals of {long}: video id '{long}' makes a file name of 720 characters" in done.stdout
    assert {row.split(",")[0] for row in (tmp_path / "proposals.csv").read_text().splitlines()} == {"good"}
    alone = run("detect", f"videos=lat/{long}.mp4", "persons=none", "out=alone.csv", folder=tmp_path)
    assert "makes a file name of 720 characters" in alone.message


def test_the_next_command_uses_the_moments_that_were_looked_at(mini_dir, tmp_path):
    video = mini_dir / "videos" / "mini-val-000.mp4"
    arguments = [f"videos={video}", "persons=none", "detection_rate=0.3", "origin_second=901.5"]
    done = run("detect", *arguments, folder=tmp_path)
    _, _, *typed = shlex.split(next(line for line in done.stdout.splitlines() if line.startswith("next: ")))
    values = dict(text.removeprefix("data.").split("=", 1) for text in typed)
    step, rate, first = int(values["key_step"]), int(values["ticks_per_second"]), int(values["first_second"])
    used = {f"{tick / rate:.6f}" for tick in range(first * rate, 1000 * rate, step)}
    written = [row.split(",")[1] for row in (tmp_path / "proposals.csv").read_text().splitlines()]
    assert written == ["903.333333", "906.666667", "910.000000", "913.333333", "916.666667", "920.000000"]
    assert set(written) <= used
    checked = run("check", *typed, "videos=false", folder=tmp_path)
    assert checked.status == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("origin", ["1e12", "-8000000"])
def test_an_origin_that_is_no_second_of_a_video_is_refused(origin, mini_dir, tmp_path):
    refused = run("detect", f"videos={mini_dir / 'videos'}", "persons=none", f"origin_second={origin}", folder=tmp_path)
    assert refused.status == 1
    assert f"origin_second is {float(origin):g}, expected a second of less than 8000000." in refused.message
    assert list(tmp_path.iterdir()) == []


def test_nobody_found_is_said_and_no_error(colors, mini_dir, tmp_path):
    video = mini_dir / "videos" / "mini-val-000.mp4"
    done = run("detect", f"videos={video}", *colors, "persons.threshold=0.99", folder=tmp_path)
    assert done.status == 0
    assert "nobody was found" in done.stdout
