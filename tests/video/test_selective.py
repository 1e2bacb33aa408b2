"""Skipping pictures never changes which frame a moment gets."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfb_lightning.errors import InputError
from lfb_lightning.video import VideoFile
from lfb_lightning.video.selective import WantedMoments, decode_needed
from tests.video.test_frames import constant, read_number, write_video


@settings(max_examples=200, deadline=None)
@given(
    pictures=st.lists(st.integers(0, 200), min_size=1, max_size=20, unique=True),
    moments=st.lists(st.floats(-20, 220), max_size=10).map(sorted),
)
def test_the_nearest_picture_is_always_needed(pictures, moments):
    wanted = WantedMoments(moments)
    for pts in pictures:
        wanted.see(pts)
    needed = {pts for pts in pictures if wanted.needs(pts)}
    for moment in moments:
        assert min(sorted(pictures), key=lambda pts: abs(pts - moment)) in needed
    if not moments:
        assert not needed


def test_pictures_that_nothing_refers_to_are_left_out(tmp_path):
    write_video(tmp_path / "a.mp4", constant(25, 8))
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        moments = [0.0, 4.0 / float(stream.time_base)]
        frames = [
            frame.pts * float(stream.time_base)
            for frame in decode_needed(container.demux(stream), stream.codec_context, moments)
        ]
    assert len(frames) < 150
    assert frames == sorted(frames)
    assert {0.0, 4.0} <= set(np.round(frames, 6).tolist())


def test_a_file_with_an_edit_list_is_read_by_presentation_time(tmp_path):
    write_video(tmp_path / "a.mp4", constant(25, 4), start=0)
    assert b"elst" in (tmp_path / "a.mp4").read_bytes()  # x264's B-frames shift the first decoding time
    clip = VideoFile(tmp_path / "a.mp4").clip(np.array([0.0, 0.04, 1.0, 3.96]))
    assert [read_number(frame) for frame in clip] == [0, 1, 25, 99]


def test_damage_is_reported_with_file_and_second(tmp_path):
    write_video(tmp_path / "a.mp4", constant(25, 8), gop=50)
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1200] = np.random.default_rng(0).integers(0, 256, 1200, dtype=np.uint8).tobytes()
    (tmp_path / "a.mp4").write_bytes(content)
    times = np.arange(0, 7, 0.04)
    with pytest.raises(InputError, match=r"a\.mp4: (decoding stopped after|the frame at) [2-5]\.\d\d s"):
        list(VideoFile(tmp_path / "a.mp4").stream(times[:, None]))
    early = VideoFile(tmp_path / "a.mp4").clip(np.array([0.0, 0.4]))
    assert [read_number(frame) for frame in early] == [0, 10]


def test_properties_are_the_containers(tmp_path):
    write_video(tmp_path / "a.mp4", constant(25, 4))
    found = VideoFile(tmp_path / "a.mp4").properties()
    assert (found.frames, found.fps, found.width, found.height) == (100, 25.0, 160, 48)
    assert found.seconds == pytest.approx(4.0, abs=0.05)
