"""Reads the folder of a run of `lfb-train` or `lfb-test`, and finds the jobs in the folder of a sweep.

What a report cannot read of a folder it says on the page, and shows the rest: a run that was killed is worth a look too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lfb_lightning.errors import InputError
from lfb_lightning.files.json_file import read_json_object
from lfb_lightning.files.plain_yaml import MAX_CHARACTERS, read_plain_mapping
from lfb_lightning.reporting.logged import Log, read_log

CONFIG, METRICS, RESULTS, RECORD = "config.yaml", "metrics.json", "results.csv", "job.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """What a run folder holds.

    Args:
        name: What the report calls the run.
        path: The folder.
        config: `config.yaml`, or None.
        metrics: `metrics.json`; empty if there is none.
        log: What was logged in training, or None.
        results: `results.csv`, or None.
        notes: What could not be read, and why.
    """

    name: str
    path: Path
    config: Mapping[str, Any] | None
    metrics: Mapping[str, Any]
    log: Log | None
    results: Path | None
    notes: Sequence[str] = ()


def find_runs(folder: Path) -> list[tuple[str, Path]]:
    """List the names and folders of the runs that a folder stands for: itself, or the jobs of a sweep.

    Args:
        folder: A run folder, or the folder of a sweep, whose jobs are named by the overrides in which they differ.

    Raises:
        InputError: It is neither.
    """
    if not folder.is_dir():
        raise InputError(f"run={folder}: no such folder; expected one that lfb-train or lfb-test wrote.")
    if _is_run(folder):
        return [(folder.name or str(folder), folder)]
    jobs = sorted((path for path in folder.iterdir() if _is_run(path)), key=lambda path: (len(path.name), path.name))
    if not jobs:
        raise InputError(
            f"run={folder}: there is neither {CONFIG} nor {METRICS}, in it or in a folder in it; expected a folder that "
            "lfb-train or lfb-test wrote, or one of a sweep."
        )
    given = [_overrides(path) for path in jobs]
    differing = [name for name in dict.fromkeys(name for one in given for name in one)
                 if len({one.get(name) for one in given}) > 1]  # fmt: skip
    names = [" ".join(f"{name}={one[name]}" for name in differing if name in one) for one in given]
    return [(f"{path.name}: {name}" if name else path.name, path) for path, name in zip(jobs, names, strict=True)]


def read_run(name: str, path: Path) -> RunFolder:
    """Read a run folder; what cannot be read becomes a note.

    Args:
        name: What the report calls the run.
        path: The folder.
    """
    notes: list[str] = []

    def reading(read: Any, file: Path) -> Any:
        try:
            return read(file) if file.exists() else None
        except InputError as error:
            notes.append(str(error))
            return None

    config = reading(_read_config, path / CONFIG)
    metrics = reading(lambda file: read_json_object(file, what="metrics"), path / METRICS) or {}
    log = reading(read_log, path / "logs")
    record = reading(lambda file: read_json_object(file, what="sweep job"), path / RECORD)
    if record and record.get("status") != 0:
        notes.append("The sweep says that this job has not ended well.")
    if log is not None and log.damaged:
        several = "line is" if log.damaged == 1 else "lines are"
        notes.append(
            f"{log.damaged} {several} incomplete in logs/metrics.csv: the run was killed, or is still running."
        )
    if log is not None and log.not_finite:
        values = "1 logged value is" if log.not_finite == 1 else f"{log.not_finite} logged values are"
        notes.append(f"{values} NaN or infinite; the curves have gaps there.")
    results = path / RESULTS
    return RunFolder(
        name=name,
        path=path,
        config=config,
        metrics=metrics,
        log=log,
        results=results if results.is_file() else None,
        notes=notes,
    )


def _is_run(path: Path) -> bool:
    return any((path / name).is_file() for name in (CONFIG, METRICS, RECORD))


def _read_config(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > 4 * MAX_CHARACTERS:
            raise InputError(f"{path}: {path.stat().st_size} bytes, expected a run's configuration.")
        return read_plain_mapping(path.read_text("utf-8"), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}).") from error


def _overrides(path: Path) -> dict[str, str]:
    if not (path / RECORD).is_file():
        return {}
    try:
        given = read_json_object(path / RECORD, what="sweep job").get("overrides")
    except InputError:
        return {}
    texts = [str(text).lstrip("+~") for text in given] if isinstance(given, list) else []
    return {text.partition("=")[0]: text.partition("=")[2] for text in texts}
