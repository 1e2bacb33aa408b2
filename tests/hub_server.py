"""A hub on loopback: the requests by which huggingface_hub makes a repository, commits to it, and fetches from it.

It keeps files by name and content, LFS objects by their SHA-256, checks what the real one checks (a token that may write,
the head of a card, sizes and digests of uploads), and refuses every request that it does not know.
"""

import base64
import hashlib
import importlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_writes"


class Hub(ThreadingHTTPServer):
    """The server; `repositories` holds the files of each by name, `private` whether it is, `log` what was asked.

    `gated` repositories give no file; `tags` are revisions beside main and the commit; `tokens` came with requests for files.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Requests)
        self.repositories, self.private, self.objects = {}, {}, {}
        self.commits, self.log, self.unknown = [], [], []
        self.tags, self.gated, self.tokens = set(), set(), []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def revision(self, name):
        """The commit's id: a digest of all its files."""
        files = self.repositories[name]
        return hashlib.sha1(b"".join(key.encode() + files[key] for key in sorted(files))).hexdigest()


@contextmanager
def speaking_to_it(monkeypatch, folder):
    """A hub, to which this process's huggingface_hub speaks, with a token that may write; its cache is in the folder."""
    server = Hub()
    constants = importlib.import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(folder / "tokens"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server
    assert server.unknown == []
    server.shutdown()
    server.server_close()


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        self.server.log.append(("GET", path))
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/[^/]+)?", path):
            return self._with_repository(found[1], self._information)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/[^/]+", path):
            return self._with_repository(found[1], self._tree)
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self.server.tokens.append(self.headers.get("Authorization"))
            return self._with_repository(found[1], lambda name: self._file(name, found[2], found[3]))
        if path == "/api/agent-harnesses":  # which the client asks for its own statistics
            return self._answer({"error": "none here"}, 404)
        return self._unknown()

    do_HEAD = do_GET

    def do_PUT(self):
        content, digest = self._body(), self.path.rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == digest
        self.server.objects[digest] = content
        self._answer({})

    def do_POST(self):
        path, body = unquote(urlsplit(self.path).path), self._body()
        self.server.log.append(("POST", path))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._answer({"error": "Invalid credentials"}, 401)
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return self._validate(json.loads(body)["content"])
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
            return self._preupload(json.loads(body))
        if re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            return self._batch(json.loads(body))
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            return self._commit(found[1], [json.loads(line) for line in body.splitlines()])
        return self._unknown()

    def _create(self, wanted):
        name = f"{wanted['organization']}/{wanted['name']}"
        if wanted["organization"] != "organization":
            return self._answer({"error": "you have no rights there"}, 403)
        is_new = name not in self.server.repositories
        self.server.repositories.setdefault(name, {})
        self.server.private.setdefault(name, wanted.get("visibility", wanted.get("private")))
        return self._answer({"url": f"{self.server.url}/{name}"}, 200 if is_new else 409)

    def _validate(self, content):
        found = re.match(r"---\n(.*?\n)---\n", content, re.DOTALL)
        head = yaml.safe_load(found[1]) if found else None
        faults = [] if isinstance(head, dict) else [{"message": "no head"}]
        if isinstance(head, dict) and head.get("license") == "other" and not head.get("license_name"):
            faults.append({"message": '"license_name" is required'})
        return self._answer({"errors": faults, "warnings": []}, 400 if faults else 200)

    def _preupload(self, wanted):
        """Binary files by LFS, as the real hub decides by a sample of each."""
        files = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if b"\0" in base64.b64decode(one["sample"]) else "regular",
                "shouldIgnore": False,
                "oid": None,
            }
            for one in wanted["files"]
        ]
        return self._answer({"files": files})

    def _batch(self, wanted):
        objects = [
            {
                "oid": one["oid"],
                "size": one["size"],
                "actions": {"upload": {"href": f"{self.server.url}/upload/{one['oid']}"}},
            }
            for one in wanted["objects"]
        ]
        return self._answer({"transfer": "basic", "objects": objects}, kind="application/vnd.git-lfs+json")

    def _commit(self, name, lines):
        files = self.server.repositories[name]
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.objects[value["oid"]]
                assert len(files[value["path"]]) == value["size"]
            else:
                assert line["key"] == "header", line
                self.server.commits.append(value["summary"])
        revision = self.server.revision(name)
        return self._answer({"commitUrl": f"{self.server.url}/{name}/commit/{revision}", "commitOid": revision})

    def _information(self, name):
        files = [{"rfilename": key} for key in self.server.repositories[name]]
        self._answer({"id": name, "modelId": name, "sha": self.server.revision(name), "siblings": files})

    def _tree(self, name):
        files = self.server.repositories[name].items()
        self._answer([{"type": "file", "path": key, "size": len(value), "oid": _oid(value)} for key, value in files])

    def _file(self, name, wanted, key):
        if name in self.server.gated:
            return self._answer({"error": "Access is restricted"}, 403, {"X-Error-Code": "GatedRepo"})
        if wanted not in {"main", self.server.revision(name), *self.server.tags}:
            return self._answer({"error": "Invalid rev id"}, 404, {"X-Error-Code": "RevisionNotFound"})
        content = self.server.repositories[name].get(key)
        revision = {"X-Repo-Commit": self.server.revision(name)}
        if content is None:
            return self._answer({"error": "no such file"}, 404, {"X-Error-Code": "EntryNotFound", **revision})
        return self._send(content, 200, {"ETag": f'"{_oid(content)}"', "Accept-Ranges": "bytes", **revision})

    def _with_repository(self, name, answer):
        if name not in self.server.repositories:
            return self._answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        return answer(name)

    def _unknown(self):
        self.server.unknown.append((self.command, self.path))
        self._answer({"error": "not spoken here"}, 501)

    def _body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, content, status=200, headers=(), kind="application/json"):
        self._send(json.dumps(content).encode(), status, {"Content-Type": kind, **dict(headers)})

    def _send(self, content, status, headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _oid(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
