"""`lfb-report`: training and test runs, and results of any tool, as one HTML file, or for the viewers Rerun and FiftyOne."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lfb_lightning.cli.app import launch
from lfb_lightning.errors import InputError, one_line
from lfb_lightning.metrics.frame_ap import PROTOCOLS
from lfb_lightning.reporting import write_report
from lfb_lightning.reporting.viewers import export_for_viewer

_FILES = ("truth", "labels", "excluded")
_PLACES = {"html": "report.html", "rerun": "report.rrd", "fiftyone": "fiftyone"}
_MARK, _HEAD = b'<meta name="generator" content="lfb-report">', 2000  # bytes at the beginning of each report


def report(cfg: DictConfig, run_dir: Path) -> int:
    """Write the report that is configured; returns the exit status 0."""
    if cfg.protocol not in PROTOCOLS:
        raise InputError(f"protocol is {cfg.protocol!r}, expected one of {', '.join(PROTOCOLS)}.")
    if cfg.predictions is not None and cfg.format == "html":
        raise InputError("predictions= is for format=rerun and format=fiftyone; lfb-predict writes a page itself.")
    runs, results, predictions = (_listed(cfg, key) for key in ("run", "results", "predictions"))
    out = Path(cfg.out) if cfg.out is not None else _default_place(runs, [*results, *predictions], _PLACES[cfg.format])
    if cfg.format == "html":
        _refuse_other_files(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: its folder cannot be made ({error.strerror}).") from error
    (_page if cfg.format == "html" else _export)(cfg, out, runs, results)
    print(f"wrote {out}")
    return 0


def _page(cfg: DictConfig, out: Path, runs: Sequence[str], results: Sequence[str]) -> None:
    write_report(
        out,
        runs=runs,
        results=results,
        sources=_sources(cfg),
        protocol=PROTOCOLS[cfg.protocol],
        pictures=cfg.pictures,
        resamples=cfg.resamples,
        seed=cfg.seed,
        progress=_say,
    )


def _export(cfg: DictConfig, out: Path, runs: Sequence[str], results: Sequence[str]) -> None:
    export_for_viewer(
        out,
        viewer=cfg.format,
        runs=runs,
        results=results,
        predictions=_listed(cfg, "predictions"),
        sources=_sources(cfg),
        protocol=PROTOCOLS[cfg.protocol],
        threshold=cfg.threshold,
        megabytes=cfg.megabytes if cfg.pictures else 0,
        whole_videos=cfg.whole_videos,
        only=_listed(cfg, "only"),
        progress=_say,
    )


def _sources(cfg: DictConfig) -> dict[str, Any]:
    typed = {name: None if cfg[name] is None else Path(cfg[name]) for name in _FILES}
    return {**typed, "videos": cfg.videos, "origin_second": cfg.origin_second, "fps": cfg.fps}


def _say(text: str) -> None:
    print(one_line(text), flush=True)  # a prediction's file names its video


def _listed(cfg: DictConfig, key: str) -> list[str]:
    """Return a path or a list of paths as a list."""
    value = cfg[key]
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _default_place(runs: Sequence[str], others: Sequence[str], name: str) -> Path:
    """Return where a report goes: into the folder of the only run, else into the working directory."""
    return Path(runs[0], name) if len(runs) == 1 and not others and Path(runs[0]).is_dir() else Path(name)


def _refuse_other_files(out: Path) -> None:
    """Raise InputError for a file that is no report: one of the user's, or a result csv that was typed in its place."""
    if not out.is_file():
        return
    with out.open("rb") as file:
        if _MARK not in file.read(_HEAD):
            raise InputError(f"out={out}: is there already, and no report; give another file, or move that one.")


def main() -> None:
    """Run `lfb-report` with the arguments that the user typed."""
    launch("report", report)


if __name__ == "__main__":
    main()
