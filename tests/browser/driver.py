"""Chromium and Firefox without a window, driven by WebDriver BiDi, which Firefox speaks itself and chromedriver too."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path

import websocket

SECONDS = 30
_KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "Home": "\ue011", "End": "\ue010"}
_KEYS |= {"ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015"}
# A container's root user has no sandbox and no GPU, and a test needs no network.
_CHROMIUM = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
_CHROMIUM += ["--disable-dev-shm-usage", "--mute-audio", "--hide-scrollbars"]
_FIREFOX = {
    "layout.css.prefers-color-scheme.content-override": 1,
    "datareporting.policy.dataSubmissionEnabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "app.update.enabled": False,
    "toolkit.telemetry.enabled": False,
    "media.volume_scale": "0.0",
}
_WATCH = """() => document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP ${event.violatedDirective} ${event.blockedURI}`);
})"""


def missing(name):
    """Say which program a browser lacks, or None."""
    needed = {"chromium": ("chromium", "chromedriver"), "firefox": ("firefox-esr",)}[name]
    return next((program for program in needed if shutil.which(program) is None), None)


class Browser:
    """One window of a browser; `messages` collects what its console says."""

    def __init__(self, name, socket):
        self.name, self.messages = name, []
        self._socket, self._number = socket, 0

    def begin(self):
        self.call("session.subscribe", events=["log.entryAdded"])
        self.call("script.addPreloadScript", functionDeclaration=_WATCH)
        # A new window, since Firefox's first one never has the focus when nobody sees it.
        self._context = self.call("browsingContext.create", type="window")["context"]

    def call(self, _command, **parameters):
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": _command, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("method") == "log.entryAdded":
                self.messages.append(f"{answer['params']['level']}: {answer['params'].get('text')}")
            if answer.get("id") == self._number:
                assert answer["type"] == "success", f"{_command}: {answer.get('message')}"
                return answer["result"]

    def open(self, path):
        self.messages.clear()
        return self.call("browsingContext.navigate", context=self._context, url=Path(path).as_uri(), wait="complete")

    def run(self, expression):
        """Evaluate an expression, as a user's action, and return its value."""
        code = f"(async () => JSON.stringify(await ({expression})) ?? 'null')()"
        done = self.call(
            "script.evaluate",
            expression=code,
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        assert done["type"] == "success", done["exceptionDetails"]["text"]
        return json.loads(done["result"]["value"])

    def until(self, expression, seconds=SECONDS):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not (value := self.run(expression)):
            assert time.monotonic() < end, f"never true: {expression}; {self.messages}"
            time.sleep(0.02)
        return value

    def size(self, width, height, ratio=1.0):
        viewport = {"width": width, "height": height}
        self.call("browsingContext.setViewport", context=self._context, viewport=viewport, devicePixelRatio=ratio)

    def dark(self, dark):
        """Chromium only: Firefox takes the scheme from its profile."""
        session = self.call("goog:cdp.getSession", context=self._context)["session"]
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call(
            "goog:cdp.sendCommand", method="Emulation.setEmulatedMedia", params={"features": features}, session=session
        )

    def press(self, *keys):
        actions = []
        for key in keys:
            value = _KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self.call(
            "input.performActions", context=self._context, actions=[{"type": "key", "id": "keys", "actions": actions}]
        )

    def click(self, x, y):
        self.move(x, y, then=[{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}])

    def move(self, x, y, then=()):
        actions = [{"type": "pointerMove", "x": round(x), "y": round(y)}, *then]
        pointer = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}
        self.call("input.performActions", context=self._context, actions=[pointer])

    def picture(self, path):
        taken = self.call("browsingContext.captureScreenshot", context=self._context, origin="viewport")
        Path(path).write_bytes(base64.b64decode(taken["data"]))


@contextmanager
def start(name, *, dark=False):
    """Start a browser with an empty profile and connect to it."""
    with tempfile.TemporaryDirectory(prefix="lfb-browser-", ignore_cleanup_errors=True) as folder:
        command = _chromium_command() if name == "chromium" else _firefox_command(Path(folder), dark=dark)
        log = Path(folder) / "log.txt"
        with log.open("w") as out:
            process = subprocess.Popen(
                command, stdout=out, stderr=out, start_new_session=True, env=os.environ | {"HOME": folder}
            )
        try:
            address = _chromium_address(log, folder) if name == "chromium" else _firefox_address(log)
            with closing(websocket.create_connection(address, timeout=SECONDS, suppress_origin=True)) as socket:
                browser = Browser(name, socket)
                if name == "firefox":
                    browser.call("session.new", capabilities={})
                browser.begin()
                yield browser
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _chromium_command():
    return ["chromedriver", "--port=0"]


def _chromium_address(log, folder):
    port = _found(log, r"started successfully on port (\d+)")
    options = {"args": [*_CHROMIUM, f"--user-data-dir={folder}/profile"]}
    capabilities = {"alwaysMatch": {"webSocketUrl": True, "goog:chromeOptions": options}}
    body = json.dumps({"capabilities": capabilities}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/session", body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=2 * SECONDS) as answer:
        return json.load(answer)["value"]["capabilities"]["webSocketUrl"]


def _firefox_command(folder, *, dark):
    profile = folder / "profile"
    profile.mkdir()
    wanted = _FIREFOX | {"layout.css.prefers-color-scheme.content-override": 0 if dark else 1}
    lines = [f"user_pref({json.dumps(key)}, {json.dumps(value)});" for key, value in wanted.items()]
    (profile / "user.js").write_text("\n".join(lines))
    return ["firefox-esr", "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port=0"]


def _firefox_address(log):
    return _found(log, r"WebDriver BiDi listening on (ws://\S+)") + "/session"


def _found(log, pattern):
    end = time.monotonic() + SECONDS
    while (match := re.search(pattern, log.read_text())) is None:
        assert time.monotonic() < end, log.read_text()[-2000:]
        time.sleep(0.05)
    return match[1]
