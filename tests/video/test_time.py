"""Seconds count from the first frame; a frame lasts its duration; streams without time stamps are read by number."""

from fractions import Fraction

import av
import numpy as np
import pytest
from benchmarks.codecs import CELLS, FPS, FRAMES, HEIGHT, WIDTH, numbered_frame, read_number, write_cell

from lfb_lightning.errors import InputError
from lfb_lightning.video import VideoFile
from lfb_lightning.video.survey import survey

KINDS = {cell.what: cell for cell in CELLS}
TIMES = np.array([[0, 1, 30], [31, 60, 99]]) / FPS
NUMBERS = [[0, 1, 30], [31, 60, 99]]


def encoded(count, *, options=None, size=(WIDTH, HEIGHT), codec="libx264", first_number=0):
    """Packets of numbered frames, their time stamps counted in frames."""
    encoder = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", Fraction(1, FPS), Fraction(FPS)
    encoder.options = {"g": "15"} | (options or {})
    packets = []
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(numbered_frame(first_number + number), format="rgb24")
        frame = frame.reformat(width=size[0], height=size[1], format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        packets += encoder.encode(frame)
    return packets + encoder.encode(None)


def write(path, packets, *, codec="libx264", options=None, container_format=None):
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=FPS, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for packet in packets:
            packet.stream, packet.time_base = stream, Fraction(1, FPS)
            container.mux(packet)


def read_both_ways(video):
    by_seek = [[read_number(frame) for frame in video.clip(times)] for times in TIMES]
    by_stream = [[read_number(frame) for frame in clip] for clip in video.stream(TIMES)]
    assert by_seek == by_stream
    return by_seek


def shifted(path, start):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"bf": "3", "g": "15"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number), format="rgb24")
            frame.pts, frame.time_base = number + start, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "flv"])
def test_a_late_start_changes_neither_the_frames_nor_the_length(tmp_path, ending):
    shifted(tmp_path / f"a.{ending}", 5 * FPS)
    video = VideoFile(tmp_path / f"a.{ending}")
    assert read_both_ways(video) == NUMBERS
    assert video.properties().seconds == pytest.approx(FRAMES / FPS, abs=2.5 / FPS)


@pytest.mark.parametrize(
    "kind", ["H.264", "HEVC, open GOP", "MPEG-4 ASP", "MPEG-2", "AV1", "VP9", "Motion JPEG", "ProRes"]
)
def test_the_length_is_that_of_all_frames(tmp_path, kind):
    for ending in KINDS[kind].containers:
        path = tmp_path / f"a.{ending}"
        write_cell(path, KINDS[kind])
        assert VideoFile(path).properties().seconds == pytest.approx(FRAMES / FPS, abs=2.5 / FPS), ending
        assert survey(path).frames == FRAMES, ending
        assert survey(path).seconds == pytest.approx(FRAMES / FPS, abs=1.5 / FPS), ending


@pytest.mark.parametrize("container", ["h264", "hevc"])
def test_a_renamed_stream_without_time_stamps_is_read_by_number(tmp_path, container):
    write_cell(tmp_path / f"a.{container}", KINDS["H.264" if container == "h264" else "HEVC, open GOP"])
    path = (tmp_path / f"a.{container}").rename(tmp_path / "a.mp4")
    video = VideoFile(path)
    assert read_both_ways(video) == NUMBERS
    assert video.properties().seconds == pytest.approx(FRAMES / FPS)
    found = survey(path)
    assert (found.frames, found.without_time_stamp) == (FRAMES, FRAMES)


