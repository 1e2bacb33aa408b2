"""A page with the live picture, served to this machine alone unless the user wants otherwise."""

from __future__ import annotations

import ipaddress
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lfb_lightning.errors import InputError
from lfb_lightning.live.preview import Picture

_MOST_VIEWERS = 8
_BOUNDARY = "picture"
_WAIT_SECONDS = 2.0
_LOOK_SECONDS = 0.1
_GIVE_UP_SECONDS = 10.0  # a viewer that takes nothing for so long is let go
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>lfb-predict, live</title>
<style>
 :root { color-scheme: light dark }
 body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: Canvas; color: CanvasText;
  font: 1rem system-ui, sans-serif }
 img { max-width: 100vw; max-height: 100vh; min-width: min(100vw, 40rem) }
</style>
<img src="stream.mjpg" alt="The live picture with persons and their actions; it appears with the first moment.">
"""
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
}


class PreviewPage:
    """Serves a picture as a page with an MJPEG, from threads of its own.

    Args:
        picture: What is shown.
        host: The address to serve at; 127.0.0.1 is seen from this machine alone.
        port: The port; 0: any that is free.

    Raises:
        InputError: The address or the port cannot be had.
    """

    def __init__(self, picture: Picture, *, host: str = "127.0.0.1", port: int = 8080) -> None:
        if port > 65535:
            raise InputError(f"preview_port is {port}, expected 0 to 65535.")
        try:
            self._server = _Server((host, port), picture)
        except OSError as error:
            raise InputError(
                f"preview_host {host}, preview_port {port}: cannot be served at ({error.strerror or error}); choose another "
                "preview_port, or 0 for any that is free."
            ) from error
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_LOOK_SECONDS,), name="serves-preview", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{self.host}:{self.port}/"

    @property
    def is_private(self) -> bool:
        """Whether nobody but this machine sees it."""
        return self._server.is_private

    def close(self) -> None:
        """Serve no more."""
        self._server.picture.close()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], picture: Picture) -> None:
        super().__init__(address, _Handler)
        self.picture = picture
        self.viewers = threading.BoundedSemaphore(_MOST_VIEWERS)
        self.is_private = ipaddress.ip_address(str(self.server_address[0])).is_loopback
        self.names = {address[0], str(self.server_address[0]), "localhost"}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a viewer has left."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "lfb-predict"
    sys_version = ""
    timeout = _GIVE_UP_SECONDS

    def do_GET(self) -> None:
        if not self._is_meant():
            self.send_error(HTTPStatus.FORBIDDEN, "this page is for this machine")
        elif self.path == "/":
            self._answer("text/html; charset=utf-8", _PAGE.encode())
        elif self.path == "/picture.jpg":
            newest = self.server.picture.next(0, _WAIT_SECONDS)
            if newest is None or not newest[1]:
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "there is no picture yet")
            else:
                self._answer("image/jpeg", newest[1])
        elif self.path == "/stream.mjpg":
            if not self.server.viewers.acquire(blocking=False):
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, f"{_MOST_VIEWERS} viewers are there already")
                return
            try:
                self._stream()
            finally:
                self.server.viewers.release()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: standard error is for what matters."""

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _is_meant(self) -> bool:
        """Tell whether the page was asked for by an address of this machine: another site's name may lead here too."""
        if not self.server.is_private:
            return True
        host = self.headers.get("Host", "")
        return host.rpartition(":")[0].strip("[]") in self.server.names or host in self.server.names

    def _answer(self, kind: str, content: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.end_headers()
        number, jpeg = 0, b""
        while (newest := self.server.picture.next(number, _WAIT_SECONDS)) is not None:
            number, new = newest
            jpeg = new or jpeg  # what has not changed is sent again, so that a viewer who left is noticed
            if jpeg:
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
