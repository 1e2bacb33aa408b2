"""Recordings for Rerun, read back with its own library and compared with values computed by hand."""

import io
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from rerun.chunk import RrdReader

from lfb_lightning.errors import InputError
from lfb_lightning.reporting.viewers import export_for_viewer
from tests.cli.test_extraction import can_mount
from tests.reporting.example import FIRST, HOSTILE, SECOND, write_files, write_test_run, write_videos
from tests.reporting.viewing import component, read_recording, write_prediction


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_files(folder)
    write_videos(folder / "videos")
    write_test_run(folder / "run", folder, FIRST)
    write_prediction(folder / "predicted")
    return folder


def export(files, out, **options):
    said = []
    export_for_viewer(out, viewer="rerun", progress=said.append, **(options or {"runs": [files / "run"]}))
    return read_recording(out), said


@pytest.fixture(scope="module")
def run(files, tmp_path_factory):
    return export(files, tmp_path_factory.mktemp("run") / "report.rrd")


def test_boxes_are_where_and_when_they_were_annotated(run):
    entities, _ = run
    truth = entities["/v/picture/ground_truth"]
    assert [(row["time"], row["key_frame"]) for row in truth] == [(2.0, 0), (10.0, 1)]
    first = {tuple(center): half for center, half in zip(truth[0]["centers"], truth[0]["half_sizes"], strict=True)}
    assert {center: pytest.approx(half) for center, half in first.items()} == {
        (40, 48): [24, 38.4],
        (112, 48): [32, 38.4],
    }
    assert set(truth[0]["labels"]) == {f"#0 stand, {HOSTILE[:39]}…", "#1 stand"}
    assert truth[1]["labels"] == ["#0 stand"]
    assert truth[1]["class_ids"] == [1]


def test_labels_say_what_was_found_and_what_was_false(run):
    entities, _ = run
    found = entities["/v/picture/predictions"]
    hostile = f"{HOSTILE[:39]}…"
    assert found[0]["labels"] == [f"+ stand 0.90, - talk 0.70, + {hostile} 0.60", f"- {hostile} 0.80, - talk 0.10"]
    assert found[0]["class_ids"] == [1, 2]
    assert [row["labels"] for row in entities["/w/picture/predictions"]] == [[]]
    context = component(entities["/v"], "context")[0][0]
    assert [(entry["class_id"], entry["class_description"]["info"]["label"][:5]) for entry in context] == [
        (1, "stand"), (2, HOSTILE[:5]), (3, "talk"), (4, "long "),
    ]  # fmt: skip


def test_pictures_are_those_of_the_key_frames(run):
    entities, said = run
    blobs = component(entities["/v/picture"], "blob")
    shades = [np.asarray(Image.open(io.BytesIO(bytes(blob[0])))).mean() for blob in blobs]
    assert shades == pytest.approx([20 + 8 * 4, 20 + 8 * 20], abs=3)  # frames 4 and 20 of two per second
    assert "/w/picture" not in entities
    assert [text for text in said if "picture" in text] == [
        text for text in said if text.startswith("w has no pictures: ")
    ]
    assert [row["centers"] for row in entities["/w/picture/ground_truth"]] == [[[250, 500]]]  # of 1000 x 1000


def test_scores_are_series_over_time(run):
    entities, _ = run
    stand = [row for row in entities["/v/scores/predictions/stand"] if "time" in row]
    assert [(row["time"], row["key_frame"], row["scalars"]) for row in stand] == [(2.0, 0, [0.9]), (10.0, 1, [0.5])]
    talk = [row["scalars"] for row in entities["/v/scores/predictions/talk"] if "time" in row]
    assert talk == [[0.7]]  # the higher one of two persons
    assert [row["text"] for row in entities["/v/log"]] == [
        ["second 902: ground truth 2, predictions 2"], ["second 910: ground truth 1, predictions 1"],
    ]  # fmt: skip


