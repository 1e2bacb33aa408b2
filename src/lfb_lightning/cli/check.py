"""`lfb-check`: find mistakes in a data set before training on it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from lfb_lightning.cli.app import launch
from lfb_lightning.cli.first_data import provide_data
from lfb_lightning.cli.next_command import command_on_this_data
from lfb_lightning.cli.sections import Sections
from lfb_lightning.clips import ClipSampling
from lfb_lightning.datasets import Cacheable, Checkable
from lfb_lightning.datasets.checks.disk import report_disk
from lfb_lightning.datasets.checks.findings import SplitReport
from lfb_lightning.datasets.checks.fingerprint import fingerprint, probe_frame, probe_items
from lfb_lightning.datasets.checks.videos import look_at_videos, report_videos
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_json
from lfb_lightning.version import __version__
from lfb_lightning.viz.contact_sheet import Tile, draw_contact_sheet


def check(cfg: DictConfig, run_dir: Path) -> int:
    """Check the configured splits, print the findings and write `check.json` and the contact sheets.

    Args:
        cfg: The composed configuration.
        run_dir: The run folder, which is not used.

    Returns:
        The exit status: 1 if there are errors, else 0.
    """
    provide_data(cfg)
    data = Sections(cfg).data()
    dataset, sampling = data.dataset, data.clips.sampling
    out = Path(cfg.out)
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    reports: list[SplitReport] = []
    fingerprints: dict[str, Any] = {}
    written = []
    for name in cfg.splits:
        split = dataset.split(name)
        if not isinstance(split, Checkable):
            raise InputError(
                f"data._target_ is {cfg.data._target_}, whose splits lfb-check cannot look at: they lack what "
                "lfb_lightning.datasets.Checkable says (check, used_keyframes, annotated_boxes)."
            )
        try:
            report = split.check()
        except InputError as error:
            report = SplitReport(name)
            report.error(str(error), "mend the file or the key, then check again")
            reports.append(report)
            continue
        reports.append(report)
        if cfg.videos:
            keyframes = split.used_keyframes()
            video_ids = list(dict.fromkeys(keyframe.video_id for keyframe in keyframes))
            facts = list(
                track(
                    look_at_videos(split, keyframes, sampling, exactness_probes=cfg.exactness_probes),
                    description=f"videos of {name}",
                    total=len(video_ids),
                    console=Console(stderr=True),
                )
            )
            report_videos(facts, report, source=split.describe().get("source"), exactness_probes=cfg.exactness_probes)
            fingerprints[name] = fingerprint(split, sampling, cfg.fingerprint_probes)
            report.figures["fingerprint"] = fingerprints[name]["digest"]
            cache = dataset if isinstance(dataset, Cacheable) else None
            report_disk(split, video_ids, sampling, report, channels=cfg.channels, cache=cache)
            if sheet := _draw(split, sampling, out / f"contact_sheet_{name}.png", cfg.fingerprint_probes):
                written.append(sheet)
    _print(console, reports)
    _print_classes(console, reports)
    _print_findings(console, reports)
    findings = [finding for report in reports for finding in report.findings]
    content = {
        "version": __version__,
        "splits": {report.split: report.figures for report in reports},
        "classes": {report.split: report.classes for report in reports},
        "findings": [asdict(finding) for finding in findings],
        "fingerprints": fingerprints,
    }
    write_json(out / "check.json", content)
    print("\n".join(f"wrote {path}" for path in [out / "check.json", *written]))
    if all(finding.level == "note" for finding in findings):
        print(f"next: {command_on_this_data('lfb-train', 'fbo=none', 'hydra.run.dir=runs/baseline')}")
    return 1 if any(finding.level == "error" for finding in findings) else 0


def _draw(split: Checkable, sampling: ClipSampling, path: Path, number: int) -> Path | None:
    tiles = []
    for item in probe_items(split, number):
        try:
            frame = probe_frame(split, item.keyframe, sampling)
        except (InputError, OSError):
            continue  # the error is reported with the video
        annotated = split.annotated_boxes(item.keyframe)
        caption = f"{item.keyframe.video_id},{split.clock.text(item.keyframe.timestamp)}"
        tiles.append(Tile(caption, frame, annotated, split.evaluation_regions(item).boxes))
    if tiles:
        draw_contact_sheet(path, tiles, title=split.name)
    return path if tiles else None


def _print(console: Console, reports: list[SplitReport]) -> None:
    table = Table(title="data set", title_justify="left")
    table.add_column("", no_wrap=True)
    for report in reports:
        table.add_column(report.split, justify="right", overflow="fold")
    for name in dict.fromkeys(name for report in reports for name in report.figures):
        table.add_row(name, *(escape(_text(report.figures.get(name))) for report in reports))
    console.print(table)


def _print_classes(console: Console, reports: list[SplitReport]) -> None:
    names = _in_order(dict.fromkeys(name for report in reports for name in report.classes))
    if not names:
        return
    counted = dict.fromkeys(report.counted for report in reports if report.classes)
    table = Table(title=", ".join(counted), title_justify="left")
    table.add_column("")
    for report in reports:
        table.add_column(report.split, justify="right")
    for name in names:
        table.add_row(escape(name), *(_text(report.classes.get(name)) for report in reports))
    console.print(table)


def _in_order(names: Iterable[str]) -> list[str]:
    """Sort what begins with a kind and a number by the number; kinds (verbs, nouns) stay in the order of their first one."""
    parts = {name: [*re.split(r"(\d+)", name, maxsplit=1), "0"] for name in names}
    keys = {name: (kind, int(number)) for name, (kind, number, *_) in parts.items()}
    kinds = list(dict.fromkeys(kind for kind, _ in keys.values()))
    return sorted(keys, key=lambda name: (kinds.index(keys[name][0]), keys[name][1]))


def _print_findings(console: Console, reports: list[SplitReport]) -> None:
    for report in reports:
        for finding in report.findings:
            color = {"error": "red", "warning": "yellow", "note": "cyan"}[finding.level]
            console.print(f"[{color}]{finding.level}[/], {finding.split}: {escape(finding.what)}", highlight=False)
            console.print(f"    {escape(finding.remedy)}", highlight=False)
    if all(finding.level == "note" for report in reports for finding in report.findings):
        console.print("nothing is wrong")


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if type(value) is float else str(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(entry)}" for key, entry in list(value.items())[:4]) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value[:6])) + (" ..." if len(value) > 6 else "") or "none"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    """Run `lfb-check` with the arguments that the user typed."""
    launch("check", check)


if __name__ == "__main__":
    main()
