"""Checks whether videos are there, whole and long enough, and whether both ways of reading give the right frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from lfb_lightning.clips import ClipSampling
from lfb_lightning.datasets.action_dataset import ActionSplit
from lfb_lightning.datasets.checks.findings import SplitReport
from lfb_lightning.datasets.checks.oddities import ODDITIES, VideoFacts
from lfb_lightning.datasets.checks.readings import look_through, refuse_inexact
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe
from lfb_lightning.video import FrameFolder

_NAMED = 3


def look_at_videos(
    split: ActionSplit, keyframes: Sequence[Keyframe], sampling: ClipSampling, *, exactness_probes: int
) -> Iterator[VideoFacts]:
    """Look through every video of the split, and decode the clips of its first and last keyframe.

    Args:
        split: The split.
        keyframes: All that are used of it, sorted by video and time.
        sampling: Which frames make a clip.
        exactness_probes: Number of videos of which some clips are also compared with an independent decode.

    Yields:
        What was found, video by video.
    """
    used: dict[str, list[int]] = {}
    for keyframe in keyframes:
        used.setdefault(keyframe.video_id, []).append(keyframe.timestamp)
    for number, (video_id, timestamps) in enumerate(used.items()):
        facts = VideoFacts(video_id)
        try:
            _look(facts, split, sampling, timestamps, probe=number < exactness_probes)
        except (InputError, OSError) as error:
            facts.problem = str(error)
        yield facts


def _look(facts: VideoFacts, split: ActionSplit, sampling: ClipSampling, timestamps: list[int], *, probe: bool) -> None:
    """Fill in the facts; raises InputError where the video cannot be used."""
    video = split.video(facts.video_id)
    facts.properties = video.properties()
    seconds = np.array([split.clock.seconds_in_video(timestamp) for timestamp in timestamps])
    clip_times = np.stack([sampling.times(second) for second in seconds.tolist()])
    facts.survey = look_through(video, clip_times, every_picture=probe)
    if facts.survey is not None:  # counted, where properties are what the header states
        facts.properties = replace(facts.properties, seconds=facts.survey.seconds, frames=facts.survey.frames)
    begin = video.begin if isinstance(video, FrameFolder) else 0.0
    facts.early_keyframes = int((seconds < begin).sum())
    facts.late_keyframes = int((seconds > facts.properties.seconds).sum())
    facts.may_be_uncut = split.clock.origin > 0 and facts.properties.seconds >= split.clock.seconds(timestamps[-1])
    for times in clip_times[[0, -1]]:
        video.clip(times)
    if probe:
        refuse_inexact(facts.video_id, video, clip_times)


def report_videos(facts: list[VideoFacts], report: SplitReport, *, source: object, exactness_probes: int) -> None:
    """Add the videos' figures and findings to the report of their split.

    Args:
        facts: What `look_at_videos` found.
        report: What is added to.
        source: Value of the key `data.source`; None for a data set without it.
        exactness_probes: Number of videos that were compared with an independent decode.
    """
    known = [fact.properties for fact in facts if fact.properties is not None]
    report.figures |= {
        "videos": len(facts),
        "videos_found": len(known),
        "videos_unusable": {fact.video_id: fact.problem for fact in facts if fact.problem is not None},
        "hours": sum(entry.seconds for entry in known) / 3600,
        "frames": sum(entry.frames or 0 for entry in known),
        "frame_rates": sorted({round(entry.fps, 3) for entry in known}),
        "sizes": sorted({f"{entry.width}x{entry.height}" for entry in known}),
        "exactness_probes": min(exactness_probes, len(facts)),
    }
    _report_unusable(facts, report, source)
    for oddity in ODDITIES:
        found = {fact.video_id: value for fact in facts if (value := oddity.find(fact))}
        report.figures[oddity.figure] = found
        if found:
            named = ", ".join(f"{video_id} ({oddity.describe(found[video_id])})" for video_id in list(found)[:_NAMED])
            more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            report.add(oddity.level, f"{len(found)} of {len(facts)} videos {oddity.what}: {named}{more}", oddity.remedy)


def _report_unusable(facts: list[VideoFacts], report: SplitReport, source: object) -> None:
    broken = [fact for fact in facts if fact.problem is not None]
    for fact in broken[:_NAMED]:
        if fact.properties is None:
            choice = f", or set data.source (it is {source})" if source is not None else ""
            remedy = f"mend it, or put it where the data set looks for it (data.video_dir){choice}"
        else:
            remedy = "mend the file or leave its rows out: lfb-extract skips it and says so, lfb-train stops at it"
        report.error(str(fact.problem), remedy)
    if len(broken) > _NAMED:
        report.error(f"{len(broken) - _NAMED} more videos cannot be used", "check.json names each: videos_unusable")
    if facts and all(fact.properties is None for fact in facts):
        report.error("no video was found at all", "set data.video_dir and data.source")
