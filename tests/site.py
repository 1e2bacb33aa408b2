"""A web server of a test's own folder, which goes on in the middle of a file where it is asked to."""

import http.server
from pathlib import Path


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves files from the byte that is asked for, and notes which that was; `spoil` may change an answer's head."""

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.server.begins.append(begin)
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        if begin and begin >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self.wfile.write(content[begin : self.server.stop])

    def log_message(self, *_):
        pass
