"""The report of a sweep: one table of its jobs, printed, and written as CSV and as a chart."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lfb_lightning.cli.sweep_job import RECORD, JobRecord, main_figure, read_metrics, score
from lfb_lightning.files.durable import write_durably
from lfb_lightning.viz.sweep_chart import sweep_chart

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SweepRow:
    """One job of a sweep.

    Args:
        job: The name of its folder in the sweep's folder.
        parameters: The overrides in which the jobs differ, as text by key.
        state: How it ended: `ok`, `failed` or `unfinished`.
        seconds: How long it ran; 0 if it has not ended.
        score: The main figure, by which jobs are compared, or None.
        main_figure: Its name.
        figures: All that it measured, by name.
    """

    job: str
    parameters: Mapping[str, str]
    state: str
    seconds: float
    score: float | None
    main_figure: str
    figures: Mapping[str, float]


def sweep_rows(folder: Path) -> list[SweepRow]:
    """Read the records of the jobs in a sweep's folder, in the order of their names."""
    folders = sorted((path.parent for path in folder.rglob(RECORD)), key=lambda path: (len(path.name), path.name))
    records = [(path, record) for path in folders if (record := JobRecord.read(path)) is not None]
    given = [_parse(record.overrides) for _, record in records]
    names = dict.fromkeys(name for values in given for name in values)
    varying = [name for name in names if len({values.get(name) for values in given}) > 1]
    rows = []
    for (path, record), values in zip(records, given, strict=True):
        metrics = read_metrics(path) if record.status == 0 else {}
        figures = {key: float(value) for key, value in metrics.items() if isinstance(value, int | float)}
        rows.append(
            SweepRow(
                job=str(path.relative_to(folder)),
                parameters={name: values.get(name, "") for name in varying},
                state={None: "unfinished", 0: "ok"}.get(record.status, "failed"),
                seconds=record.seconds,
                score=score(metrics),
                main_figure=main_figure(metrics),
                figures=figures,
            )
        )
    return rows


def sweep_table(rows: Sequence[SweepRow]) -> pd.DataFrame:
    """Make a table with one row per job: job, parameters, state, seconds, and every figure that any job has."""
    flat = [
        {"job": row.job, **row.parameters, "state": row.state, "seconds": round(row.seconds, 1), **row.figures}
        for row in rows
    ]
    return pd.DataFrame(flat)


def write_report(folder: Path, rows: Sequence[SweepRow]) -> None:
    """Write `sweep.csv` and `sweep.png` into the sweep's folder, and print the table with the best job first."""
    table = sweep_table(rows)
    write_durably(folder / "sweep.csv", table.to_csv(index=False).encode())
    scored = [(row.parameters, row.score) for row in rows if row.score is not None]
    names = [row.main_figure for row in rows if row.score is not None]
    figure = names[0] if names else "score"
    if scored:
        sweep_chart(folder / "sweep.png", scored, axis=f"{figure} of the best checkpoint")
    order = sorted(rows, key=lambda row: -1.0 if row.score is None else row.score, reverse=True)
    shown = pd.DataFrame(
        [
            {
                "job": row.job,
                **row.parameters,
                "state": row.state,
                "seconds": f"{row.seconds:.0f}",
                figure: _shown(row.score),
            }
            for row in order
        ]
    )
    failed = sum(row.state != "ok" for row in rows)
    _log.info("%d jobs, %d not finished well:\n%s", len(rows), failed, shown.to_string(index=False))
    _log.info("sweep folder %s: sweep.csv%s", folder, ", sweep.png" if scored else "")
    if failed:
        _log.info("the same command with hydra.sweep.dir=%s does what is not done", folder)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _parse(overrides: Sequence[str]) -> dict[str, str]:
    pairs = (override.lstrip("+~").partition("=") for override in overrides)
    return {name: value for name, _, value in pairs}
