"""Runs mutated files through a reader, in a process of its own that a fault or a limit may end."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from lfb_lightning.errors import InputError
from tests.fuzzing.cases import Files, Reader, Seed
from tests.fuzzing.converter_readers import CONVERTERS
from tests.fuzzing.list_readers import LISTS
from tests.fuzzing.packed_readers import PACKED
from tests.fuzzing.picture_readers import PICTURES
from tests.fuzzing.score_readers import SCORES
from tests.fuzzing.stored_readers import STORED
from tests.fuzzing.text_readers import TABLES

GROUPS = {"texts": [*TABLES, *CONVERTERS, *SCORES, *LISTS], "stored and shown": [*STORED, *PACKED, *PICTURES]}
# What readers were called when their files' numbers were noted: the name is part of the seed.
_SEEDED_AS = {f"bank of mmaction2, {form}": f"peer's bank, {form}" for form in ("pickle", "torch")}
READERS = {reader.name: reader for readers in GROUPS.values() for reader in readers}
KEPT = {  # files on which a reader has failed: always run
    "proposals, ACAR's pickle": (190, 1673),
    "bank of mmaction2, torch": (923, 1599, 1718, 1796),
    "bank manifest": (221,),
    "bank's table of videos": (34,),
    "video, mkv": (1046,),
}
MOST_SECONDS, MOST_BYTES = 20, 2_000_000_000
_EQUAL = 8  # every eighth file is changed in a way that means nothing
_CHANGES_MORE_THAN_FILES = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect", "pty.spawn")
_CHANGES_FILES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Outcome(NamedTuple):
    """Of one file: read, refused or failed, and what was said; CPU seconds, and megabytes that it took at the peak."""

    number: int
    state: str
    said: str
    seconds: float
    megabytes: float


@dataclass
class Tally:
    """A reader's row in the table."""

    files: int = 0
    states: dict[str, int] = field(default_factory=lambda: {"read": 0, "refused": 0, "failed": 0})
    slowest: float = 0.0
    megabytes: float = 0.0
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.files += 1
        self.states[outcome.state] += 1
        self.slowest, self.megabytes = max(self.slowest, outcome.seconds), max(self.megabytes, outcome.megabytes)
        self.failures += [outcome] if outcome.state == "failed" else []


def case(seeds: Sequence[Seed], name: str, number: int) -> tuple[Seed, Files, bool]:
    """File `number` of a reader, and whether it means what the seed means; the first ones are the seeds themselves."""
    chance = Random(f"{_SEEDED_AS.get(name, name)} {number}")
    if number < len(seeds):
        return seeds[number], seeds[number].files, True
    seed = chance.choice(seeds)
    equal = number % _EQUAL == 0 and bool(seed.equal)
    return seed, chance.choice(seed.equal if equal else seed.spoiling)(seed.files, chance), equal


class Watch:
    """Notes what is written outside of some folders, started or connected to while a file is read."""

    def __init__(self) -> None:
        self.allowed: tuple[str, ...] = ()
        self.noted: list[str] = []
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.allowed:
            return
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES
        if event in _CHANGES_MORE_THAN_FILES:
            self.noted.append(f"{event} {arguments}")
        elif (writes or event in _CHANGES_FILES) and not isinstance(arguments[0], int):
            path, beside = os.fsdecode(arguments[0]), arguments[-1]
            if event in _CHANGES_FILES and isinstance(beside, int) and beside >= 0:  # relative to an open folder
                path = f"{Path(f'/proc/self/fd/{beside}').readlink()}/{path}"
            path = os.path.abspath(path)  # noqa: PTH100 - pathlib would be noted itself
            if not f"{path}/".startswith(self.allowed) and path != os.devnull:
                self.noted.append(f"{event} {path}")


