"""A video is found by its id, whatever its ending looks like, in class folders too, and never outside of the root."""

import os
import time

import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.video import FrameFolder, VideoLibrary
from lfb_lightning.video.cache import CachedVideo


def refusal(library, video_id):
    with pytest.raises(InputError) as caught:
        library.open(video_id)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["GX01.MP4", "GX01.mp4", "GX01.Mkv", "GX01.wEbM", "GX01.AVI", "GX01.MOV"])
def test_endings_in_any_case(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert VideoLibrary(tmp_path).open("GX01").path == tmp_path / name


def test_dots_in_an_id_are_no_ending(tmp_path):
    for name in ("a.b.MP4", "a.mp4", "v_1.0.mp4.mkv"):
        (tmp_path / name).write_bytes(b"")
    library = VideoLibrary(tmp_path)
    assert library.open("a.b").path.name == "a.b.MP4"
    assert library.open("a").path.name == "a.mp4"
    assert library.open("v_1.0.mp4").path.name == "v_1.0.mp4.mkv"


def test_ids_with_class_folders(tmp_path):
    (tmp_path / "videos" / "sport" / "high jump").mkdir(parents=True)
    (tmp_path / "videos" / "sport" / "v_01.avi").write_bytes(b"")
    (tmp_path / "videos" / "sport" / "high jump" / "v_01.MP4").write_bytes(b"")
    root, cache = tmp_path / "videos", tmp_path / "cache"
    assert VideoLibrary(root).open("sport/v_01").path == root / "sport" / "v_01.avi"
    assert VideoLibrary(root).open("sport/high jump/v_01").path == root / "sport" / "high jump" / "v_01.MP4"
    frames = VideoLibrary(root, "frames").open("sport/high jump")
    assert isinstance(frames, FrameFolder)
    assert frames.path == root / "sport" / "high jump"
    cached = VideoLibrary(root, "cache", cache_dir=cache).open("sport/v_01")
    assert isinstance(cached, CachedVideo)
    assert cached.path == cache / "sport" / "v_01.frames"


LEAVING = ["", ".", "..", "/", "//", "/etc/passwd", "../secret", "sport/../../secret", "sport/..", "sport/.", "./v"]
ODD = ["sport//v", "sport/", "/sport/v", "sport\\v", "..\\v", "v\0", "sport/\0v", "C:\\v", "v\ud800"]


@pytest.mark.parametrize("source", ["video", "frames", "cache"])
@pytest.mark.parametrize("video_id", LEAVING + ODD)
def test_ids_do_not_leave_the_folder(tmp_path, source, video_id):
    (tmp_path / "root" / "sport").mkdir(parents=True)
    for name in ("secret.mp4", "root/v.mp4", "root/sport/v.mp4"):
        (tmp_path / name).write_bytes(b"")
    message = refusal(VideoLibrary(tmp_path / "root", source, cache_dir=tmp_path / "root"), video_id)
    assert "not a plain file name" in message


def test_an_id_that_no_file_system_takes_is_a_line(tmp_path):
    assert "not a plain file name" in refusal(VideoLibrary(tmp_path), "é" * 128)
    assert "cannot be listed" in refusal(VideoLibrary(tmp_path), "/".join(["v" * 200] * 30))


def test_two_files_of_one_id_are_refused_by_name(tmp_path):
    for name in ("v.mp4", "v.MKV", "w.mp4", "w.MP4", "x.mp4", "x.json", "x.mp4.part", ".x.mkv", "X.mkv"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "x.mov").mkdir()
    library = VideoLibrary(tmp_path)
    message = refusal(library, "v")
    assert "v.MKV" in message
    assert "v.mp4" in message
    assert "w.MP4" in refusal(library, "w")
    assert library.open("x").path.name == "x.mp4"


def test_a_missing_video_is_told_what_is_there_instead(tmp_path):
    for name in ("gx01.mp4", "clip.ogv", "whole.mp4"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "frames").mkdir()
    library = VideoLibrary(tmp_path)
    assert "there is gx01.mp4: upper and lower case differ" in refusal(library, "GX01")
    assert "there is clip.ogv: convert it" in refusal(library, "clip")
    assert "there is whole.mp4: ids are written without the ending" in refusal(library, "whole.mp4")
    assert "data.source=frames" in refusal(library, "frames")
    message = refusal(library, "nobody")
    assert "no file with one of the endings .mp4, .mkv" in message
    assert "there is" not in message
    assert "no such folder" in refusal(library, "sport/nobody")
    assert "no such folder" in refusal(VideoLibrary(tmp_path / "gone"), "v")


def test_a_folder_is_listed_once_and_again_when_it_changed(tmp_path, monkeypatch):
    for number in range(50):
        (tmp_path / f"v{number}.MP4").write_bytes(b"")
    settled = time.time() - 100
    os.utime(tmp_path, (settled, settled))
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    for number in range(50):
        assert VideoLibrary(tmp_path).open(f"v{number}").path.is_file()
    assert listed == [tmp_path]
    (tmp_path / "new.mp4").write_bytes(b"")
    assert VideoLibrary(tmp_path).open("new").path.is_file()
    (tmp_path / "newer.mp4").write_bytes(b"")
    assert VideoLibrary(tmp_path).open("newer").path.is_file()


def test_links_are_followed_for_reading(tmp_path):
    """Whoever keeps the folder put them there: class folders on another disk are links."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "v.mp4").write_bytes(b"")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "sport").symlink_to(tmp_path / "disk")
    (tmp_path / "root" / "w.mp4").symlink_to(tmp_path / "disk" / "v.mp4")
    library = VideoLibrary(tmp_path / "root")
    assert library.open("sport/v").path.is_file()
    assert library.open("w").path.is_file()
