"""moto's S3 server on loopback, a process of its own, and a line to it that breaks where a test says.

Google's storage answers requests in S3's own form, so the same server takes the place of Google's: `google_environment`.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager, suppress

_SERVE = """
import sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import ThreadedMotoServer

KEY = "AWS4-HMAC-SHA256 Credential=key/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
answer = DomainDispatcherApplication.__call__

def answer_without_key(self, environ, start):
    if environ.get("HTTP_AUTHORIZATION", "Bearer").strip() == "Bearer":  # a Google account without OAuth has no other
        environ["HTTP_AUTHORIZATION"] = KEY
    return answer(self, environ, start)

DomainDispatcherApplication.__call__ = answer_without_key
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


class Moto:
    """A running server."""

    def __init__(self, port):
        self.port = port
        self.address = f"http://127.0.0.1:{port}"

    def make_bucket(self, name):
        self._ask(f"/{name}", "PUT")

    def check_keys_after(self, requests):
        """Refuse every key, since none belongs to a user, from that many requests on."""
        self._ask("/moto-api/reset-auth", "POST", str(requests).encode())

    def environment(self, address=None):
        return {
            "AWS_ENDPOINT_URL": address or self.address,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-test",
            "AWS_REGION": "us-east-1",
        }

    def google_environment(self, folder):
        """The environment of a Google client that takes this server for Google's; its account is written into a folder."""
        account = {"client_email": "", "private_key": "", "private_key_id": "", "disable_oauth": True}
        path = folder / "account.json"
        path.write_text(json.dumps({**account, "gcs_base_url": self.address}))
        return {"GOOGLE_SERVICE_ACCOUNT": str(path), "GOOGLE_ALLOW_HTTP": "true"}

    def _ask(self, path, method, data=None):
        request = urllib.request.Request(
            self.address + path, method=method, data=data, headers={"Content-Type": "text/plain"}
        )
        with urllib.request.urlopen(request) as answer:
            answer.read()


@contextmanager
def serving():
    """Start a server; it ends with the block."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", _SERVE], text=True, **pipes) as process:
        assert process.stdout is not None
        try:
            yield Moto(int(process.stdout.readline()))
        finally:
            process.kill()


class Line:
    """A forwarder of connections to a port, which counts bytes and may be cut."""

    def __init__(self, port):
        self._port = port
        self.left = None  # bytes until all connections end, and no further one is taken
        self.sent = self.received = 0  # to the server, and from it
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def cut_after(self, size):
        """End everything when so many bytes have been sent to the server."""
        with self._lock:
            self.left = size

    def mend(self):
        with self._lock:
            self.left, self.sent, self.received = None, 0, 0

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                for source, sink, sends in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._forward, args=(source, sink, sends), daemon=True).start()

    def _forward(self, source, sink, sends):
        with suppress(OSError), source, sink:
            while (content := source.recv(1 << 16)) and (part := self._passed(content, sends)):
                sink.sendall(part)
                if len(part) < len(content):
                    break
            for end in (source, sink):  # the other direction, and the other side
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _passed(self, content, sends):
        with self._lock:
            if sends:
                self.sent += len(content)
            else:
                self.received += len(content)
            if self.left is None:
                return content
            part = content[: self.left]
            if sends:
                self.left -= len(part)
            return part
