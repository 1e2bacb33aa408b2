"""A fetched object stays for as long as anybody uses it, and no longer; obstore's own store of files stands for S3."""

import os
import subprocess
import sys
from contextlib import suppress

import pytest

pytest.importorskip("obstore", reason="lfb-lightning[cloud] is not installed")

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.fetching import local_copy, version_of
from lfb_lightning.files.objects.url import place_of
from tests.conftest import ROOT

_OTHER = """
import sys
from lfb_lightning.files.objects.fetching import local_copy
from lfb_lightning.files.objects.url import place_of

with local_copy(place_of(sys.argv[1]), "video") as path:
    print(path.read_text(), flush=True)
    sys.stdin.read()
"""

_NESTED = """
import sys
import obstore, obstore.store
from tests.no_posix import take_away

take_away(sys.argv[1])
from lfb_lightning.files.file_lock import KIND
from lfb_lightning.files.objects.fetching import local_copy
from lfb_lightning.files.objects.url import place_of

with local_copy(place_of(sys.argv[2]), "video") as path:
    with local_copy(place_of(sys.argv[2]), "video"):
        pass
    print(KIND, path.read_text())
"""


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """Where copies lie."""
    monkeypatch.setenv("LFB_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fetched"


@pytest.fixture
def url(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "v.mp4").write_text("the video")
    return place_of((tmp_path / "store" / "v.mp4").as_uri())


def left(fetched):
    return sorted(path.name for path in fetched.rglob("*"))


class Other:
    """Another process that uses a copy until it is told to end."""

    def __init__(self, url):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen([sys.executable, "-c", _OTHER, str(url)], text=True, **pipes)
        assert self._process.stdout.readline() == "the video\n"

    def end(self):
        self._process.communicate("", timeout=60)
        assert self._process.returncode == 0

    def kill(self):
        self._process.kill()
        self._process.communicate(timeout=60)


@pytest.mark.parametrize("first", ["other", "here"])
def test_the_last_of_two_processes_removes_their_copy(url, fetched, first):
    with local_copy(url, "video") as path:
        made = path.stat()
        other = Other(url)
        assert path.stat().st_ino == made.st_ino  # nothing was fetched again
        if first == "other":
            other.end()
            assert path.read_text() == "the video"
    if first == "here":
        assert path.read_text() == "the video"
        other.end()
    assert left(fetched) == []


def test_two_users_in_one_process_share_a_copy(url, fetched):
    with local_copy(url, "video") as path:
        with local_copy(url, "video") as again:
            assert again == path
        assert path.read_text() == "the video"
    assert left(fetched) == []


def test_a_video_that_cannot_be_used_leaves_nothing(url, fetched):
    with pytest.raises(InputError, match="no video"), local_copy(url, "video") as path:
        raise InputError(f"{path}: no video")
    assert left(fetched) == []


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt])
def test_an_interruption_keeps_the_copy_and_whoever_goes_on_removes_it(url, fetched, end):
    with suppress(end), local_copy(url, "video") as path:
        made = path.stat()
        raise end
    with local_copy(url, "video") as again:
        assert again == path
        assert again.stat().st_ino == made.st_ino
    assert left(fetched) == []


def test_a_killed_user_keeps_nobody_from_removing(url, fetched):
    Other(url).kill()
    assert [name for name in left(fetched) if name.endswith(".mp4")]
    with local_copy(url, "video") as path:
        assert path.read_text() == "the video"
    assert left(fetched) == []


def test_what_cannot_be_fetched_leaves_nothing_and_what_was_replaced_is_not_mixed(url, fetched, tmp_path):
    stated = version_of(url, "video")
    assert stated.size == len("the video")
    os.utime(tmp_path / "store" / "v.mp4", (1, 1))
    (tmp_path / "store" / "v.mp4").write_text("another one")
    with (
        pytest.raises(InputError, match="changed while it was read; run the command again"),
        local_copy(url, "video", stated),
    ):
        pass
    assert left(fetched) == []
    with pytest.raises(InputError, match=r"x\.mp4: no such object"):
        version_of(url.parent / "x.mp4", "video")


def test_no_object_name_leaves_the_folder_of_copies(fetched, tmp_path):
    (tmp_path / "store").mkdir()
    names = ["...mp4", "..\\up.mp4", ".._.mp4"]
    for name in names:
        (tmp_path / "store" / name).write_text(name)
    before = sorted(path for path in tmp_path.rglob("*"))
    for name in names:
        with local_copy(place_of(tmp_path.as_uri()) / "store" / name, "video") as path:
            assert path.resolve().is_relative_to(fetched)
            assert "\\" not in str(path)
            assert path.suffix == ".mp4"
            assert path.read_text() == name
    assert sorted(path for path in tmp_path.rglob("*") if not path.is_relative_to(fetched.parent)) == before


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["msvcrt", "none"])
def test_it_is_so_with_windows_locks_and_a_used_copy_stays_without_any(url, fetched, kind):
    command = [sys.executable, "-c", _NESTED, kind, str(url)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == f"{kind} the video\n", done.stderr
    assert left(fetched) == []
