"""Making the checks in a process of their own, and going on after one that crashed or did not end."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from lfb_lightning.doctor.checks import CHECKS
from lfb_lightning.doctor.line import Line, Section, failed_check
from lfb_lightning.doctor.settings import Settings

_PATIENCE = 120.0
# The folders in which this process finds packages, and no others: Python would look into the working directory too.
_START = "import sys; sys.path[:] = sys.argv[1].split(chr(10)); from lfb_lightning.doctor.child import main; main()"


def examine(
    settings: Settings, checks: Sequence[str] = tuple(CHECKS), *, patience: float = _PATIENCE
) -> Iterator[Section]:
    """Make the checks one after the other.

    Args:
        settings: What to look at.
        checks: The names of the checks.
        patience: Seconds without a line, after which a check is given up.

    Yields:
        What each check found, in their order and as soon as it has ended. A check that raises, crashes its process or
        does not end is a section that says so.
    """
    left = list(checks)
    while left:
        try:
            with _Child(settings, left) as child:
                for section in child.sections(patience):
                    left.pop(0)
                    yield section
        except OSError as error:
            name = left.pop(0)
            yield Section(check=name, lines=(failed_check(name, f"no process for it ({error.strerror})"),), seconds=0.0)


@dataclass(frozen=True, kw_only=True)
class _Event:
    """What a process did next: a line, and whether it was the check's last or the process's."""

    line: Line | None = None
    is_last: bool = False
    is_fatal: bool = False


class _Child:
    """A process that makes checks."""

    def __init__(self, settings: Settings, checks: Sequence[str]) -> None:
        self._checks = tuple(checks)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, "\n".join(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._last_words: deque[str] = deque(maxlen=1)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read_events, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_words, args=(self._process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self._process.stdin.write(json.dumps({"settings": asdict(settings), "checks": list(checks)}) + "\n")
        self._process.stdin.close()

    def __enter__(self) -> _Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for reader, stream in zip(self._readers, (self._process.stdout, self._process.stderr), strict=True):
            reader.join(1.0)
            if not reader.is_alive() and stream is not None:
                stream.close()

    def sections(self, patience: float) -> Iterator[Section]:
        """Give what the checks found, up to the one at which the process died, that one included."""
        for name in self._checks:
            started = time.monotonic()
            lines: list[Line] = []
            while True:
                event = self._next(name, patience)
                lines += [] if event.line is None else [event.line]
                if event.is_last:
                    break
            yield Section(check=name, lines=tuple(lines), seconds=time.monotonic() - started)
            if event.is_fatal:
                return

    def _next(self, name: str, patience: float) -> _Event:
        try:
            event = self._events.get(timeout=patience)
        except queue.Empty:
            return _Event(line=failed_check(name, f"nothing happened for {patience:g} s"), is_last=True, is_fatal=True)
        if event is None:
            return _Event(line=self._death(name), is_last=True, is_fatal=True)
        return _Event(line=Line(**event["line"])) if "line" in event else _Event(is_last=True)

    def _death(self, name: str) -> Line:
        status = self._process.wait()
        how = f"status {status}" if status >= 0 else signal.Signals(-status).name
        for reader in self._readers:
            reader.join(1.0)
        return failed_check(name, " ".join([f"its process ended with {how}", *self._last_words]))

    def _read_events(self, stream: Iterable[str]) -> None:
        try:
            for text in stream:
                self._events.put(json.loads(text))
        finally:
            self._events.put(None)

    def _read_words(self, stream: Iterable[str]) -> None:
        self._last_words.extend(line.strip() for line in stream if line.strip())
