"""The machine: platform, cores that may be used, memory, shared memory, open files."""

from __future__ import annotations

import math
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from lfb_lightning.doctor.line import Line, note, ok, problem
from lfb_lightning.doctor.settings import Settings
from lfb_lightning.files.file_lock import KIND
from lfb_lightning.processes import STOP_SIGNALS, cgroup_cores, own_cgroups, words

_GIB = 2**30
_LITTLE_MEMORY = 4 * _GIB
_SHARED_LITTLE = 2 * _GIB  # four batches of 2 clips of 32 x 256 x 256 are 0.2 GiB, of each rank
_FILES_FAIL, _FILES_FEW = 256, 1024


def check_machine(settings: Settings) -> Iterator[Line]:
    """Say what the machine is, how many cores may be used and how much memory is free."""
    libc = " ".join(platform.libc_ver()).strip()
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    yield ok(f"{system}{f', {libc}' if libc else ''}{', in a container' if _in_container() else ''}")
    yield ok(f"{platform.python_implementation()} at {sys.executable}")
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    yield cores_line(os.cpu_count() or 1, affinity, cgroup_cores(own_cgroups()))
    yield memory_line(*memory(Path("/proc/meminfo")), limit=cgroup_memory(own_cgroups()))


def check_limits(settings: Settings) -> Iterator[Line]:
    """Say whether loader workers have shared memory and enough open files, and how files are locked and runs stopped."""
    yield locks_line(KIND)
    yield signals_line([signal.name for signal in STOP_SIGNALS])
    shared = Path("/dev/shm")
    if shared.is_dir():
        usage = shutil.disk_usage(shared)
        yield shared_memory_line(usage.total, usage.free)
    else:
        yield ok("shared memory: this system has no /dev/shm")
    try:
        import resource
    except ImportError:  # not POSIX
        yield ok("open files: this system has no limit per process")
        return
    yield open_files_line(*resource.getrlimit(resource.RLIMIT_NOFILE), unlimited=resource.RLIM_INFINITY)


def locks_line(kind: str) -> Line:
    """Say with what files are locked: `fcntl`, `msvcrt` or `none`."""
    if kind == "fcntl":
        return ok("file locks: fcntl")
    if kind == "msvcrt":
        return note(
            "file locks: msvcrt, Windows' own", "nothing was tried on Windows: docs/platforms.md says what is lost"
        )
    return note(
        "file locks: none on this system, so nothing keeps two runs out of one folder",
        "start one run per run folder and per bank at a time (docs/platforms.md)",
    )


def signals_line(names: list[str]) -> Line:
    """Say by which signals a training is asked to save and stop."""
    said = f"stop signals: {', '.join(names)}"
    return ok(said) if "SIGUSR1" in names else note(f"{said}; this system has no SIGUSR1")


def cores_line(cores: int, affinity: int | None, quota: float | None) -> Line:
    """Say how many cores may be used.

    Args:
        cores: Cores of the machine.
        affinity: Cores that this process may run on; None where the system does not say.
        quota: Cores' worth of time that a container or job gets; None without a limit.
    """
    usable = min(cores, affinity or cores, max(1, math.floor(quota)) if quota is not None else cores)
    if usable == cores:
        return ok(f"{cores} cores, all usable")
    reason = f"a quota of {quota:g} cores" if quota is not None and usable < (affinity or cores) else "the affinity"
    return note(
        f"{usable} of {cores} cores usable ({reason})",
        f"set data.num_workers to at most {usable} per process; ask the container or the job for more cores",
    )


def memory(meminfo: Path) -> tuple[int | None, int | None]:
    """Return the machine's memory and how much of it is available, in bytes; None where the system does not say."""
    if meminfo.is_file():
        found = dict(line.split(":", 1) for line in meminfo.read_text(encoding="utf-8").splitlines() if ":" in line)
        return int(found["MemTotal"].split()[0]) * 1024, int(found["MemAvailable"].split()[0]) * 1024
    if not hasattr(os, "sysconf"):  # Windows
        return None, None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), None


def memory_line(total: int | None, available: int | None, *, limit: int | None) -> Line:
    """Say how much memory there is; `limit` is what a container or job may use at most, in bytes."""
    if total is None:
        return ok("memory: this system does not say how much there is")
    usable = min(value for value in (total, available, limit) if value is not None)
    said = f"{total / _GIB:.1f} GiB of memory"
    said += "" if available is None else f", {available / _GIB:.1f} available"
    said += f", limited to {limit / _GIB:.1f} by the container or job" if limit is not None and limit < total else ""
    if usable < _LITTLE_MEMORY:
        return note(said, "set data.num_workers=0 or 1 and a small data.batch_size, or free memory")
    return ok(said)


def shared_memory_line(total: int, free: int) -> Line:
    """Say whether /dev/shm, through which loader workers hand over their batches, is large enough; in bytes."""
    said = f"shared memory (/dev/shm): {total / _GIB:.2f} GiB, {free / _GIB:.2f} free"
    remedy = "start the container with `docker run --shm-size=8g` (or --ipc=host), or set data.num_workers=0"
    slower = "batches that it has no room for go through a pipe, which is slower"
    return note(f"{said}: {slower}", remedy) if free < _SHARED_LITTLE else ok(said)


def open_files_line(soft: int, hard: int, *, unlimited: int = -1) -> Line:
    """Say whether the process may open enough files: each tensor that a worker hands over takes one."""
    if soft == unlimited or soft >= _FILES_FEW:
        return ok(f"open files: {'no limit' if soft == unlimited else f'at most {soft}'}")
    more = 65536 if hard == unlimited else min(65536, hard)
    remedy = (
        f"`ulimit -n {more}` in the shell that starts the command" if more > soft else "ask for a higher hard limit"
    )
    said = f"open files: at most {soft}"
    return problem(f"{said}: loader workers will fail", remedy) if soft < _FILES_FAIL else note(said, remedy)


def cgroup_memory(folders: list[Path]) -> int | None:
    """Return the least limit of memory among control groups, in bytes; None without a limit."""
    found = []
    for folder in folders:
        (limit,) = words(folder / "memory.max") or words(folder / "memory.limit_in_bytes") or ["max"]
        if limit != "max" and int(limit) < 2**60:  # version 1 says "no limit" with a number as large
            found.append(int(limit))
    return min(found, default=None)


def _in_container() -> bool:
    return any(
        Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv", "/singularity.d", "/.singularity.d")
    )
