"""Videos and frame caches in S3 (moto): the same frames as from a disk, few bytes for a clip, one line for each failure."""

import multiprocessing
import pickle
from contextlib import suppress
from datetime import timedelta

import numpy as np
import obstore
import pytest
from benchmarks.codecs import CELLS, write_cell
from obstore.store import from_url

from lfb_lightning.cli.predict_videos import find_videos
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects import block_cache, ranged_file, store
from lfb_lightning.files.objects.fetching import local_copy
from lfb_lightning.files.objects.url import place_of
from lfb_lightning.persons.moments import moments_of_folder
from lfb_lightning.video import VideoFile, VideoLibrary
from lfb_lightning.video.cache import CachedVideo, write_cache
from lfb_lightning.video.survey import survey
from tests import moto_server
from tests.video.test_frames import FILES, constant, read_number, write_video
from tests.video.test_untrusted import PLAYLISTS

CLIPS = [np.array([0.3, 0.7, 1.1]), np.array([4.0, 4.04, 6.2]), np.array([-1.0, 99.0])]
URL = "s3://bucket/videos"


@pytest.fixture
def put(moto, tmp_path, monkeypatch):
    """Puts files below the URL."""
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LFB_CACHE_DIR", str(tmp_path / "cache"))
    soon = {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=2)}
    monkeypatch.setattr(store, "RETRIES", {"max_retries": 1, "backoff": soon})
    fresh(monkeypatch)

    def put(name, content):
        obstore.put(from_url(URL, client_options={"allow_http": True}), name, content)
        return f"{URL}/{name}"

    return put


def fresh(monkeypatch):
    """As in a new process: nothing is remembered, and no connection is open."""
    monkeypatch.setattr(ranged_file, "_kept", ranged_file._Remembered())
    ranged_file._store.cache_clear()


def small_blocks(monkeypatch, size):
    for module in (block_cache, ranged_file):
        monkeypatch.setattr(module, "BLOCK", size)


