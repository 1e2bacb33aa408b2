"""Frames are exact: every file carries its frame numbers in the pixels."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lfb_lightning.errors import InputError
from lfb_lightning.video import FrameFolder, VideoFile, VideoLibrary
from lfb_lightning.video.protocol import nearest_frames

BITS = 10
SIZE = 16 * BITS


def numbered_frame(number):
    """A frame whose ten vertical bars are the bits of its number."""
    bars = [255 if number >> bit & 1 else 0 for bit in range(BITS)]
    return np.repeat(np.repeat(np.array(bars, dtype=np.uint8), 16)[None, :, None], 3, axis=2).repeat(48, axis=0)


def read_number(frame):
    return sum(1 << bit for bit in range(BITS) if frame[:, 16 * bit + 4 : 16 * bit + 12].mean() > 127)


def write_video(
    path, times, *, time_base=Fraction(1, 1000), start=0, gop=250, codec="libx264", options=None, container=None
):
    """Frame i is shown at times[i] seconds; `start` shifts every time stamp."""
    with av.open(str(path), "w", options=container or {}) as container:
        settings = {"crf": "18", "bf": "3", "g": str(gop), "preset": "veryfast", **(options or {})}
        stream = container.add_stream(codec, rate=25, options=settings)
        stream.width, stream.height, stream.pix_fmt = SIZE, 48, "yuv420p"
        stream.codec_context.time_base = time_base
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number), format="rgb24")
            frame.pts = round((time + start) / time_base)
            frame.time_base = time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def constant(fps, seconds):
    return [i / fps for i in range(int(fps * seconds))]


VARIABLE = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.2, 150)).tolist()
VARIABLE = [time - VARIABLE[0] for time in VARIABLE]
FILES = {
    "b_frames.mp4": {"times": constant(25, 8)},
    "starts_at_five.mkv": {"times": constant(25, 8), "start": 5},
    "ntsc_in_milliseconds.mkv": {"times": constant(30000 / 1001, 8)},
    "variable_rate.mkv": {"times": VARIABLE},
    "short_gop.mp4": {"times": constant(10, 20), "gop": 15},
    "transport_stream.ts": {"times": constant(25, 8), "gop": 50},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for name, how in FILES.items():
        write_video(folder / name, **how)
    return folder


def expected_numbers(times, wanted):
    times = np.round(np.array(times), 6)
    return [int(np.abs(times - t).argmin()) for t in wanted]


@pytest.mark.parametrize("name", FILES)
def test_random_access_is_exact(files, name):
    times = FILES[name]["times"]
    video = VideoFile(files / name)
    rng = np.random.default_rng(1)
    for _ in range(12):
        # On a frame's own time: what a clip asks for when its rate is the video's.
        wanted = sorted(rng.choice(len(times), 4, replace=False).tolist())
        clip = video.clip(np.array([times[i] for i in wanted]))
        assert [read_number(frame) for frame in clip] == wanted


@pytest.mark.parametrize("name", FILES)
def test_streaming_gives_what_random_access_gives(files, name):
    times = FILES[name]["times"]
    video = VideoFile(files / name)
    clip_times = np.array([[t - 0.64, t - 0.32, t, t + 0.32] for t in np.arange(0.0, times[-1], 0.7)])
    clips = list(video.stream(clip_times))
    assert len(clips) == len(clip_times)
    for clip, wanted in zip(clips, clip_times, strict=True):
        np.testing.assert_array_equal(clip, video.clip(wanted))


def test_times_outside_give_the_first_and_the_last_frame(files):
    clip = VideoFile(files / "b_frames.mp4").clip(np.array([-3.0, -0.1, 7.96, 99.0]))
    assert [read_number(frame) for frame in clip] == [0, 0, 199, 199]


@pytest.mark.parametrize("name", ["whole.mkv", "whole.mp4"])
def test_a_file_that_was_cut_off_between_two_pictures_is_refused_though_its_header_states_the_whole(tmp_path, name):
    path = tmp_path / name
    write_video(path, constant(25, 8), gop=25, container={"movflags": "faststart"} if name.endswith("mp4") else {})
    clip_times = np.arange(0.5, 8, 0.5)[:, None]
    assert len(list(VideoFile(path).stream(clip_times, reach=8.0))) == len(clip_times)
    with av.open(str(path)) as container:
        ends = [packet.pos + packet.size for packet in container.demux(video=0) if packet.pos]
    path.write_bytes(path.read_bytes()[: sorted(ends)[len(ends) // 2]])
    assert VideoFile(path).properties().seconds == pytest.approx(8.0, abs=0.1)
    with pytest.raises(InputError, match=rf"{name}: its frames end after [34]\.\d s, but clips up to 8\.0 s"):
        list(VideoFile(path).stream(clip_times, reach=8.0))
    assert len(list(VideoFile(path).stream(clip_times))) == len(clip_times), "the last frame stands for what is missing"


@settings(max_examples=100, deadline=None)
@given(
    frames=st.lists(st.integers(0, 1000), min_size=1, max_size=30, unique=True).map(sorted),
    times=st.lists(st.integers(-50, 1100), min_size=1, max_size=20).map(sorted),
)
def test_nearest_frame_is_the_nearest(frames, times):
    picked = dict(nearest_frames([(float(f), f) for f in frames], np.array(times, dtype=float)))
    assert list(picked) == list(range(len(times)))
    for index, time in enumerate(times):
        assert abs(picked[index] - time) == min(abs(f - time) for f in frames)


def test_no_frames_give_nothing():
    assert list(nearest_frames([], np.array([1.0]))) == []


def test_folder_of_jpegs_reads_by_number(tmp_path):
    folder = tmp_path / "vid"
    folder.mkdir()
    for number in range(40):
        Image.fromarray(numbered_frame(number)).save(folder / f"vid_{number + 1:06d}.jpg", quality=95)
    video = FrameFolder(folder, fps=10.0)
    clip = video.clip(np.array([-1.0, 0.0, 1.24, 1.26, 3.9, 50]))
    assert [read_number(frame) for frame in clip] == [0, 0, 12, 13, 39, 39]
    streamed = list(video.stream(np.array([[0.0, 0.1], [1.0, 1.1]])))
    assert [[read_number(frame) for frame in clip] for clip in streamed] == [[0, 1], [10, 11]]


def test_missing_and_broken_videos_are_named(tmp_path):
    library = VideoLibrary(tmp_path)
    with pytest.raises(InputError, match=r"nobody.*no file with one of the endings"):
        library.open("nobody")
    (tmp_path / "garbage.mp4").write_bytes(b"not a video" * 100)
    with pytest.raises(InputError, match=r"garbage\.mp4: cannot be decoded"):
        library.open("garbage").clip(np.array([0.0]))
    with pytest.raises(InputError, match="no such folder"):
        VideoLibrary(tmp_path, "frames").open("nobody").clip(np.array([0.0]))


@pytest.mark.parametrize("video_id", ["../secret", "", "..", "/etc/passwd"])
def test_video_ids_do_not_leave_the_folder(tmp_path, video_id):
    with pytest.raises(InputError, match="not a plain file name"):
        VideoLibrary(tmp_path).open(video_id)


def test_truncated_video_is_named_or_ends_early(files, tmp_path):
    content = (files / "transport_stream.ts").read_bytes()
    path = tmp_path / "cut.ts"
    path.write_bytes(content[: len(content) // 2])
    clip = VideoFile(path).clip(np.array([0.0, 0.04]))
    assert [read_number(frame) for frame in clip] == [0, 1]
    mp4 = (files / "b_frames.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(mp4[: len(mp4) // 2])
    with pytest.raises(InputError, match=r"cut\.mp4"):
        VideoFile(tmp_path / "cut.mp4").clip(np.array([0.0]))
