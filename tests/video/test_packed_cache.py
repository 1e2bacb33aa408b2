"""The packed cache gives the frames of the files that were packed, bit by bit, and believes nothing that its index says."""

import zipfile

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lfb_lightning.errors import InputError
from lfb_lightning.video import VideoFile, VideoLibrary
from lfb_lightning.video.cache import write_cache
from lfb_lightning.video.packed_cache import INDEX, packed_index, write_archive
from tests.video.test_frames import constant, write_video

TIMES = np.array([0.0, 0.5, 3.0])
IDS = ("a", "sport/b", "ü")


@pytest.fixture
def cache(tmp_path):
    """A folder with a cache file for each of `IDS`, made of videos whose frames differ."""
    folder = tmp_path / "cache"
    (folder / "sport").mkdir(parents=True)
    for number, video_id in enumerate(IDS):
        write_video(tmp_path / "a.mp4", constant(25, 4 - number))
        made = {"video_id": video_id}
        video = VideoFile(tmp_path / "a.mp4")
        write_cache(folder / f"{video_id}.frames", video, TIMES, short_side=320, quality=95, made_from=made)
    return folder


def files_of(folder, ids=IDS):
    return {video_id: folder / f"{video_id}.frames" for video_id in ids}


def library(folder):
    return VideoLibrary(folder.parent, source="cache", cache_dir=folder)


def pack(folder, ids=IDS):
    """Pack videos and remove their files."""
    write_archive(folder, files_of(folder, ids), packed_index(folder))
    for path in files_of(folder, ids).values():
        path.unlink()


def test_packed_frames_are_those_of_the_files_and_any_program_unpacks_them(cache):
    before = {video_id: path.read_bytes() for video_id, path in files_of(cache).items()}
    clips = {video_id: library(cache).open(video_id).clip(TIMES) for video_id in IDS}
    pack(cache, IDS[:2])
    pack(cache, IDS[2:])  # beside the first
    assert sorted(path.name for path in cache.iterdir() if path.is_file()) == [
        "frames-00000.zip",
        "frames-00001.zip",
        INDEX,
    ]
    for video_id in IDS:
        packed = library(cache).open(video_id)
        np.testing.assert_array_equal(packed.clip(TIMES), clips[video_id])
        assert packed.describe()["video_id"] == video_id
        packed.verify()
    assert [name for name, _ in packed_index(cache).entries()] == sorted(IDS)
    unpacked = {}
    for path in cache.glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            unpacked |= {name.removesuffix(".frames"): archive.read(name) for name in archive.namelist()}
    assert unpacked == before
    with pytest.raises(InputError, match=r"nobody\.frames: no such file; run `lfb-cache`"):
        library(cache).open("nobody").clip(TIMES)


def test_a_file_of_its_own_is_newer_and_takes_the_place_of_the_packed_one(cache, tmp_path):
    other = files_of(cache)["a"].read_bytes()
    pack(cache)
    write_video(tmp_path / "a.mp4", constant(25, 2))
    new = VideoFile(tmp_path / "a.mp4")
    write_cache(cache / "a.frames", new, TIMES[:2], short_side=320, quality=95, made_from={"video_id": "new"})
    assert (cache / "a.frames").read_bytes() != other
    assert library(cache).open("a").describe()["video_id"] == "new"
    pack(cache, ["a"])
    assert library(cache).open("a").describe()["video_id"] == "new"
    assert len(packed_index(cache)) == 3
    files = cache / "b.frames", cache / "ü.frames"
    for video_id, path in zip(IDS[1:], files, strict=True):
        write_cache(path, new, TIMES, short_side=320, quality=95, made_from={"video_id": video_id})
    write_archive(cache, dict(zip(IDS[1:], files, strict=True)), packed_index(cache))
    left = {path.name for path in cache.glob("*.zip")}
    assert left == {"frames-00001.zip", "frames-00002.zip"}, "the first archive has no video any more that is read"


def test_an_archive_without_an_index_is_not_there_and_is_written_anew(cache):
    pack(cache, IDS[:1])
    (cache / "frames-00001.zip").write_bytes(b"half of it")  # a writer was killed here
    assert len(packed_index(cache)) == 1
    pack(cache, IDS[1:])
    assert library(cache).open("ü").clip(TIMES).shape == (3, 48, 160, 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": np.array([1], np.int64)},
        {"sizes": np.array([1, 2, 3], np.int32)},
        {"name_ends": np.zeros((3, 1), np.int64)},
        {"begins": np.zeros(3)},
    ],
)
def test_an_index_of_another_form_is_one_line(cache, changes):
    pack(cache)
    save_file(load_file(cache / INDEX) | changes, cache / INDEX)
    with pytest.raises(InputError, match=r"packed\.safetensors: cannot be read .*run `lfb-cache pack=true` again"):
        library(cache).open("a").clip(TIMES)


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": np.full(3, 2**62)},
        {"sizes": np.full(3, -1)},
        {"sizes": np.full(3, 7)},
        {"begins": np.full(3, 2**62)},
        {"begins": np.full(3, -5)},
        {"begins": np.full(3, 1)},
        {"archives": np.full(3, -1, np.int32)},
        {"archives": np.full(3, 9, np.int32)},
        {"name_ends": np.full(3, -3)},
        {"name_ends": np.full(3, 2**62)},
    ],
)
def test_an_index_that_leads_astray_gives_no_frame(cache, changes):
    pack(cache)
    save_file(load_file(cache / INDEX) | changes, cache / INDEX)
    with pytest.raises(InputError, match=r"frame cache .*\.frames: (cannot be read|no such file)"):
        library(cache).open("sport/b").clip(TIMES)
    with pytest.raises(InputError, match="it would leave"):
        library(cache).open("../a").clip(TIMES)