def same(url, path):
    there, here = VideoFile(url), VideoFile(path)
    assert there.properties() == here.properties()
    for times in CLIPS:
        np.testing.assert_array_equal(there.clip(times), here.clip(times))
    clips = np.array([[t - 0.3, t, t + 0.3] for t in np.arange(0.5, 2.0, 0.5)])
    for found, expected in zip(there.stream(clips), here.stream(clips), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert survey(url) == survey(path)


def refused(act, why):
    with pytest.raises(InputError, match=why) as error:
        act()
    assert "\n" not in str(error.value)
    assert "secret-of-the-test" not in str(error.value)


@pytest.mark.parametrize("name", FILES)
def test_frames_are_those_of_the_file(put, tmp_path, name):
    write_video(tmp_path / name, **FILES[name])
    same(put(name, (tmp_path / name).read_bytes()), tmp_path / name)


def test_frames_of_a_google_url_are_those_of_the_file(put, moto, tmp_path, monkeypatch):
    for name, value in moto.google_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    name = next(iter(FILES))
    write_video(tmp_path / name, **FILES[name])
    put(name, (tmp_path / name).read_bytes())
    same(f"gs{URL.removeprefix('s3')}/{name}", tmp_path / name)


@pytest.mark.thorough
@pytest.mark.parametrize("number", range(len(CELLS)))
def test_frames_of_every_codec_are_those_of_the_file(put, tmp_path, number):
    for ending in CELLS[number].containers:
        path = tmp_path / f"a.{ending}"
        write_cell(path, CELLS[number])
        same(put(f"{number}.{ending}", path.read_bytes()), path)
        same(path.as_uri(), path)


@pytest.mark.parametrize("gigabytes", ["0", "1"])
def test_a_clip_of_a_long_video_fetches_little_and_again_nothing(put, moto, tmp_path, monkeypatch, gigabytes):
    monkeypatch.setenv("LFB_CACHE_GB", gigabytes)
    write_video(tmp_path / "a.mp4", constant(10, 40), gop=10)
    content = (tmp_path / "a.mp4").read_bytes()
    place = content.index(b"mdat")  # the packets lie further apart: eight megabytes of nothing before the index
    length = int.from_bytes(content[place - 4 : place], "big")
    filler = (8 << 20).to_bytes(4, "big") + b"free" + bytes((8 << 20) - 8)
    url = put("long.mp4", content[: place - 4 + length] + filler + content[place - 4 + length :])
    line = moto_server.Line(moto.port)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
    (frame,) = VideoFile(url).clip(np.array([31.0]))
    assert read_number(frame) == 310
    assert 100_000 < line.received < 2_000_000
    line.mend()
    VideoFile(url).clip(np.array([31.0]))
    assert line.received == 0
    fresh(monkeypatch)
    VideoFile(url).clip(np.array([31.0]))
    assert (line.received < 10_000) == (gigabytes == "1")  # its size and version alone
    line.close()


def test_a_whole_video_is_fetched_by_choice(put, moto, tmp_path, monkeypatch):
    write_video(tmp_path / "a.mkv", constant(25, 8))
    url = put("whole.mkv", (tmp_path / "a.mkv").read_bytes())
    monkeypatch.setenv("LFB_VIDEO_FETCH", "whole")
    VideoFile(url).clip(CLIPS[0])
    monkeypatch.setattr(store.ObjectStore, "range", None)  # nothing is requested any more
    same(url, tmp_path / "a.mkv")
    fresh(monkeypatch)
    monkeypatch.setenv("LFB_CACHE_GB", "0.00001")
    refused(lambda: VideoFile(url).clip(CLIPS[0]), "LFB_VIDEO_FETCH=whole needs a cache of twice its 0.00 GB")
    monkeypatch.setenv("LFB_VIDEO_FETCH", "all")
    refused(lambda: VideoFile(url).clip(CLIPS[0]), "LFB_VIDEO_FETCH is 'all', expected ranges or whole")


def test_a_video_that_changes_while_it_is_read_is_refused_and_then_read_anew(put, tmp_path, monkeypatch):
    monkeypatch.setenv("LFB_CACHE_GB", "0")
    monkeypatch.setattr(ranged_file, "_IN_MEMORY", 1)
    small_blocks(monkeypatch, 1024)
    write_video(tmp_path / "a.mp4", constant(25, 8), gop=10)
    content = (tmp_path / "a.mp4").read_bytes()
    video = VideoFile(put("changing.mp4", content))
    expected = video.clip(CLIPS[0])
    put("changing.mp4", content[:-1] + b"?")
    refused(lambda: video.clip(CLIPS[1]), r"video s3://bucket/videos/changing\.mp4: has been changed while it was read")
    np.testing.assert_array_equal(video.clip(CLIPS[0]), expected)  # the new one


def test_videos_are_found_by_id(put, tmp_path):
    library = VideoLibrary(place_of("s3://bucket/ids", "video"))
    ids = from_url("s3://bucket/ids", client_options={"allow_http": True})
    for name in ("a.mp4", "b.MOV", "class 1/ü #1%.webm", "two.mp4", "two.avi"):
        obstore.put(ids, name, b"x")
    for video_id, name in (("a", "a.mp4"), ("b", "b.MOV"), ("class 1/ü #1%", "class 1/ü #1%.webm")):
        assert str(library.open(video_id).path) == f"s3://bucket/ids/{name}"
        assert library.open(video_id).path.object() == ("s3://bucket/ids", name)
    refused(lambda: library.open("two"), r"two: there are two\.mp4 and two\.avi")
    refused(lambda: library.open("none"), r"s3://bucket/ids/none: no object with one of the endings")
    refused(lambda: library.open("../a"), "is not a plain file name")
    refused(lambda: VideoLibrary(library.video_dir, "frames").open("a"), "make a frame cache of them")
    refused(lambda: library.open("a").clip(CLIPS[0]), r"video s3://bucket/ids/a\.mp4: cannot be decoded")


def test_a_list_of_other_files_is_no_video(put, tmp_path):
    write_video(tmp_path / "good.mp4", constant(25, 1))
    put("good.mp4", (tmp_path / "good.mp4").read_bytes())
    lists = {**PLAYLISTS, "absolute": f"ffconcat version 1.0\nfile 'file:{tmp_path}/good.mp4'\n"}
    for kind, text in lists.items():
        url = put(f"{kind}.mp4", text.encode())
        refused(lambda url=url: VideoFile(url).clip(CLIPS[0]), rf"video s3://bucket/videos/{kind}\.mp4: ")


def test_each_failure_is_one_line(put, moto, tmp_path, monkeypatch):
    write_video(tmp_path / "a.mp4", constant(25, 2))
    content = (tmp_path / "a.mp4").read_bytes()

    def clip(url):
        fresh(monkeypatch)
        return lambda: VideoFile(url).clip(CLIPS[0])

    refused(clip(put("cut.mp4", content[: len(content) // 2])), r"videos/cut\.mp4: is truncated")
    refused(clip(f"{URL}/none.mp4"), r"videos/none\.mp4: no such object")
    refused(clip("s3://nobucket/a.mp4"), r"s3://nobucket/a\.mp4: cannot be read \(there is no such bucket")
    refused(lambda: VideoLibrary(place_of("s3://nobucket/ids", "video")).open("a"), "there is no such bucket")
    refused(clip("ftp://host/a.mp4"), "video ftp://...: expected a folder, or a URL of s3")
    url = put("a.mp4", content)
    moto.check_keys_after(0)
    refused(clip(url), r"videos/a\.mp4: cannot be read \(the store refuses the key: 403")
    moto.check_keys_after(1e9)
    line = moto_server.Line(moto.port)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
    line.cut_after(1500)  # of what is sent: the line breaks after some requests
    fresh(monkeypatch)
    small_blocks(monkeypatch, 512)
    monkeypatch.setenv("LFB_CACHE_GB", "0")
    refused(
        lambda: VideoFile(url).clip(CLIPS[0]), r"videos/a\.mp4: cannot be read \(no whole answer came from http://127"
    )
    line.close()


def test_a_frame_cache_gives_the_same_clips(put, tmp_path, monkeypatch):
    write_video(tmp_path / "a.mp4", constant(25, 8))
    moments = np.arange(0, 7, 0.2)
    write_cache(tmp_path / "a.frames", VideoFile(tmp_path / "a.mp4"), moments, short_side=48, quality=90, made_from={})
    here, url = CachedVideo(tmp_path / "a.frames"), put("cached/a.frames", (tmp_path / "a.frames").read_bytes())
    library = VideoLibrary(tmp_path, "cache", cache_dir=place_of(f"{URL}/cached", "frame cache"))
    there = library.open("a")
    assert str(there.path) == url
    np.testing.assert_array_equal(there.clip(moments[3:9]), here.clip(moments[3:9]))
    assert there.properties() == here.properties()
    there.verify()
    refused(lambda: there.clip(np.array([0.1])), r"frame cache s3://bucket/videos/cached/a\.frames: was not made for")
    refused(lambda: library.open("b").clip(moments[:1]), r"cached/b\.frames: no such object")
    fresh(monkeypatch)
    put("cached/a.frames", b"\x10" + bytes(100))
    refused(lambda: library.open("a").clip(moments[:1]), r"cached/a\.frames: cannot be read")


def _clip(place, times, queue):
    try:
        queue.put(VideoFile(place).clip(times))
    except InputError as error:
        queue.put(str(error))


def test_a_process_that_was_started_anew_reads_and_a_forked_one_says_how(put, tmp_path):
    write_video(tmp_path / "a.mp4", constant(25, 2))
    video = VideoFile(put("processes.mp4", (tmp_path / "a.mp4").read_bytes()))
    expected = video.clip(CLIPS[0])
    VideoLibrary(place_of(URL, "video"))
    assert store.worker_start_method() == "spawn"
    found = {}
    for method in ("spawn", "fork"):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        process = context.Process(target=_clip, args=(video.path, CLIPS[0], queue))
        process.start()
        found[method] = queue.get(timeout=120)
        process.join()
    np.testing.assert_array_equal(found["spawn"], expected)
    assert pickle.loads(pickle.dumps(video.path)).object() == video.path.object()


def test_commands_list_and_fetch_the_videos_of_a_url(put, tmp_path, monkeypatch):
    for name in ("b.mp4", "a.MKV", "note.txt", "class/c.mp4", "._b.mp4", "...mp4", ".hidden.mkv"):
        put(f"listed/{name}", name.encode())
    url = f"{URL}/listed"
    assert list(map(str, find_videos(url))) == [f"{url}/a.MKV", f"{url}/b.mp4"]
    (one,) = find_videos(f"{url}/b.mp4")
    refused(lambda: find_videos(f"{URL}/nothing"), r"videos/nothing: no object there has one of the endings")
    assert list(moments_of_folder(place_of(url), 1, 0).ticks) == ["a", "b", "class/c"]
    found = moments_of_folder(one, 1, 0)
    assert list(found.ticks) == ["b"]
    assert str(found.open_video("b").path) == f"{url}/b.mp4"
    states = []
    for fails in (True, False):
        with suppress(RuntimeError), local_copy(one, "video") as path:
            assert path.read_bytes() == b"b.mp4"
            states.append((path, path.stat().st_mtime))
            if fails:
                raise RuntimeError
        assert path.exists() == fails  # work on it goes on
    assert states[0] == states[1]
    with local_copy(tmp_path / "here.mp4", "video") as path:
        assert path == tmp_path / "here.mp4"
    with pytest.raises(InputError, match=r"listed/x\.mp4: no such object"), local_copy(one.parent / "x.mp4", "video"):
        pass
