"""`lfb-detect`: find the persons of a data set or of a folder of videos, and write them as proposals in AVA's csv form."""

from __future__ import annotations

import hashlib
import math
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from lfb_lightning.bank.claims import left_by_others
from lfb_lightning.bank.shard import Shard
from lfb_lightning.cli.app import launch
from lfb_lightning.cli.detect_progress import DetectionProgress
from lfb_lightning.cli.person_sources import make_source
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Place, Url, place_of
from lfb_lightning.persons.detecting import (
    Event,
    Share,
    Taken,
    VideoDetection,
    detect_here,
    detect_on_workers,
)
from lfb_lightning.persons.moments import Moments, folder_of, moments_of_folder, step_of_rate
from lfb_lightning.persons.part_files import PartFiles
from lfb_lightning.structures import VideoFailure


def detect(cfg: DictConfig, run_dir: Path) -> int:
    """Find the configured videos' persons and merge them into one csv once all are done.

    Args:
        cfg: The composed configuration.
        run_dir: The run folder, which is not used.

    Returns:
        The exit status: 1 if a video failed, else 0.
    """
    moments = _moments(cfg)
    mine = Shard.parse(str(cfg.shard)).share(moments.video_ids)
    default = "proposals.csv" if cfg.videos is not None else f"{cfg.split}_proposals.csv"
    parts = PartFiles(Path(cfg.out or default), moments.stamp)
    section = OmegaConf.to_container(cfg.persons, resolve=True)
    assert isinstance(section, dict)
    source = make_source(section)
    parts.open({"folder": _folder(cfg), "persons": source.describe(), "moments": describe_moments(moments)})
    todo = [name for name in mine if not parts.is_finished(name)]
    if cfg.get("engine"):
        from lfb_lightning.cli.detect_ray import detect_on_ray  # not in the processes of num_workers

        if cfg.num_workers:
            raise InputError(
                f"num_workers is {cfg.num_workers}, but with engine=ray that is engine.actors; leave it out."
            )
        del source
        events = detect_on_ray(cfg.engine, section, moments, parts, todo, batch_size=cfg.batch_size)
    elif not cfg.num_workers:
        events = detect_here(VideoDetection(source, moments, parts, cfg.batch_size), todo)
    else:
        del source  # the processes make their own
        making = partial(make_detection, section, moments, parts, cfg.batch_size)
        events = detect_on_workers(making, todo, num_workers=cfg.num_workers) if todo else iter(())
    try:
        failed = _watch(events, done=len(mine) - len(todo), total=len(mine))
    except SystemExit:
        print(
            f"asked to stop: {parts.folder} keeps the finished videos; the same command does the rest", file=sys.stderr
        )
        raise
    failed |= _merge(parts, moments, cfg)
    for name, reason in failed.items():
        print(f"no proposals of {name}: {reason}")
    return 1 if failed else 0


def make_detection(section: Mapping[Any, Any], moments: Moments, parts: PartFiles, batch_size: int) -> VideoDetection:
    """Build what a process of `num_workers` does with its videos."""
    return VideoDetection(make_source(section), moments, parts, batch_size)


def describe_moments(moments: Moments) -> dict[str, Any]:
    """State what decides at which moments persons are looked for, as plain values."""
    content = "\n".join(f"{name} {list(ticks or ())}" for name, ticks in sorted(moments.ticks.items()))
    whole = any(ticks is None for ticks in moments.ticks.values())
    return {
        "ticks_per_second": str(moments.clock.ticks_per_second),
        "origin_second": float(moments.clock.origin),
        "step": moments.step,
        "keyframes": "whole videos" if whole else hashlib.sha256(content.encode()).hexdigest(),
    }


def _folder(cfg: DictConfig) -> str | None:
    """Name the folder of the videos in full: ids, such as file names, are often the same in two folders."""
    if cfg.videos is None:
        folder = cfg.data.get("video_dir")
        return None if folder is None else _in_full(place_of(str(folder), "video"))
    return _in_full(folder_of(place_of(str(cfg.videos), "video")))


def _in_full(place: Place) -> str:
    return str(place) if isinstance(place, Url) else str(place.resolve())


