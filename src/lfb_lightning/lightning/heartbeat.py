"""Tells when another machine of a run has gone, also one whose cable was pulled: no collective operation would say so.

The first process of each machine writes a beat into the store at which all processes of the run met, and reads those of the
others. This needs no port of its own, and does not depend on what the ranks are doing: a rank that writes a checkpoint or
decodes for minutes beats on, so no limit for collective operations has to be guessed.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch.distributed as dist

_BEAT_SECONDS = 2.0
_GRACE_SECONDS = 6.0  # given to the main thread to report itself what a lost connection makes it raise
_ALIVE, _FAILED, _DONE = "alive", "failed", "done"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of a run.

    Args:
        name: Its host name.
        address: Its address on the way to the store.
        ranks: The ranks that run there.
    """

    name: str
    address: str
    ranks: range

    def __str__(self) -> str:
        """Name host and ranks, as in `host b (ranks 8 to 15)`."""
        first, last = self.ranks[0], self.ranks[-1]
        return f"host {self.name} ({f'rank {first}' if first == last else f'ranks {first} to {last}'})"


def this_node(meeting: tuple[str, int], ranks: range) -> Node:
    """Describe this machine.

    Args:
        meeting: Address and port of the store.
        ranks: The ranks that run here.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(meeting)  # sends nothing
            address = str(way.getsockname()[0])
        except OSError:  # IPv6 alone
            address = ""
    return Node(socket.gethostname(), address, ranks)


class Heartbeat:
    """Beats for this machine, and watches the others from `start` to `stop`.

    Args:
        meeting: Address and port of the store at which the processes of the run met.
        run: A name that all processes of this run and no earlier ones have.
        nodes: The machines of the run, in order.
        own: Which of them this is.
        patience: Seconds without a beat after which a machine counts as gone.
        when_gone: Called once, from a thread, with the sentence that says who has gone.
    """

    def __init__(
        self,
        meeting: tuple[str, int],
        run: str,
        nodes: Sequence[Node],
        own: int,
        *,
        patience: float,
        when_gone: Callable[[str], None],
    ) -> None:
        self.nodes = nodes
        self._meeting = meeting
        self._keys = [f"lfb_heartbeat/{run}/{number}" for number in range(len(nodes))]
        self._verdict_key = f"lfb_heartbeat/{run}/gone"
        self._own = own
        self._patience = patience
        self._when_gone = when_gone
        self._store = dist.TCPStore(
            *meeting, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=max(patience, _BEAT_SECONDS))
        )
        self._ended = threading.Event()
        self._saying = threading.Lock()
        self._exchanged = threading.Condition()
        self._last_exchange = time.monotonic()
        self._changed = dict.fromkeys(range(len(nodes)), self._last_exchange)
        self._values: dict[int, str] = {}
        self._verdict: str | None = None
        self._count = 0

    def start(self) -> None:
        """Begin to beat and to watch."""
        for work, name in ((self._beat_on, "heartbeat"), (self._watch, "heartbeat-watch")):
            threading.Thread(target=work, name=name, daemon=True).start()

    def stop(self, *, failed: bool = False) -> None:
        """End beating and watching; the others are told whether this machine ends well.

        Args:
            failed: Whether the run ends with an error here.
        """
        if not self._ended.is_set():
            self._ended.set()  # a beat at work ends by itself; the farewell waits for it, and none comes behind
            farewell = threading.Thread(target=self._say, args=(_FAILED if failed else _DONE,), daemon=True)
            farewell.start()
            farewell.join(_BEAT_SECONDS)  # the network may be gone

    def who_has_gone(self, *, seconds: float = 3 * _BEAT_SECONDS) -> str | None:
        """Wait for what the beats say after a connection was lost, and return the sentence, or None.

        Args:
            seconds: The longest wait.
        """
        until = time.monotonic() + seconds
        with self._exchanged:
            while self._verdict is None and (found := self._judge()) is None and time.monotonic() < until:
                self._exchanged.wait(0.2)
        return self._verdict or found

    def _beat_on(self) -> None:
        try:
            while not self._ended.is_set():
                self._say(_ALIVE)
                present = [number for number, key in enumerate(self._keys) if self._store.check([key])]
                values = self._store.multi_get([self._keys[number] for number in present])
                verdict = self._store.get(self._verdict_key) if self._store.check([self._verdict_key]) else None
                self._take(dict(zip(present, (value.decode() for value in values), strict=True)), verdict)
                self._ended.wait(_BEAT_SECONDS)
        except (RuntimeError, ValueError):  # the store has gone, and with it the process that keeps it
            with self._exchanged:
                self._verdict = self._verdict or f"{self._keeper()} has ended"
                self._exchanged.notify_all()

    def _take(self, values: dict[int, str], verdict: bytes | None) -> None:
        with self._exchanged:
            self._last_exchange = time.monotonic()
            for number, value in values.items():
                if self._values.get(number) != value:
                    self._values[number], self._changed[number] = value, self._last_exchange
            if verdict is not None:
                self._verdict = self._verdict or verdict.decode()
            self._exchanged.notify_all()

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            with self._exchanged:
                found = self._verdict or self._judge()
            if found is None:
                continue
            if "has not answered" not in found and self._ended.wait(_GRACE_SECONDS):
                return
            self._pass_on(found)
            if not self._ended.is_set():
                self._when_gone(found)
            return

    def _judge(self) -> str | None:
        """Say who has gone by what was read until now."""
        now = time.monotonic()
        for number, node in enumerate(self.nodes):
            state = self._values.get(number, "").rpartition(" ")[2]
            if number == self._own or state == _DONE:
                continue
            if state == _FAILED:
                return f"{node} has ended with an error, which its own output says"
            if self._last_exchange - self._changed[number] > self._patience:
                return f"{node} has not answered for {self._patience:g} s"
        if now - self._last_exchange > self._patience:
            return f"{self._keeper()} has not answered for {self._patience:g} s"
        return None

    def _pass_on(self, verdict: str) -> None:
        """Let the others say the same, and give them the time to read it where this process keeps the store."""
        passing = threading.Thread(target=lambda: self._store.set(self._verdict_key, verdict), daemon=True)
        passing.start()
        passing.join(_BEAT_SECONDS)
        time.sleep(1.5 * _BEAT_SECONDS)

    def _say(self, state: str) -> None:
        with self._saying:
            if state == _ALIVE and self._ended.is_set():
                return  # it would stand in the place of the farewell
            self._count += 1
            try:
                self._store.set(self._keys[self._own], f"{self._count} {state}")
            except RuntimeError:
                if state == _ALIVE:
                    raise

    def _keeper(self) -> str:
        address = self._meeting[0]
        where = next((str(node) for node in self.nodes if address in (node.name, node.address)), f"host {address}")
        return f"{where}, where the nodes of the run meet,"


def meeting_of_environment() -> tuple[str, int]:
    """Return address and port of the store, as Lightning and torchrun leave them in the environment."""
    return os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
