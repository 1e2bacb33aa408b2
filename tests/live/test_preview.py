"""The preview: pictures over loopback while moments are scored, and nobody else may look."""

import http.client
import io
import socket
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from lfb_lightning.errors import InputError
from lfb_lightning.live import preview, preview_window
from lfb_lightning.live.preview import Picture
from lfb_lightning.live.preview_page import PreviewPage
from lfb_lightning.live.preview_window import PreviewWindow
from lfb_lightning.live.recognition import Seen
from lfb_lightning.structures import Proposals


def seen(*tracks):
    boxes = np.array([[0.1 + 0.3 * place, 0.2, 0.3 + 0.3 * place, 0.9] for place in range(len(tracks))])
    return Seen(Proposals(boxes.reshape(-1, 4), np.ones(len(tracks))), np.array(tracks, dtype=np.int64), 0.0)


@pytest.fixture
def picture():
    return Picture(threshold=0.5)


@pytest.fixture
def page(picture):
    made = PreviewPage(picture, port=0)
    yield made
    made.close()


def ask(page, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def next_jpeg(response):
    length = None
    while (line := response.fp.readline()) != b"\r\n" or length is None:
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return Image.open(io.BytesIO(response.fp.read(length)))


def test_a_run_is_seen_in_a_browser(live, video, picture, page):
    """The page names the stream, and the stream's pictures are the video's, with boxes, and change."""
    answer = ask(page, "/")
    assert answer.status == 200
    assert b'<img src="stream.mjpg"' in answer.read()
    stream = ask(page, "/stream.mjpg")
    assert stream.getheader("Content-Type").startswith("multipart/x-mixed-replace; boundary=")
    recognizer = live(video, watcher=picture, duration=3.0)
    run = threading.Thread(target=lambda: list(recognizer))
    run.start()
    images = [np.asarray(next_jpeg(stream)).astype(int) for _ in range(4)]
    run.join()
    assert {image.shape for image in images} == {(96, 96, 3)}
    assert max(np.abs(one - images[0]).mean() for one in images[1:]) > 0.5
    single = ask(page, "/picture.jpg")
    assert single.getheader("Content-Type") == "image/jpeg"
    assert Image.open(io.BytesIO(single.read())).size == (96, 96)


def test_persons_and_their_actions_are_drawn_as_in_the_overlay(picture, monkeypatch):
    drawn = []
    monkeypatch.setattr(preview, "draw_persons", lambda frame, persons: drawn.append(persons) or frame)
    frame = np.zeros((48, 64, 3), np.uint8)
    picture.see(frame, 1.0, seen(3, 4))
    number, jpeg = picture.next(0, 1.0)
    assert [(one.track, one.actions) for one in drawn[-1]] == [(3, []), (4, [])]
    picture.tell(moment(1.0, 3))
    assert picture.next(number, 1.0)[0] == number + 1
    assert [(one.track, one.actions) for one in drawn[-1]] == [(3, [("walk", 0.75)]), (4, [])]
    picture.see(frame, 3.5, seen(3))
    picture.next(number + 1, 1.0)
    assert [(one.track, one.actions) for one in drawn[-1]] == [(3, [("walk", 0.75)])]
    picture.see(frame, 4.5, seen(3))  # what was known is too old
    picture.next(number + 2, 1.0)
    assert [(one.track, one.actions) for one in drawn[-1]] == [(3, [])]
    assert picture.next(number + 3, 0.1) == (number + 3, b"")
    assert len(jpeg) > 100


def moment(second, track):
    from lfb_lightning.live import LiveMoment

    return LiveMoment(
        second=second,
        wall=None,
        latency=None,
        computed=0.0,
        boxes=np.array([[0.1, 0.2, 0.3, 0.9]]),
        confidences=np.ones(1),
        tracks=np.array([track]),
        scores=np.array([[0.0, 0.75, 0.25]], np.float32),
        without=None,
        actions={1: "walk", 2: "sit"},
    )


def test_large_pictures_are_made_smaller_and_drawn_once_for_all(picture, monkeypatch):
    calls = []
    monkeypatch.setattr(preview, "draw_persons", lambda frame, persons: calls.append(frame.shape) or frame)
    picture.see(np.zeros((1080, 1920, 3), np.uint8), 0.0, seen(0))
    assert picture.next(0, 1.0) == picture.next(0, 1.0)
    assert calls == [(540, 960, 3)]


def test_a_viewer_who_takes_nothing_does_not_hold_anything_up(picture, page):
    viewer = socket.create_connection(("127.0.0.1", page.port))
    viewer.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    frame = np.random.default_rng(0).integers(0, 255, (600, 900, 3), dtype=np.uint8)
    began = time.monotonic()
    for number in range(200):
        picture.see(frame, float(number), seen(0))
    assert time.monotonic() - began < 1
    viewer.close()


def test_only_this_machine_is_served(picture, page):
    assert page.is_private
    assert page.address == f"http://127.0.0.1:{page.port}/"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", page.port), timeout=2)  # another address of this machine
    assert ask(page, "/", Host=f"localhost:{page.port}").status == 200
    for host in ("evil.example", f"evil.example:{page.port}", ""):  # another site's name that leads here
        assert ask(page, "/", Host=host).status == 403
    assert ask(page, "/../etc/passwd").status == 404
    policy = ask(page, "/").getheader("Content-Security-Policy")
    assert policy == "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"


def test_viewers_are_few(picture, page):
    answers = [ask(page, "/stream.mjpg") for _ in range(8)]
    assert {one.status for one in answers} == {200}
    assert ask(page, "/stream.mjpg").status == 503


def test_an_address_that_cannot_be_had_is_one_line(picture, page):
    with pytest.raises(InputError, match=rf"preview_port {page.port}: cannot be served at .*0 for any that is free"):
        PreviewPage(picture, port=page.port)
    with pytest.raises(InputError, match="preview_port is 70000, expected 0 to 65535"):
        PreviewPage(picture, port=70000)
    with pytest.raises(InputError, match=r"preview_host no\.such\.host\.invalid"):
        PreviewPage(picture, host="no.such.host.invalid", port=0)


def test_without_a_display_a_window_is_one_line(picture, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if sys.platform != "linux":
        pytest.skip("there is always a display")
    with pytest.raises(InputError, match=r"preview=window: no window can be opened .*; preview=http shows the same"):
        PreviewWindow(picture)


def test_a_window_is_sent_the_pictures(picture, tmp_path, monkeypatch):
    """A program in place of the window's writes down what it is sent."""
    program = tmp_path / "window.py"
    program.write_text(
        "import sys\nprint('ready', flush=True)\n"
        f"open({str(tmp_path / 'sent')!r}, 'wb').write(sys.stdin.buffer.read())\n"
    )
    window = PreviewWindow(picture, program=program)
    picture.see(np.zeros((48, 64, 3), np.uint8), 0.0, seen(0))
    _, jpeg = picture.next(0, 1.0)
    time.sleep(0.3)
    window.close()
    assert (tmp_path / "sent").read_bytes() == len(jpeg).to_bytes(4, "big") + jpeg
    assert preview_window._PROGRAM.is_file()