def _moments(cfg: DictConfig) -> Moments:
    if cfg.videos is not None:
        rate = 1 if cfg.detection_rate is None else cfg.detection_rate
        return moments_of_folder(place_of(str(cfg.videos), "video"), rate, cfg.origin_second)
    from lfb_lightning.cli.sections import Sections  # both load much: not in the processes of num_workers
    from lfb_lightning.datasets.action_dataset import Annotated

    split = Sections(cfg).data().dataset.split(cfg.split)
    if not isinstance(split, Annotated):
        raise InputError(
            f"data._target_ is {cfg.data._target_}, whose splits do not say where they are annotated; look at whole videos: "
            "videos=FOLDER."
        )
    ticks: dict[str, Sequence[int] | None] = {}
    for video_id, keyframes in groupby(split.annotated_keyframes(), key=lambda keyframe: keyframe.video_id):
        ticks[video_id] = [keyframe.timestamp for keyframe in keyframes]
    if cfg.detection_rate is None:
        return Moments(split.video, split.clock, ticks)
    step = step_of_rate(cfg.detection_rate, split.clock)
    return Moments(split.video, split.clock, dict.fromkeys(ticks), step=step)


def _watch(events: Iterator[Event], *, done: int, total: int) -> dict[str, str]:
    """Show progress until all is done, and return the videos that failed with the reasons."""
    failed: dict[str, str] = {}
    console = Console(stderr=True)
    with DetectionProgress(console, done=done, total=total) as progress:
        for event in events:
            if isinstance(event, Share):
                progress.show(event.of_videos)
            elif not isinstance(event, Taken):
                progress.finish_video()
                if isinstance(event, VideoFailure):
                    failed[event.video_id] = event.reason
                    console.print(f"failed: {event.reason}", style="red", highlight=False, markup=False, soft_wrap=True)
    return failed


def _merge(parts: PartFiles, moments: Moments, cfg: DictConfig) -> dict[str, str]:
    """Merge the parts if all are there, say where, and return why videos are missing from them, in whichever run."""
    names = moments.video_ids
    failures = parts.failures(names)
    left = [name for name in names if name not in failures and not parts.is_finished(name)]
    if left:
        taken, free = left_by_others(parts, left, patience=0.0)
        print(
            f"{parts.folder}: {len(names) - len(left)} of {len(names)} videos done; {len(taken)} in the hands of other runs, "
            f"{len(free)} not begun. The run that finishes the last one writes {parts.out}."
        )
        return dict(moments.refused)
    rows = parts.merge(names)
    done = len(names) - len(failures)
    failures |= moments.refused
    print(f"wrote {parts.out}: {rows} persons in {done} videos, {len(failures)} failed")
    if not rows:
        print("nobody was found: is persons.threshold too high, or is the detector given what it expects?")
    print(f"parts of the videos, which may be deleted now: {parts.folder}")
    print(f"next: {_next_command(parts.out, moments, cfg)}")
    return failures


def _next_command(out: Path, moments: Moments, cfg: DictConfig) -> str:
    """Write the command that looks at the proposals, with the thresholds at which they were kept."""
    least = cfg.persons.get("threshold", 0.5)
    uses = [f"data.{use}_threshold={least:g}" for use in ("train", "eval", "bank")]
    if cfg.videos is not None:
        folder = folder_of(place_of(str(cfg.videos), "video"))
        origin = float(cfg.origin_second)
        first = math.floor(origin / moments.step) * moments.step  # of its multiples, as those of the moments
        clock = [f"data.origin_second={origin}", f"data.first_second={first}"]
        if moments.step != 1:
            clock.append(f"data.key_step={moments.step}")
        known = ["data=ava_custom", f"data.video_dir={folder}", *clock, "splits=[test]"]
        if moments.clock.ticks_per_second != 1:
            known.append(f"data.ticks_per_second={moments.clock.ticks_per_second}")
    else:
        typed = [text for text in HydraConfig.get().overrides.task if text.startswith(("data", "paths.data_dir"))]
        known = [*(text for text in typed if not text.startswith("data.proposals=")), f"splits=[{cfg.split}]"]
    return shlex.join(["lfb-check", *known, f"data.proposals={out}", *uses])


def main() -> None:
    """Run `lfb-detect` with the arguments that the user typed."""
    launch("detect", detect)


if __name__ == "__main__":
    main()
