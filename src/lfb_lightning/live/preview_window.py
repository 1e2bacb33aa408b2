"""A window with the live picture, which a process of its own shows: no toolkit has to share a thread with the recognition."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from lfb_lightning.errors import InputError
from lfb_lightning.live.preview import Picture

_PROGRAM = Path(__file__).with_name("window_process.py")
_WAIT_SECONDS = 1.0
_END_SECONDS = 3.0


class PreviewWindow:
    """Shows a picture in a window until it is closed; closing it ends nothing else.

    Args:
        picture: What is shown.
        program: The program that shows it.

    Raises:
        InputError: There is no display, or Python was built without Tk.
    """

    def __init__(self, picture: Picture, *, program: Path = _PROGRAM) -> None:
        self._picture = picture
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        with self._process.stdout as file:
            answer = file.readline().decode(errors="replace").strip()
        if answer != "ready":
            self._end()
            raise InputError(
                f"preview=window: no window can be opened ({answer or 'Python has no Tk'}); preview=http shows the same in a "
                "browser."
            )
        self._thread = threading.Thread(target=self._send, name="sends-preview", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close the window."""
        self._picture.close()
        self._thread.join(_END_SECONDS)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def _send(self) -> None:
        file = self._process.stdin
        assert file is not None
        number = 0
        with suppress(BrokenPipeError):  # the window was closed
            while (newest := self._picture.next(number, _WAIT_SECONDS)) is not None:
                number, jpeg = newest
                if jpeg:
                    file.write(len(jpeg).to_bytes(4, "big") + jpeg)
                    file.flush()
        with suppress(BrokenPipeError):
            file.close()