def test_a_stream_with_neither_time_stamps_nor_a_rate_is_refused_with_how_to_add_them(tmp_path):
    """FFmpeg says 25 frames per second of such a stream, which would put every frame at a wrong time."""
    options = KINDS["HEVC, open GOP"].options
    packets = encoded(30, codec="libx265", options={"x265-params": options["x265-params"] + ":vui-timing-info=0"})
    (tmp_path / "a.mp4").write_bytes(b"".join(bytes(packet) for packet in packets))
    with pytest.raises(
        InputError, match=r"a\.mp4: has neither time stamps nor a frame rate; write them: `ffmpeg -r RATE"
    ):
        VideoFile(tmp_path / "a.mp4").clip(np.array([0.5]))


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_a_still_last_picture_is_no_cut(tmp_path, ending):
    packets = encoded(60)
    max(packets, key=lambda packet: packet.pts).duration = 10 * FPS
    write(tmp_path / f"a.{ending}", packets)
    video = VideoFile(tmp_path / f"a.{ending}")
    assert video.properties().seconds == pytest.approx(59 / FPS + 10, abs=0.1)
    (clip,) = video.stream(np.array([[1.0, 8.0, 11.0]]), reach=11.0)
    assert [read_number(frame) for frame in clip] == [30, 59, 59]
    assert [read_number(frame) for frame in video.clip(np.array([1.0, 8.0, 11.0]))] == [30, 59, 59]
    assert survey(tmp_path / f"a.{ending}").gaps == ()


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_the_frames_that_a_cut_took_away_are_not_replaced_by_the_last_one(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    with av.open(str(path), "w", options={"movflags": "faststart"} if ending == "mp4" else {}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"g": "15"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(8 * FPS):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered_frame(number), format="rgb24")))
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = VideoFile(path)
    assert read_number(video.clip(np.array([1.0]))[0]) == FPS
    with pytest.raises(InputError, match=rf"a\.{ending}: .*(cut off|truncated)"):
        video.clip(np.array([7.0]))
    with pytest.raises(InputError, match=rf"a\.{ending}: .*(cut off|truncated)"):
        list(video.stream(np.array([[1.0], [7.0]]), reach=7.0))


def test_a_truncated_mp4_is_called_truncated(tmp_path):
    write_cell(tmp_path / "a.mp4", KINDS["H.264"])
    content = (tmp_path / "a.mp4").read_bytes()
    for name, part in {"half": content[: len(content) // 2], "no index": content[: content.index(b"moov") - 4]}.items():
        (tmp_path / f"{name}.mp4").write_bytes(part)
        with pytest.raises(
            InputError, match=rf"{name}\.mp4: is truncated \(.* (is|are) missing\); copy or download it"
        ):
            VideoFile(tmp_path / f"{name}.mp4").clip(np.array([0.0]))


def test_a_gap_between_time_stamps_is_found(tmp_path):
    packets = encoded(90)
    for packet in packets:
        if packet.pts >= 45:
            packet.pts, packet.dts = packet.pts + 60, packet.dts + 60
    write(tmp_path / "a.mkv", packets)
    (gap,) = survey(tmp_path / "a.mkv").gaps
    assert gap == pytest.approx((44 / FPS, 61 / FPS), abs=0.01)


def test_time_stamps_that_go_back_are_refused(tmp_path):
    packets = encoded(60, options={"bf": "0"})
    write(tmp_path / "a.ts", packets)
    content = (tmp_path / "a.ts").read_bytes()
    (tmp_path / "a.ts").write_bytes(content + content)  # two recordings in one file
    with pytest.raises(InputError, match=r"a\.ts: its time stamps go back from 1\.97 s to 0\.00 s"):
        list(VideoFile(tmp_path / "a.ts").stream(np.array([[0.5], [3.0]])))


SIZES = {"H.264 in ts": ("libx264", "ts"), "VP9 in webm": ("libvpx-vp9", "webm"), "HEVC in ts": ("libx265", "ts")}


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("growing", [True, False])
def test_pictures_whose_size_changes_are_given_in_the_first_ones_size(tmp_path, kind, growing):
    codec, ending = SIZES[kind]
    sizes = [(WIDTH, HEIGHT), (2 * WIDTH, 2 * HEIGHT)][:: 1 if growing else -1]
    options = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx-vp9" else {}
    first = encoded(50, codec=codec, size=sizes[0], options=options)
    second = encoded(50, codec=codec, size=sizes[1], options=options, first_number=50)
    for packet in second:
        packet.pts, packet.dts = packet.pts + 50, packet.dts + 50
    path = tmp_path / f"a.{ending}"
    write(path, first + second, codec=codec)
    video = VideoFile(path)
    width, height = sizes[0]
    times = np.array([10, 49, 50, 80]) / FPS
    for clip in (video.clip(times), *video.stream(times[None])):
        assert clip.shape == (4, height, width, 3)
        shown = clip[:, :: height // HEIGHT, :: width // WIDTH]
        assert [read_number(frame) for frame in shown] == [10, 49, 50, 80]
    assert (video.properties().width, video.properties().height) == sizes[0]
    (change,) = survey(path).size_changes
    assert change == (pytest.approx(50 / FPS, abs=0.01), *sizes[1])
