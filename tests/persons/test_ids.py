"""Ids and the files of `lfb-detect` are the same on every system."""

import os
import subprocess
import sys
from pathlib import PurePosixPath, PureWindowsPath

import pytest

from lfb_lightning.persons.moments import ids_of

_REASON = "video ü: \N{SNOWMAN} cannot be decoded"
_FAILURES = """
import sys
from pathlib import Path
from lfb_lightning.persons.part_files import PartFiles

parts = PartFiles(Path(sys.argv[1]) / "out.csv", lambda name: "")
parts.folder.mkdir()
parts.fail("v", sys.argv[2].encode().decode("unicode_escape"))
print(ascii(parts.failures(["v", "w"])))
"""


@pytest.mark.parametrize("system", [PurePosixPath, PureWindowsPath])
def test_ids_of_files_in_folders_have_slashes_on_every_system(system):
    names = ["sport/v_01.mp4", "a b/c/d.MKV", "top.webm", "sport/note.txt", "sport/._v_01.mp4", ".kept/x.mp4"]
    assert ids_of(map(system, names)) == {"sport/v_01", "a b/c/d", "top"}


def test_reasons_are_read_as_they_were_written_whatever_the_systems_encoding(tmp_path):
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    typed = _REASON.encode("unicode_escape").decode()
    command = [sys.executable, "-c", _FAILURES, str(tmp_path), typed]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == ascii({"v": _REASON}), done.stderr
