"""A video file is data: it names no other file, claims no memory, and never ends in a traceback."""

import os
import resource
from pathlib import Path

import av
import numpy as np
import pytest
from benchmarks.codecs import CELLS, write_cell

from lfb_lightning.errors import InputError
from lfb_lightning.video import VideoFile
from lfb_lightning.video.survey import survey

KINDS = {cell.what: cell for cell in CELLS}
PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile good.mp4\n",
    "concat": "file good.mp4\n",
    "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\ngood.ts\n#EXT-X-ENDLIST\n",
    "DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>good.mp4</BaseURL>'
    '<SegmentBase indexRange="0-100"/></Representation></AdaptationSet></Period></MPD>',
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "lavfi": "testsrc=duration=1",
    "subtitles": "1\n00:00:00,000 --> 00:00:02,000\nhello\n",
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    for kind, endings in {
        "H.264": "mp4 mkv ts flv avi h264",
        "VP9": "webm",
        "MPEG-2": "mpg",
        "MPEG-4 ASP": "avi",
    }.items():
        for ending in endings.split():
            write_cell(folder / f"{kind} {ending}.{ending}", KINDS[kind])
    return folder


def refused(path):
    """Every way of reading refuses with one line that names the file."""
    video = VideoFile(path)
    for read in (
        lambda: video.clip(np.array([0.5])),
        lambda: list(video.stream(np.array([[0.5]]))),
        video.properties,
        lambda: survey(path),
    ):
        with pytest.raises(InputError) as caught:
            read()
        assert Path(path).name in str(caught.value)
        assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "m3u8", "txt"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_list_of_other_files_is_no_video(good, tmp_path, kind, ending):
    (tmp_path / "good.mp4").write_bytes((good / "H.264 mp4.mp4").read_bytes())
    (tmp_path / "good.ts").write_bytes((good / "H.264 ts.ts").read_bytes())
    (tmp_path / f"list.{ending}").write_text(PLAYLISTS[kind])
    refused(tmp_path / f"list.{ending}")


def test_a_picture_is_no_video_and_a_pattern_no_name(tmp_path):
    frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
    for number in (1, 2):
        frame.to_image().save(tmp_path / f"img_{number:03d}.jpg")
    (tmp_path / "a.mp4").write_bytes((tmp_path / "img_001.jpg").read_bytes())
    refused(tmp_path / "a.mp4")
    refused(tmp_path / "img_001.jpg")
    refused(tmp_path / "img_%03d.jpg")


def test_a_name_that_looks_like_a_protocol_is_a_name(good, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = (good / "H.264 mp4.mp4").read_bytes()
    for name in ("concat:a|b.mp4", "http:x.mp4", "subfile,,start,0,end,9,,:x.mp4", "cache:x.mp4", "%03d.mp4", "-i.mp4"):
        Path(name).write_bytes(content)
        assert VideoFile(name).clip(np.array([0.5])).shape[0] == 1


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "fifo.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "device.mp4").symlink_to("/dev/zero")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "zeros.mp4").write_bytes(bytes(1 << 20))
    for name in ("fifo", "folder", "device"):
        assert "is no regular file" in refused(tmp_path / f"{name}.mp4")
    for name in ("loop", "nothing", "empty", "zeros"):
        refused(tmp_path / f"{name}.mp4")


def test_a_header_that_is_longer_than_a_file_can_be_is_refused(tmp_path):
    (tmp_path / "a.mkv").write_bytes(b"\x1a\x45\xdf\xa3\x01" + b"\xff" * 6 + b"\xfe" + bytes(100))
    refused(tmp_path / "a.mkv")


def test_an_external_reference_of_a_mov_file_is_not_followed(good, tmp_path):
    """The track's data reference is turned from "in this file" into an alias of another one."""
    content = bytearray((good / "H.264 mp4.mp4").read_bytes())
    place = content.index(b"url \x00\x00\x00\x01")
    content[place : place + 8] = b"alis\x00\x00\x00\x00"
    (tmp_path / "a.mov").write_bytes(content)
    frames = VideoFile(tmp_path / "a.mov").clip(np.array([0.5]))  # the pictures still come from the file itself
    np.testing.assert_array_equal(frames, VideoFile(good / "H.264 mp4.mp4").clip(np.array([0.5])))


def test_a_cover_picture_is_not_the_video(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 96, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert VideoFile(tmp_path / "a.mp4").clip(np.array([0.5])).shape == (1, 64, 96, 3)


def test_huge_pictures_are_refused_before_one_is_decoded(tmp_path):
    """A motion JPEG whose pictures claim 65,500 x 65,500 would take 12 GB each."""
    write_cell(tmp_path / "a.avi", KINDS["Motion JPEG"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    content = (tmp_path / "a.avi").read_bytes()
    size = b"\xff\xc0\x00\x11\x08" + (64).to_bytes(2, "big") + (160).to_bytes(2, "big")
    assert content.count(size) == 100
    huge = size[:5] + (65_500).to_bytes(2, "big") * 2
    (tmp_path / "all.avi").write_bytes(content.replace(size, huge))
    (tmp_path / "later.avi").write_bytes(content[:20_000] + content[20_000:].replace(size, huge))
    refused(tmp_path / "all.avi")
    with pytest.raises(InputError, match=r"later\.avi"):
        VideoFile(tmp_path / "later.avi").clip(np.array([3.0]))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000, "kilobytes"


def test_a_clip_that_would_not_fit_is_refused(good):
    with pytest.raises(InputError, match=r"a clip of 100000 pictures of 160 x 64 takes 3\.1 GB, more than 1\.6"):
        VideoFile(good / "H.264 mp4.mp4").clip(np.linspace(0, 3, 100_000))