def run_case(reader: Reader, seeds: Sequence[Seed], number: int, base: Path, watch: Watch) -> Outcome:
    """Write the file and read it in every way; fails where an invariant does not hold."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numbers that do not fit, names that stand twice in a zip
        seed, files, equal = case(seeds, reader.name, number)
    folder = base / "case"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts anew
    results, refusals = [], []
    began, before = time.process_time(), _bytes("VmRSS")
    watch.allowed, watch.noted = (f"{folder}/out/", f"{base}/temporary/"), []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as numpy's where it drops an imaginary part
            for way in reader.ways:
                shutil.rmtree(folder / "out", ignore_errors=True)
                try:
                    results.append(way(folder))
                except InputError as error:
                    refusals.append(str(error))
        fault = None
    except BaseException:  # also what ends a process
        fault = traceback.format_exc()
    watch.allowed, seconds, peak = (), time.process_time() - began, _bytes("VmHWM") - before
    fault = fault or _fault(seed, files, equal, folder, results, refusals, watch) or _cost(seconds, peak)
    state = "failed" if fault else "refused" if refusals else "read"
    return Outcome(number, state, fault or "; ".join(refusals), seconds, peak / 1e6)


def _fault(
    seed: Seed, files: Files, equal: bool, folder: Path, results: list[Any], refusals: list[str], watch: Watch
) -> str | None:
    for said in refusals:
        if equal:
            return f"a right file is refused: {said}"
        if str(folder) not in said or not said.removesuffix("\n").isprintable():
            return f"not one line that names the file: {said!r}"
    if equal and seed.says is not None and results != seed.says:
        return f"read wrongly: {results!r:.1500}, expected {seed.says!r:.1500}"
    left = {path.name: path.is_file() and path.read_bytes() for path in folder.iterdir() if path.name != "out"}
    others = sorted(set(folder.parent.rglob("*")) - {folder, *folder.rglob("*"), folder.parent / "temporary"})
    if left != files or others or watch.noted:
        return f"touched what it reads, or something outside: {watch.noted or others or sorted(left)}"
    return None


def _cost(seconds: float, peak: float) -> str | None:
    return f"took {seconds:.1f} s and {peak / 1e6:.0f} MB" if seconds > MOST_SECONDS or peak > MOST_BYTES else None


def _bytes(of: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(of))
    return int(line.split()[1]) * 1024


def _outcomes(reader: Reader, seeds: Sequence[Seed], numbers: Sequence[int]) -> Iterator[Outcome]:
    """The outcomes, from a process of its own, until it ends; it may be by a limit or a fault."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        with os.fdopen(send, "w") as to, tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            os.environ["HOME"], tempfile.tempdir = folder, f"{folder}/temporary"
            Path(tempfile.tempdir).mkdir()
            most = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + MOST_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
            watch = Watch()
            for number in numbers:
                faulthandler.dump_traceback_later(30 * MOST_SECONDS, exit=True)  # waits for something that never comes
                print(json.dumps(run_case(reader, seeds, number, Path(folder), watch)), file=to, flush=True)
            to.flush()
        os._exit(0)
    os.close(send)
    with os.fdopen(receive) as lines:
        for line in lines:
            yield Outcome(*json.loads(line))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        print(f"{reader.name}: ended with {signal.Signals(-status).name if status < 0 else status}", file=sys.stderr)


def numbers_of(reader: Reader, count: int) -> list[int]:
    """The first `count` files and those on which the reader has failed."""
    return sorted({*range(count), *KEPT.get(reader.name, ())})


def run(reader: Reader, numbers: Sequence[int]) -> Tally:
    """Run the numbered files of a reader; a file on which the process ends has failed, and the next go on."""
    tally, seeds, waiting = Tally(), reader.seeds(), list(numbers)
    while waiting:
        for outcome in _outcomes(reader, seeds, waiting):
            tally.add(outcome)
            waiting.remove(outcome.number)
        if waiting:
            tally.add(Outcome(waiting.pop(0), "failed", "the process ended", 0.0, 0.0))
    return tally
