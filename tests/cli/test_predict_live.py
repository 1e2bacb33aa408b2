"""`lfb-predict source=...` as a user runs it: lines, a summary, one line for each mistake, and how it ends."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from lfb_lightning.cli.predict_live import told
from lfb_lightning.live import LiveSummary
from lfb_lightning.persons import WholeFrame
from tests.cli.in_process import run
from tests.conftest import ROOT
from tests.prediction.conftest import checkpoint, video

__all__ = ["checkpoint", "video"]


@pytest.fixture
def predict(checkpoint, tmp_path):
    """Runs the command with a small detector of centered windows."""

    def call(*arguments):
        given = [f"ckpt_path={checkpoint('nl', seed=1)}", "persons=none", "num_threads=1"]
        return run("predict", *given, *arguments, folder=tmp_path)

    return call


def test_a_source_that_is_not_there_is_told_before_anything_is_loaded(tmp_path):
    # No detector of that name and no weights to find persons with: neither is looked for.
    done = run("predict", "source=nowhere.mp4", "window=causal", "ckpt_path=nowhere.ckpt", folder=tmp_path)
    assert done.status == 1
    assert done.message.startswith("lfb-predict: source nowhere.mp4: no such file; expected ")


def test_lines_say_what_each_moment_has(predict, video, checkpoint):
    compared = checkpoint("none", seed=4)
    done = predict(f"source={video}", "live.speed=max", "live.duration=4", "least_score=0.3", f"compare={compared}")
    assert done.status == 0, done.stderr
    head, *moments, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert (head["format"], head["version"], head["source"]) == ("lfb-lightning live", 1, str(video))
    assert head["window"] == {"before": 3.0, "after": 0.0}
    assert head["clip_after"] == 0.16
    assert head["moments_per_second"] == 2.0
    assert [one["id"] for one in head["actions"]] == [1, 2, 3, 4, 5]
    assert head["compared"].endswith("(FBONone)")
    assert [moment["second"] for moment in moments] == [tick / 2 for tick in range(8)]
    for moment in moments:
        assert set(moment) == {"second", "wall", "latency", "computed", "left_out", "dropped", "persons"}
        (person,) = moment["persons"]
        assert set(person) == {"track", "box", "score", "actions", "without"}
        assert (person["track"], person["box"], person["score"]) == (0, [0.0, 0.0, 1.0, 1.0], 1.0)
        assert list(person["actions"].values()) == sorted(person["actions"].values(), reverse=True)
        assert min(person["actions"].values()) >= 0.3
    assert {name: end[name] for name in ("ended", "moments", "left_out", "persons", "tracks", "latency")} == {
        "ended": "its duration is over",
        "moments": 8,
        "left_out": 0,
        "persons": 8,
        "tracks": 1,
        "latency": None,
    }
    assert "note: " in done.stderr
    assert "from 3 s before to 2.5 s after each moment" in done.stderr
    assert "its duration is over: 8 moments scored in" in done.stderr


def test_the_page_describes_the_lines_and_its_python_runs(predict, video, checkpoint, tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "live.md").read_text()
    done = predict(f"source={video}", "live.speed=max", "live.duration=1")
    written = [json.loads(line) for line in done.stdout.splitlines()]
    documented = [json.loads(line) for line in re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0].splitlines()]
    for ours, theirs in zip(written[::2] + written[-1:], documented, strict=True):
        assert set(ours) == set(theirs)
    assert set(written[1]["persons"][0]) == set(documented[1]["persons"][0])
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "runs" / "nl" / "checkpoints").mkdir(parents=True)
    shutil.copy(checkpoint("nl", seed=1), tmp_path / "runs" / "nl" / "checkpoints" / "best.ckpt")
    example = example.replace("rtsp://cam.example/stream", str(video)).replace("duration=60.0", "duration=1.0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lfb_lightning.prediction.predictor.TorchvisionPersons", lambda device: WholeFrame())
    exec(example, {})
    told_lines = capsys.readouterr().out.splitlines()
    assert len(told_lines) == 3
    assert told_lines[-1].startswith("LiveSummary(ended='its duration is over'")


def test_a_stored_video_is_predicted_with_windows_of_the_past(predict, video, tmp_path):
    """The batch's tables have the live scores; without window=causal they have others."""
    stored = [f"video={video}", "overlay=false", "page=false", "least_score=0", "batch_size=1"]
    assert predict(*stored, "window=causal", "out=past").status == 0
    assert predict(*stored, "out=whole").status == 0
    assert predict(f"source={video}", "live.speed=max", "least_score=0", "out=live").status == 0
    past, whole = (json.loads((tmp_path / name / "detections.json").read_text()) for name in ("past", "whole"))
    lines = [json.loads(line) for line in (tmp_path / "live" / "live.jsonl").read_text().splitlines()]
    assert past["window"] == {"before": 3.0, "after": 0.0}
    kept = ("track", "box", "score", "actions")
    theirs = [[{name: person[name] for name in kept} for person in moment["persons"]] for moment in past["moments"]]
    assert [moment["persons"] for moment in lines[1:-1]] == theirs
    assert [moment["persons"] for moment in past["moments"]] != [moment["persons"] for moment in whole["moments"]]


