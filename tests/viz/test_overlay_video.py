"""Videos with boxes: every picture at its own time, upright, with the sound; and what happens to damaged ones."""

from fractions import Fraction

import av
import numpy as np
import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.viz import overlay_video
from lfb_lightning.viz.overlay_video import TrackedPerson, write_overlay_video, write_page_video
from lfb_lightning.viz.video_persons import PersonsBetweenMoments

GRAY = 90


def write_video(path, *, seconds=(), size=(160, 120), codec="libx264", sound=None, pixels="yuv420p", options=None):
    """Write gray pictures at the given seconds, with a brighter top left quarter, and a sine as sound."""
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.time_base = Fraction(1, 1000)
        tone = container.add_stream(sound, rate=16_000) if sound else None
        if tone:
            tone.codec_context.layout = "mono"
        for second in seconds:
            picture = np.full((height, width, 3), GRAY, np.uint8)
            picture[: height // 2, : width // 2] = 200
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = round(1000 * second), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tone:
            count = int(16_000 * (seconds[-1] - seconds[0]))
            wave = (8000 * np.sin(np.arange(count) / 5)).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 16_000, round(16_000 * seconds[0]), Fraction(1, 16_000)
            for part in av.AudioResampler(format=tone.codec_context.format.name, layout="mono", rate=16_000).resample(
                frame
            ):
                container.mux(tone.encode(part))
            container.mux(tone.encode(None))
    return path


def pictures(path):
    with av.open(str(path)) as container:
        return [
            (float(frame.pts * frame.time_base), frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]


def sound_of(path):
    with av.open(str(path)) as container:
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in container.demux(audio=0) if packet.size]


def person(track=1, box=(0.25, 0.25, 0.75, 0.75), actions=()):
    return TrackedPerson(track=track, box=box, actions=actions)


UNEVEN = [0.0, 0.04, 0.08, 0.3, 0.35, 0.4, 1.0, 1.04, 1.5]


def test_frames_keep_their_times_and_only_boxes_change(tmp_path):
    source = write_video(tmp_path / "in.mkv", seconds=[2 + second for second in UNEVEN], options={"crf": "1"})
    done = write_overlay_video(source, tmp_path / "out.mp4", [(0.0, [person()]), (1.0, [person()]), (2.0, [])])
    assert (done.frames, done.copied, done.problems) == (len(UNEVEN), False, ())
    shown = pictures(tmp_path / "out.mp4")
    assert [second for second, _ in shown] == pytest.approx(UNEVEN, abs=1e-3)
    picture = shown[3][1].astype(int)
    assert picture.shape == (120, 160, 3)
    assert np.abs(picture[90:] - GRAY).max() < 25  # below the box and its label
    edge = picture[88, 60:100].mean(axis=0)  # the lower edge; track 1 has the second color, a blue
    assert edge[2] > edge[0] + 60
    last = shown[-1][1].astype(int)  # at 1.5 s the person of 1.0 s is no longer shown
    assert np.abs(last[88, 60:100] - GRAY).max() < 25


def test_the_file_is_for_browsers(tmp_path):
    source = write_video(tmp_path / "in.avi", seconds=[0, 0.04, 0.08], codec="mpeg4", size=(101, 75))
    write_overlay_video(source, tmp_path / "out.mp4", iter([(0.0, [person()])]))
    with av.open(str(tmp_path / "out.mp4")) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt, codec.width, codec.height) == ("h264", "yuv420p", 102, 76)
        assert not container.streams.audio
    content = (tmp_path / "out.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.avi", "out.mp4"]


