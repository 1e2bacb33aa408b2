"""The scripts that bring data: a real server, real video, real annotation files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from lfb_lightning.ava.annotations import read_annotations
from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.structures import Keyframe
from lfb_lightning.video import FrameFolder, VideoFile
from tests.video.test_frames import constant, read_number, write_video

SCRIPTS = Path(__file__).parents[2] / "scripts"


def start(script, *arguments):
    command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def run(script, *arguments):
    done = start(script, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_the_server_lists_is_fetched_by_python_alone(server, tmp_path):
    """As on a machine on which nothing is installed: `-S` leaves out every package but Python's own."""
    site = tmp_path / "site"
    (site / "annotations").mkdir()
    (site / "annotations" / "ava_file_names_trainval_v2.1.txt").write_text("a.mp4\nb.mkv\n")
    for name in ("a.mp4", "b.mkv"):
        (site / "trainval" / name).write_bytes(name.encode())
    command = [
        sys.executable,
        "-S",
        "-E",
        str(SCRIPTS / "ava" / "download.py"),
        str(tmp_path / "data"),
        "--what",
        "videos",
    ]
    done = subprocess.run([*command, "--base", server.address], capture_output=True, text=True, check=True)
    assert "[2/2] b.mkv: ok" in done.stdout
    assert {path.name: path.read_bytes() for path in (tmp_path / "data" / "movies").iterdir()} == {
        "a.mp4": b"a.mp4",
        "b.mkv": b"b.mkv",
    }


def test_the_script_cuts_as_the_command_does(tmp_path):
    (tmp_path / "movies").mkdir()
    write_video(tmp_path / "movies" / "a.mkv", constant(25, 8))
    where = [tmp_path / "movies", tmp_path / "cuts", "--start", 2, "--length", 4]
    run("ava/cut_videos.py", *where, "--frames", tmp_path / "frames", "--fps", 10)
    assert [read_number(frame) for frame in VideoFile(tmp_path / "cuts" / "a.mp4").clip(np.array([1.0]))] == [75]
    assert [read_number(frame) for frame in FrameFolder(tmp_path / "frames" / "a", fps=10.0).clip(np.array([1.0]))] == [
        75
    ]


CVAT = """<annotations><meta><task><name>shop.mp4</name><original_size><width>200</width><height>100</height>
</original_size></task></meta>
<track id="3" label="person">
<box frame="24" outside="0" xtl="0" ytl="0" xbr="9" ybr="9"><attribute name="walk">true</attribute></box>
<box frame="25" outside="0" xtl="20" ytl="10" xbr="100" ybr="50">
<attribute name="walk">true</attribute><attribute name="talk">false</attribute><attribute name="pose">stand</attribute></box>
<box frame="50" outside="1" xtl="20" ytl="10" xbr="100" ybr="50"><attribute name="walk">true</attribute></box>
</track></annotations>"""


def test_cvat_tracks_become_annotations(tmp_path):
    (tmp_path / "a.xml").write_text(CVAT)
    run("annotations_to_ava.py", "cvat", tmp_path / "a.xml", tmp_path / "out", "--fps", 25, "--origin-second", 10)
    label_map = read_label_map(tmp_path / "out" / "action_list.pbtxt")
    assert label_map.names == {1: "stand", 2: "walk"}
    annotations = read_annotations(tmp_path / "out" / "annotations.csv", label_map)
    assert annotations.keyframes == [Keyframe("shop", 11)]
    truth = annotations[Keyframe("shop", 11)]
    assert truth.boxes.tolist() == [[0.1, 0.1, 0.5, 0.5]]
    assert truth.labels.tolist() == [[False, True, True]]


def test_coco_video_becomes_annotations(tmp_path):
    content = {
        "videos": [{"id": 1, "name": "shop.mp4"}],
        "categories": [{"id": 5, "name": "walk"}],
        "images": [{"id": 9, "video_id": 1, "frame_id": 50, "width": 200, "height": 100}],
        "annotations": [{"image_id": 9, "category_id": 5, "bbox": [20, 10, 80, 40], "track_id": 2}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    run("annotations_to_ava.py", "coco", tmp_path / "a.json", tmp_path / "out", "--fps", 25)
    assert (tmp_path / "out" / "annotations.csv").read_text() == "shop,0002,0.100,0.100,0.500,0.500,1,2\n"


def test_files_converted_one_by_one_share_a_label_map(tmp_path):
    (tmp_path / "a.xml").write_text(CVAT)
    (tmp_path / "b.xml").write_text(CVAT.replace("shop", "yard").replace(">stand<", ">bend<"))
    run("annotations_to_ava.py", "cvat", tmp_path / "a.xml", tmp_path / "out_a", "--fps", 25)
    known = tmp_path / "out_a" / "action_list.pbtxt"
    run("annotations_to_ava.py", "cvat", tmp_path / "b.xml", tmp_path / "out_b", "--fps", 25, "--label-map", known)
    assert read_label_map(tmp_path / "out_b" / "action_list.pbtxt").names == {1: "stand", 2: "walk", 3: "bend"}
    rows = (tmp_path / "out_b" / "annotations.csv").read_text()
    assert rows == "yard,0001,0.100,0.100,0.500,0.500,2,3\nyard,0001,0.100,0.100,0.500,0.500,3,3\n"


def test_coco_of_pictures_is_refused_in_one_line_that_names_key_and_image(tmp_path):
    """As Roboflow exports a video's frames: without videos and frame numbers."""
    content = {
        "categories": [{"id": 1, "name": "walk"}],
        "images": [{"id": 0, "file_name": "cam_a_mp4-0025_jpg.rf.0a1b2c.jpg", "height": 500, "width": 1000}],
        "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "bbox": [100, 50, 200, 400]}],
    }
    (tmp_path / "rf.json").write_text(json.dumps(content))
    done = start("annotations_to_ava.py", "coco", tmp_path / "rf.json", tmp_path / "out", "--fps", 25)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "image 0 (cam_a_mp4-0025_jpg.rf.0a1b2c.jpg): no 'video_id' and no 'frame_id'" in done.stderr