def test_lines_are_added_to_a_file(predict, video, tmp_path):
    for _ in range(2):
        done = predict(f"source={video}", "live.speed=max", "live.duration=1", "out=kept/day.jsonl")
        assert done.stdout == ""
    lines = [json.loads(line) for line in (tmp_path / "kept" / "day.jsonl").read_text().splitlines()]
    assert ["format" in line for line in lines] == [True, False, False, False] * 2


def test_the_preview_is_told_and_a_public_one_warned_of(predict, video):
    done = predict(f"source={video}", "live.duration=1", "preview=http", "preview_port=0")
    assert "preview: http://127.0.0.1:" in done.stderr
    assert "warning" not in done.stderr
    done = predict(f"source={video}", "live.duration=1", "preview=http", "preview_port=0", "preview_host=0.0.0.0")
    assert "warning: preview_host=0.0.0.0: everybody who reaches it sees the pictures" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["source=rtsp://127.0.0.1:9/x", "live.reconnects=0"],
            "source rtsp://127.0.0.1:9/x: cannot be read (Connection",
        ),
        (["source=v.mp4"], "source v.mp4: no such file; expected camera:0"),
        (["source=-", "video=v.mp4"], "video and source are both set"),
        (["source=-", "bank.dir=kept"], "bank.dir is set: a live source's bank is a ring"),
        (["source=-", "live.speed=fast"], "live.speed is fast, expected"),
        (["source=-", "live.late=soon"], "live.late is soon, expected a number"),
        (["source=-", "live.loop=true"], "live.loop=true is for a file"),
        (["source=-", "+live.reconnect=3"], "did you mean reconnects?"),
        (["source=-", "window=centered"], "window is centered, expected one of causal or null"),
        (["source=-", "preview=gtk"], "preview is gtk, expected"),
        (["source=-", "preview=http", "preview_port=99999"], "preview_port is 99999, expected 0 to 65535"),
        (["source=-", "out=~nobody.here/x"], "there is no such home directory"),
    ],
)
def test_mistakes_are_one_line(arguments, message, predict):
    done = predict(*arguments)
    assert done.status == 1
    assert done.stdout == ""
    assert message in done.message
    assert len(done.message.splitlines()) == 1


def test_a_summary_in_words():
    summary = LiveSummary(
        ended="source x: has ended.",
        seconds=61.5,
        moments=58,
        left_out=3,
        persons=70,
        tracks=2,
        frames=1845,
        dropped=9,
        damaged=1,
        reconnected=2,
        latency=(0.61, 0.8, 1.2),
    )
    assert told(summary).splitlines() == [
        "source x: has ended: 58 moments scored in 61.5 s, 70 persons in 2 tracks",
        "  left out: 3 moments, 9 frames kept for them; frames: 1845, 1 of them damaged; connected again: 2 times",
        "  latency: median 0.61 s, 95 % within 0.80 s, at most 1.20 s",
    ]


@pytest.mark.slow
def test_a_pipe_is_read_until_a_signal(checkpoint, video, start, tmp_path):
    """Two loops of the video come through standard input at their own speed; SIGTERM ends with a summary and status 0."""
    code = "import sys; from tests.live.feeder import feed; feed(sys.argv[1], 'pipe:1', loops=20)"
    sender = subprocess.Popen(
        [sys.executable, "-c", code, str(video)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    arguments = [f"ckpt_path={checkpoint('nl', seed=1)}", "persons=none", "source=-", "num_threads=1", "out=live.jsonl"]
    process = start("predict", arguments, tmp_path, stdin=sender.stdout)
    lines = tmp_path / "live.jsonl"
    until = time.monotonic() + 120
    while (not lines.exists() or lines.read_text().count("\n") < 4) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    told_at_the_end, _ = process.communicate(timeout=30)
    sender.kill()
    sender.communicate()
    assert process.returncode == 0, told_at_the_end
    assert "asked to stop: " in told_at_the_end
    assert "latency: median" in told_at_the_end
    last = json.loads(lines.read_text().splitlines()[-1])
    assert last["ended"] == "asked to stop"
    assert last["moments"] >= 3
