"""The command: what it says of files, folders and earlier results."""

import json
import subprocess
import sys
import zipfile

from lfb_lightning.converters.command_line import main
from tests.converters import test_coco, test_cvat, test_label_studio, test_via
from tests.converters.test_coco import RIGHT


def test_an_archive_a_missing_file_and_a_file_for_a_folder_are_one_line(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("annotations.xml", "<annotations/>")
    (tmp_path / "right.json").write_text(json.dumps(RIGHT))
    for source, out, message in (
        ("a.zip", "out", "a zip archive; unpack it"),
        ("missing.json", "out", "no such file"),
        (".", "out", "no such file"),
        ("right.json", "a.zip", "cannot be made"),
    ):
        assert main(["coco", str(tmp_path / source), str(tmp_path / out), "--fps", "25"]) == 1
        errors = capsys.readouterr().err
        assert message in errors
        assert errors.count("\n") == 1


def test_an_earlier_result_is_replaced_and_it_is_said(tmp_path, capsys):
    (tmp_path / "right.json").write_text(json.dumps(RIGHT))
    command = ["coco", str(tmp_path / "right.json"), str(tmp_path / "out"), "--fps", "25"]
    assert main(command) == 0
    assert "is replaced" not in capsys.readouterr().out
    assert main(command) == 0
    assert "was there and is replaced" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["action_list.pbtxt", "annotations.csv"]


def test_the_installed_package_has_the_command():
    command = [sys.executable, "-m", "lfb_lightning.converters", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "label-studio" in done.stdout


def test_names_in_a_file_cannot_write_to_the_terminal(convert):
    content = {**RIGHT, "images": [{"id": 0, "file_name": "a\nb\x1b[31m.jpg"}]}
    assert "image 0 (a b?[31m.jpg): no 'video_id'" in convert("coco", json.dumps(content), "--fps", 25).error


def test_one_video_id_is_not_given_to_several_videos(convert):
    several = {
        "cvat": test_cvat.annotations(meta=test_cvat.project(test_cvat.task(number=1), test_cvat.task(number=2))),
        "coco": json.dumps(test_coco.coco([], [], videos=("a.mp4", "b.mp4"))),
        "label-studio": json.dumps(2 * test_label_studio.RIGHT),
        "via": json.dumps(test_via.project([test_via.VIDEO, test_via.VIDEO])),
        "boxes": "video_id,second,x1,y1,x2,y2\na,1,0,0,1,1\n",
    }
    for form, content in several.items():
        assert "--video shop: " in convert(form, content, "--video", "shop").error
    named = convert("coco", json.dumps(RIGHT), "--video", "shop", "--frame-name", "(?P<video>.)(?P<frame>.)")
    assert "give one of them" in named.error


def test_a_temporary_folder_that_cannot_be_written_is_one_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "right.json").write_text(json.dumps(RIGHT))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert main(["coco", str(tmp_path / "right.json"), str(tmp_path / "out"), "--fps", "25"]) == 1
    assert "missing: cannot be written" in capsys.readouterr().err
