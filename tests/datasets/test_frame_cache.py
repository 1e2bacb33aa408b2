"""The cache is made again where it would hold other frames, and kept where it would hold the same."""

from dataclasses import replace

import pytest

from lfb_lightning.clips import ClipSettings
from lfb_lightning.datasets import AvaDataset
from lfb_lightning.datasets.frame_cache import CacheRecipe, make_cache
from lfb_lightning.structures import VideoFailure
from tests.video.test_folder import save
from tests.video.test_frames import read_number


@pytest.fixture
def data(tmp_path):
    """Three frame folders in a class folder, 5 s of 10 frames per second; frame number k shows k."""
    for name in "abc":
        folder = tmp_path / "frames" / "sport" / name
        folder.mkdir(parents=True)
        for number in range(1, 51):
            save(folder / f"img_{number:05d}.jpg", number)
        (folder / "img_00002.jpg").unlink()
    return AvaDataset(
        video_dir=str(tmp_path / "frames"),
        label_map="",
        annotations="",
        proposals="",
        source="frames",
        cache_dir=str(tmp_path / "cache"),
        fps=10.0,
        origin_second=0.0,
        first_second=1,
        last_second=3,
    )


CLIPS = ClipSettings(fps=10.0, frame_stride=3)
IDS = ["sport/a", "sport/b", "sport/c"]


def make(data):
    return list(make_cache(data, CLIPS, IDS, CacheRecipe(), num_workers=0))


def shown(data):
    clip = replace(data, source="cache").videos.open("sport/a").clip(CLIPS.sampling.times(2.0))
    return [read_number(frame) for frame in clip]


def test_another_numbering_or_series_makes_it_again(data):
    assert [done.was_there for done in make(data)] == [False] * 3
    assert [done.was_there for done in make(data)] == [True] * 3
    assert shown(data) == [15, 18, 21, 24]
    from_0 = replace(data, first_frame_number=0)
    assert [done.was_there for done in make(from_0)] == [False] * 3
    assert shown(from_0) == [14, 17, 20, 23]
    assert [done.was_there for done in make(replace(data, frame_prefix="img_"))] == [False] * 3


def test_a_broken_folder_fails_and_the_others_are_made(data, tmp_path):
    bad = tmp_path / "frames" / "sport" / "b" / "img_00021.jpg"
    bad.write_bytes(bad.read_bytes()[:-300])
    failed = [done for done in make(data) if isinstance(done, VideoFailure)]
    assert [failure.video_id for failure in failed] == ["sport/b"]
    assert failed[0].reason.startswith(f"frame {bad}: cannot be read")
    assert sorted(path.name for path in (tmp_path / "cache" / "sport").iterdir()) == ["a.frames", "c.frames"]
