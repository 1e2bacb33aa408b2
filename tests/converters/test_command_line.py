"""The command: what it says of files, folders and earlier results."""

import json
import subprocess
import sys
import zipfile

from lfb_lightning.converters.command_line import main
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