def test_reruns_own_check_passes_and_there_is_a_layout(files, tmp_path):
    export(files, tmp_path / "a.rrd")
    verify = [sys.executable, "-m", "rerun_cli", "rrd", "verify", str(tmp_path / "a.rrd")]
    done = subprocess.run(verify, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "verified without error" in done.stdout + done.stderr
    assert [one.application_id for one in RrdReader(str(tmp_path / "a.rrd")).blueprints()] == ["lfb-report"]


def test_a_threshold_and_a_choice_of_videos(files, tmp_path):
    entities, _ = export(files, tmp_path / "a.rrd", runs=[files / "run"], threshold=0.65, only=["v"])
    hostile = f"{HOSTILE[:39]}…"
    assert entities["/v/picture/predictions"][0]["labels"] == ["+ stand 0.90, - talk 0.70", f"- {hostile} 0.80"]
    assert entities["/v/picture/predictions"][1]["labels"] == []
    assert not [path for path in entities if path.startswith("/w")]
    with pytest.raises(InputError, match="only=u: there is no such video"):
        export(files, tmp_path / "b.rrd", runs=[files / "run"], only=["u"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.rrd"]


def test_two_results_are_two_layers(files, tmp_path):
    (tmp_path / "second.csv").write_text(SECOND)
    options = {"sources": {"truth": files / "truth.csv", "labels": files / "labels.pbtxt"}}
    entities, _ = export(files, tmp_path / "a.rrd", runs=[files / "run"], results=[tmp_path / "second.csv"], **options)
    assert [len(entities[f"/w/picture/{layer}"][0]["labels"]) for layer in ("predictions", "predictions_2")] == [0, 1]
    assert component(entities["/about"], "text") == [
        ["* **ground_truth**: the annotations\n* **predictions**: run\n* **predictions_2**: second.csv"]
    ]
    (tmp_path / "other.csv").write_text("v,0902,0.1,0.1,0.4,0.9,1,0\n")
    write_test_run(tmp_path / "run", files, FIRST, annotations=str(tmp_path / "other.csv"))
    with pytest.raises(InputError, match="different ground truths"):
        export(files, tmp_path / "b.rrd", runs=[files / "run", tmp_path / "run"])


def test_without_ground_truth_predictions_are_shown(files, tmp_path):
    write_test_run(tmp_path / "run", files, FIRST, annotations=str(tmp_path / "gone.csv"))
    entities, said = export(files, tmp_path / "a.rrd", runs=[tmp_path / "run"])
    assert "/v/picture/ground_truth" not in entities
    assert entities["/v/picture/predictions"][1]["labels"] == ["stand 0.50"]
    assert [text for text in said if "is shown without ground truth: the ground truth is not there" in text]


def test_boxes_in_pixels_are_the_same(files, run, tmp_path):
    def scaled(text):
        rows = [line.split(",") for line in text.splitlines()]
        return "".join(
            ",".join(
                [*row[:2], *(str(float(x) * side) for x, side in zip(row[2:6], [160, 96] * 2, strict=True)), *row[6:]]
            )
            + "\n"
            for row in rows
        )

    (tmp_path / "truth.csv").write_text(scaled((files / "truth.csv").read_text()))
    write_test_run(tmp_path / "run", files, scaled(FIRST), annotations=str(tmp_path / "truth.csv"))
    entities, _ = export(files, tmp_path / "a.rrd", runs=[tmp_path / "run"])
    for layer in ("ground_truth", "predictions"):
        path = f"/v/picture/{layer}"
        for mine, other in zip(entities[path], run[0][path], strict=True):
            np.testing.assert_allclose(mine["centers"], other["centers"], rtol=1e-6)


def test_pictures_end_where_they_are_too_many(files, tmp_path):
    entities, said = export(files, tmp_path / "a.rrd", runs=[files / "run"], megabytes=0.001)
    assert len(component(entities["/v/picture"], "blob")) == 1
    assert "2 key frames have no picture: megabytes= is reached." in said
    entities, said = export(files, tmp_path / "b.rrd", runs=[files / "run"], megabytes=0)
    assert "/v/picture" not in entities
    assert said[-1] == "3 key frames"
    assert not [text for text in said if "no picture" in text]
    np.testing.assert_allclose(entities["/v/picture/ground_truth"][1]["centers"], [[40, 48]])  # the video says its size


def test_tracks_and_attention_of_a_prediction(files, tmp_path):
    entities, said = export(
        files, tmp_path / "a.rrd", predictions=[files / "predicted"], sources={"videos": files / "videos"}
    )
    assert said[-1] == "3 key frames"
    assert len(component(entities["/v/picture"], "blob")) == 3
    found = entities["/v/picture/predictions"]
    assert [row["labels"] for row in found] == [["#7 stand 0.80", "#4"], ["#7 talk 0.60, stand 0.30"], []]
    assert [row["time"] for row in found] == [0, 2, 4]
    assert entities["/v/picture/without_memory"][0]["labels"] == ["#7 talk 0.50", "#4"]
    scores = [row for row in entities["/v/scores/predictions/person\\ 7/stand"] if "time" in row]
    assert [(row["time"], row["scalars"]) for row in scores] == [(0, [0.8]), (2, [0.3])]
    bars = [row for row in entities["/v/attention/person\\ 7"] if row.get("values")]
    assert [row["time"] for row in bars] == [2]
    assert [numbers(bars[0][name][0]) for name in ("abscissa", "values")] == [[-2], [pytest.approx(0.5)]]  # both at 0 s
    lines = entities["/v/picture/attention"]
    assert [len(row["strips"]) for row in lines] == [2, 0]
    np.testing.assert_allclose(lines[0]["strips"][0], [[112, 48], [40, 48]])  # from where 7 is to where 7 was
    assert lines[0]["labels"] == ["#7 at 0 s: 0.40", "#4 at 0 s: 0.10"]
    table = entities["/v/looked_at"][0]["text"][0].splitlines()
    assert table[4:8] == [
        "| 0.400 | 7 | 0 | 0 |",
        "| 0.100 | 4 | 0 | 1 |",
        "| 0.200 | others | | |",
        "| 0.300 | empty slots | | |",
    ]


def numbers(tensor):
    return [float(value) for value in tensor["buffer"]]


def test_a_video_may_be_stored_whole(files, tmp_path):
    folder = write_prediction(tmp_path / "predicted")
    with av.open(str(folder / "video.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=2, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((96, 160, 3), 20 * number, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    entities, _ = export(files, tmp_path / "a.rrd", predictions=[folder], whole_videos=True)
    rows = entities["/v/picture"]
    assert [bytes(blob[0]) for blob in component(rows, "blob")] == [(folder / "video.mp4").read_bytes()]
    shown = [(row["time"], row["timestamp"][0]) for row in rows if "time" in row]
    assert [second for second, _ in shown] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5])
    start = shown[0][1]
    keyed = {row["key_frame"]: row["timestamp"][0] - start for row in rows if "key_frame" in row}
    assert keyed == {0: 0, 1: 2_000_000_000, 2: 4_000_000_000}
    entities, _ = export(files, tmp_path / "b.rrd", predictions=[folder], whole_videos=True, megabytes=0.0009)
    assert not component(entities["/v/picture"], "timestamp")


def test_a_prediction_whose_video_is_gone_has_boxes_in_its_pixels(tmp_path):
    entities, said = export(None, tmp_path / "a.rrd", predictions=[write_prediction(tmp_path / "p")])
    np.testing.assert_allclose(entities["/v/picture/predictions"][0]["centers"], [[40, 48], [112, 48]])
    assert "v has no pictures: it is not known where the videos are; say videos=FOLDER." in said


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"moments": [{"second": 0}]},
        {"moments": [{"second": "soon", "persons": []}]},
        {
            "moments": [
                {"second": 0, "persons": [{"row": 0, "track": 1e400, "box": [0, 0, 1, 1], "score": 1, "actions": {}}]}
            ]
        },
        {"moments": [{"second": 0, "persons": [{"row": 0, "track": 1, "box": [0, 0, 1], "score": 1, "actions": {}}]}]},
        {"actions": [{"id": 70000, "name": "x"}]},
        {"video": {"id": "v", "width": None, "height": 1}},
        {"moments": 3},
    ],
)
def test_other_json_is_refused_in_one_line_and_leaves_nothing(tmp_path, changes):
    folder = write_prediction(tmp_path / "p", **changes)
    with pytest.raises(InputError, match=r"as lfb-predict writes it|detections\.json of lfb-predict"):
        export(None, tmp_path / "a.rrd", predictions=[folder])
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_nothing_is_left_of_an_interrupted_export(files, tmp_path, monkeypatch):
    def interrupted(self, scene):
        yield None
        raise KeyboardInterrupt

    export(files, tmp_path / "a.rrd")
    before = (tmp_path / "a.rrd").read_bytes()
    monkeypatch.setattr("lfb_lightning.reporting.viewers.frames.Pictures.of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(files, tmp_path / "a.rrd")
    assert [path.name for path in tmp_path.iterdir()] == ["a.rrd"]
    assert (tmp_path / "a.rrd").read_bytes() == before


EXPORT = """
import resource, signal, sys
from lfb_lightning.reporting.viewers import export_for_viewer
out, run, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
export_for_viewer(out, viewer="rerun", runs=[run])
"""


def test_a_file_that_may_grow_no_further_is_said(files, tmp_path):
    command = [sys.executable, "-c", EXPORT, str(tmp_path / "a.rrd"), str(files / "run"), "3000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert f"{tmp_path / 'a.rrd'}: cannot be written (File too large)." in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not can_mount(), reason="needs the right to mount")
def test_a_full_disk_is_said_and_nothing_waits_for_it(files, tmp_path):
    command = [sys.executable, "-c", EXPORT, str(tmp_path / "a.rrd"), str(files / "run"), "0"]
    mounted = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=4k none {tmp_path} && "$@"', "sh", *command]
    done = subprocess.run(mounted, capture_output=True, text=True, timeout=120)
    assert f"{tmp_path / 'a.rrd'}: cannot be written (No space left on device)." in done.stderr


def test_without_named_pipes_the_recording_has_the_same(files, run, tmp_path, monkeypatch):
    monkeypatch.delattr(os, "mkfifo")
    entities, _ = export(files, tmp_path / "a.rrd")
    assert {name: len(rows) for name, rows in entities.items()} == {name: len(rows) for name, rows in run[0].items()}
    assert [path.name for path in tmp_path.iterdir()] == ["a.rrd"]


def test_only_recordings_of_ours_are_replaced(files, tmp_path):
    (tmp_path / "a.rrd").write_bytes(b"RRF2 of somebody else")
    (tmp_path / "folder").mkdir()
    for name, words in (("a.rrd", "no recording of lfb-report"), ("folder", "is a folder")):
        with pytest.raises(InputError, match=words):
            export(files, tmp_path / name)
    assert (tmp_path / "a.rrd").read_bytes() == b"RRF2 of somebody else"
    for _ in range(2):
        export(files, tmp_path / "b.rrd")


def test_missing_extra_is_said_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(InputError, match=r"pip install 'lfb-lightning\[rerun\]'"):
        export_for_viewer(tmp_path / "a.rrd", viewer="rerun", runs=[Path("gone")])