@pytest.mark.parametrize("degrees", [-90, 90, 180])
def test_turned_videos_are_written_upright(tmp_path, degrees):
    plain = write_video(tmp_path / "plain.mp4", seconds=[0, 0.04, 0.08])
    source = tmp_path / "turned.mp4"
    content = bytearray(plain.read_bytes())
    place = content.index(b"tkhd") + 4 + 4 + 20 + 16  # the matrix follows version, times, layer and volume
    a, b, c, d = {-90: (0, 1, -1, 0), 90: (0, -1, 1, 0), 180: (-1, 0, 0, -1)}[degrees]
    matrix = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    content[place : place + 36] = b"".join(int(value).to_bytes(4, "big", signed=True) for value in matrix)
    source.write_bytes(content)
    done = write_page_video(source, tmp_path / "page.mp4")
    write_overlay_video(source, tmp_path / "out.mp4", [])
    expected = np.rot90(pictures(plain)[0][1], degrees // 90)
    for name in ("page.mp4", "out.mp4"):
        found = pictures(tmp_path / name)[0][1]
        assert found.shape == expected.shape
        assert np.abs(found.astype(int) - expected).mean() < 3
    assert not done.copied


@pytest.mark.parametrize(
    ("codec", "ending", "copied"), [("aac", "mkv", True), ("flac", "mkv", False), ("pcm_s16le", "avi", False)]
)
def test_sound_is_copied_or_encoded_as_aac(tmp_path, codec, ending, copied):
    seconds = [1 + number / 25 for number in range(50)] if ending == "mkv" else [number / 25 for number in range(50)]
    source = write_video(tmp_path / f"in.{ending}", seconds=seconds, sound=codec, codec="mpeg4")
    write_overlay_video(source, tmp_path / "out.mp4", [])
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == ["aac"]
    before, after = sound_of(source), sound_of(tmp_path / "out.mp4")
    if copied:
        assert [content for _, content in after] == [content for _, content in before][-len(after) :]
        assert len(before) - len(after) <= 2
    assert float(after[0][0]) == pytest.approx(0, abs=0.1)  # pictures begin at 0 too
    assert float(after[-1][0]) == pytest.approx(1.9, abs=0.15)


@pytest.mark.parametrize("ending", ["mkv", "mov", "ts", "flv"])
def test_pictures_that_browsers_play_are_copied(tmp_path, ending):
    source = write_video(tmp_path / f"in.{ending}", seconds=[3 + number / 25 for number in range(30)], sound="aac")
    progress = []
    done = write_overlay_video(
        source, tmp_path / "out.mp4", [], page_video=tmp_path / "page.mp4", progress=progress.append
    )
    assert progress == pytest.approx([number / 25 for number in range(30)], abs=1e-3)
    assert not done.copied
    assert write_page_video(source, tmp_path / "again.mp4").copied
    assert (tmp_path / "page.mp4").read_bytes() == (tmp_path / "again.mp4").read_bytes()
    before, after = pictures(source), pictures(tmp_path / "page.mp4")
    assert all(np.array_equal(one, two) for (_, one), (_, two) in zip(before, after, strict=True))
    assert [second for second, _ in after] == pytest.approx([number / 25 for number in range(30)], abs=1e-3)


@pytest.mark.parametrize(
    ("codec", "pixels", "size"),
    [("libx264", "yuv444p", (64, 48)), ("libx265", "yuv420p", (64, 48)), ("ffv1", "yuv420p", (1600, 900))],
)
def test_other_pictures_are_encoded_for_the_page(tmp_path, codec, pixels, size):
    options = {"x265-params": "log-level=none:bframes=0:frame-threads=1"} if codec == "libx265" else None
    source = write_video(tmp_path / "in.mkv", seconds=[0, 0.04], codec=codec, pixels=pixels, size=size, options=options)
    write_overlay_video(source, tmp_path / "out.mp4", [], page_video=tmp_path / "page.mp4")
    with av.open(str(tmp_path / "page.mp4")) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
        assert (codec.width, codec.height) == ((1280, 720) if size[1] == 900 else size)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_damaged_video_is_written_up_to_the_damage(tmp_path, codec):
    whole = write_video(
        tmp_path / "whole.mkv", seconds=[number / 25 for number in range(100)], codec=codec, options={"g": "5"}
    )
    source = tmp_path / "cut.mkv"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    done = write_overlay_video(source, tmp_path / "out.mp4", [], page_video=tmp_path / "page.mp4")
    assert 10 < done.frames < 95
    assert len(pictures(tmp_path / "out.mp4")) == done.frames
    assert len(done.problems) == 1
    assert "cut.mkv" in done.problems[0]
    assert f"{done.seconds:.1f} s" in done.problems[0]
    assert pictures(tmp_path / "page.mp4")


def test_nothing_is_left_of_what_was_not_finished(tmp_path, monkeypatch):
    source = write_video(tmp_path / "in.avi", seconds=[0, 0.04, 0.08], codec="mpeg4")

    def interrupted(second):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_overlay_video(source, tmp_path / "out.mp4", [], page_video=tmp_path / "page.mp4", progress=interrupted)
    with pytest.raises(ValueError, match="do not ascend"):
        write_overlay_video(source, tmp_path / "out.mp4", [(0.0, []), (0.0, [])])
    with pytest.raises(InputError, match="no such file"):
        write_overlay_video(tmp_path / "none.avi", tmp_path / "out.mp4", [])
    with pytest.raises(InputError, match="cannot be written"):
        write_overlay_video(source, tmp_path / "no" / "out.mp4", [])
    assert [path.name for path in tmp_path.iterdir()] == ["in.avi"]


def test_a_full_disk_is_said_of_the_file_that_is_written(tmp_path, monkeypatch):
    source = write_video(tmp_path / "in.avi", seconds=[0, 0.04], codec="mpeg4")

    def full(*_):
        raise av.error.OSError(28, "No space left on device")

    monkeypatch.setattr(overlay_video.PictureEncoder, "write", full)
    with pytest.raises(InputError, match=r"out\.mp4: cannot be written"):
        write_overlay_video(source, tmp_path / "out.mp4", [])
    assert [path.name for path in tmp_path.iterdir()] == ["in.avi"]


def boxes_at(moments, seconds):
    persons = PersonsBetweenMoments(moments)
    return [{one.track: tuple(np.round(one.box, 6)) for one in persons.at(second)} for second in seconds]


def test_persons_move_between_moments_and_are_kept_half_a_step():
    first, second = (0.0, 0.0, 0.2, 0.2), (0.4, 0.0, 0.6, 0.2)
    moments = [(1.0, [person(1, first), person(2, first)]), (2.0, [person(1, second)]), (3.0, [person(3, second)])]
    found = boxes_at(moments, [0.4, 0.6, 1.25, 1.75, 2.4, 2.6, 3.4, 3.6])
    assert found == [
        {},
        {1: first, 2: first},
        {1: (0.1, 0.0, 0.3, 0.2), 2: first},
        {1: (0.3, 0.0, 0.5, 0.2)},
        {1: second},
        {3: second},
        {3: second},
        {},
    ]


def test_nothing_is_invented_over_long_steps():
    moments = [(0.0, [person(1, (0.0, 0.0, 0.2, 0.2))]), (10.0, [person(1, (0.8, 0.0, 1.0, 0.2))])]
    assert boxes_at(moments, [0.9, 1.1, 8.9, 9.1]) == [{1: (0.0, 0.0, 0.2, 0.2)}, {}, {}, {1: (0.8, 0.0, 1.0, 0.2)}]
    assert boxes_at([], [0.0, 1.0]) == [{}, {}]


def test_actions_change_in_the_middle_of_a_step():
    persons = PersonsBetweenMoments(
        [(0.0, [person(actions=[("sit", 0.9)])]), (1.0, [person(actions=[("stand", 0.8)])])]
    )
    assert [persons.at(second)[0].actions[0][0] for second in (0.4, 0.6)] == ["sit", "stand"]


def test_moments_are_read_one_step_ahead():
    read = []

    def moments():
        for second in range(1000):
            read.append(second)
            yield float(second), []

    PersonsBetweenMoments(moments()).at(10.5)
    assert read[-1] == 11
