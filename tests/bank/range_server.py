"""A server on loopback that answers GET with a range as S3 does, and fails as it is told to."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Objects:
    """The objects of a server by path, and what has been asked of it.

    `faults` are taken one per request: "drop" ends the connection amid the body, "error" is status 503.
    """

    def __init__(self, content):
        self.content = content
        self.faults = []
        self.requests = []
        self.delay = 0.0
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()

    @contextmanager
    def counted(self):
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1

    def fault(self):
        with self._lock:
            return self.faults.pop(0) if self.faults else None


@contextmanager
def serving(content):
    """Serve objects at http://127.0.0.1:port/bucket/...; yields them and the address."""
    objects = Objects(content)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            with objects.counted():
                self.answer()

        def answer(self):
            name = self.path.partition("?")[0].removeprefix("/bucket/")
            asked = self.headers.get("Range")
            objects.requests.append((name, asked))
            time.sleep(objects.delay)
            fault = objects.fault()
            if fault == "error" or name not in objects.content:
                self.send_response(503 if fault == "error" else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            whole = objects.content[name]
            begin, end = 0, len(whole)
            if asked:
                first, _, last = asked.removeprefix("bytes=").partition("-")
                begin, end = int(first), min(int(last) + 1, len(whole))
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(whole)}")
            self.send_header("Content-Length", str(end - begin))
            self.send_header("ETag", '"1"')
            self.send_header("Last-Modified", "Thu, 26 Nov 2026 12:00:00 GMT")
            self.end_headers()
            body = whole[begin:end]
            if fault == "drop":
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
                return
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield objects, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
