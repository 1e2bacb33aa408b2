"""Live sources: what may be typed, and that what comes through one opens nothing else."""

import http.server
import os
import socket
import sys
import threading

import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.video.live_frames import LiveFrames
from lfb_lightning.video.live_source import LiveSource, open_live


@pytest.fixture
def site():
    """A server whose pages are `site.pages`; `site.asked` lists what was asked for."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            status, content = self.server.pages[self.path]
            self.send_response(status)
            self.send_header("Location" if status == 302 else "X-Kind", content if status == 302 else "bytes")
            self.send_header("Content-Length", str(0 if status == 302 else len(content)))
            self.end_headers()
            if status != 302:
                self.wfile.write(content)

        def log_message(self, *args):
            pass

        def handle_one_request(self):
            try:
                super().handle_one_request()
            except ConnectionError:  # FFmpeg leaves when it has seen enough
                self.close_connection = True

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.pages = [], {}
    server.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def playlists(target):
    """Files that name another one, by the ending that each would have."""
    sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    mpd = '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT10S">'
    mpd += f"<Period><AdaptationSet><Representation id='1' bandwidth='1'><BaseURL>{target}</BaseURL></Representation>"
    return {
        "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
        "ffconcat": f"ffconcat version 1.0\nfile '{target}'\n",
        "sdp": sdp,
        "mpd": mpd + "</AdaptationSet></Period></MPD>",
    }


@pytest.mark.parametrize("kind", ["m3u8", "ffconcat", "sdp", "mpd"])
def test_a_playlist_opens_nothing_else(kind, site, mini_dir):
    video = sorted((mini_dir / "videos").glob("*val*"))[0]
    site.pages["/other.mp4"] = (200, video.read_bytes())
    for ending in (kind, "mp4"):
        site.pages[f"/list.{ending}"] = (200, playlists(f"{site.address}/other.mp4")[kind].encode())
        with (
            pytest.raises(InputError, match=r"list.*cannot be read .* not a playlist"),
            open_live(LiveSource.parse(f"{site.address}/list.{ending}"), timeout=5.0),
        ):
            pass
    assert site.asked == [f"/list.{kind}", "/list.mp4"]
    with open_live(
        LiveSource.parse(f"{site.address}/other.mp4"), timeout=5.0
    ) as opened:  # the same file is fine when it is typed
        assert opened.stream.width == 96


def test_a_file_that_names_others_is_refused(tmp_path, mini_dir):
    video = sorted((mini_dir / "videos").glob("*val*"))[0]
    (tmp_path / "list.mp4").write_text(playlists(video)["ffconcat"])
    with pytest.raises(InputError, match="no plain video container"):
        list(LiveFrames(LiveSource.parse(str(tmp_path / "list.mp4"))))


def test_a_redirection_is_not_followed(site, mini_dir):
    site.pages = {"/here": (302, f"{site.address}/there"), "/there": (200, b"")}
    with (
        pytest.raises(InputError, match="cannot be read"),
        open_live(LiveSource.parse(f"{site.address}/here"), timeout=5.0),
    ):
        pass
    assert site.asked == ["/here"]


@pytest.mark.parametrize("scheme", ["rtsp", "tcp", "http"])
def test_what_cannot_be_reached_is_one_line_without_the_password(scheme, free_port):
    source = LiveSource.parse(f"{scheme}://cam:s3cret@127.0.0.1:{free_port}/live")
    assert source.name == f"{scheme}://cam:***@127.0.0.1:{free_port}/live"
    with pytest.raises(InputError) as raised:
        list(LiveFrames(source, timeout=5.0))
    assert "can it be reached from here?" in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_silence_is_given_up(free_port):
    with pytest.raises(InputError, match=r"udp://127.0.0.1:\d+: sent nothing for 0.5 s"):
        list(LiveFrames(LiveSource.parse(f"udp://127.0.0.1:{free_port}"), timeout=0.5))


@pytest.fixture
def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nowhere.mp4", "source nowhere.mp4: no such file; expected camera:0, rtsp://"),
        ("ftp://a/b", "source ftp://a/b: ftp:// is not read"),
        ("concat:a|b", "no such file"),
        ("file:///etc/passwd", "file:// is not read"),
        ("pipe://x", "pipe:// is not read"),
        ("rtsp://", "source rtsp://: names no host"),
        ("rtsp://[::1", "is no address"),
    ],
)
def test_mistakes(text, message):
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        LiveSource.parse(text)


@pytest.mark.parametrize(
    ("platform", "text", "url", "format"),
    [
        ("darwin", "camera:0", "0:none", "avfoundation"),
        ("win32", "camera:Integrated Camera", "video=Integrated Camera", "dshow"),
        ("linux", "camera:0", "/dev/video0", "video4linux2"),
        ("linux", "/dev/video0", "/dev/video0", "video4linux2"),
    ],
)
def test_cameras(platform, text, url, format, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("pathlib.Path.exists", lambda path: True)
    source = LiveSource.parse(text)
    assert (source.kind, source.url, source.format) == ("camera", url, format)
    assert source.options["format_whitelist"].startswith(format)


def test_a_camera_that_is_not_there(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(InputError, match="source camera:99: there is no camera /dev/video99"):
        LiveSource.parse("camera:99")
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(InputError, match="on Windows a camera has a name"):
        LiveSource.parse("camera:0")


def test_a_pipe(mini_dir, monkeypatch):
    """What a pipe brings has the times that the file has."""
    video = sorted((mini_dir / "videos").glob("*val*"))[0]
    read, write = os.pipe()
    content = video.read_bytes()

    def send():
        with os.fdopen(write, "wb") as file:
            file.write(content)

    source = LiveSource.parse("-")
    assert source.url == "pipe:0"
    piped = LiveSource(name=source.name, url=f"pipe:{read}", kind="pipe", options=source.options)
    threading.Thread(target=send, daemon=True).start()
    frames = list(LiveFrames(piped, timeout=5.0))
    os.close(read)
    expected = list(LiveFrames(LiveSource.parse(str(video)), real_time=False))
    assert [round(frame.second, 6) for frame in frames] == [round(frame.second, 6) for frame in expected]
    assert (frames[77].picture() == expected[77].picture()).all()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("rtsp://cam:s3cr:e@t@host/a@b", "rtsp://cam:***@host/a@b"),
        ("rtsp://:s3cret@host/", "rtsp://:***@host/"),
        ("http://cam:s3/cr#et@host/x", "http://cam:***@host/x"),  # not as it should be typed
        ("http://host:80/a:b@c", "http://host:80/a:b@c"),
        ("http://[::1]:80/a@c", "http://[::1]:80/a@c"),
    ],
)
def test_an_address_is_shown_without_its_password(typed, shown):
    assert LiveSource.parse(typed).name == shown


@pytest.mark.parametrize("typed", ["rtsp://cam:s3cret@/x", "srt://cam:s3cret@host/x", "rtsp://cam:s3cret@[::1/x"])
def test_an_address_that_is_none_is_told_without_its_password(typed):
    with pytest.raises(InputError, match=r"source \w+://cam:\*\*\*@") as raised:
        LiveSource.parse(typed)
    assert "s3cret" not in str(raised.value)
