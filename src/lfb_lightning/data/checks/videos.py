"""Are the videos there, long enough, decodable, and do both ways to read them give the same frames?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lfb_lightning.data.checks.findings import SplitReport
from lfb_lightning.data.split import Split
from lfb_lightning.errors import InputError
from lfb_lightning.video.protocol import VideoProperties

_NAMED = 3


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """A video as found; `problem` says why it cannot be used, `late_keyframes` how many lie after its end."""

    video_id: str
    properties: VideoProperties | None
    late_keyframes: int
    problem: str | None


def look_at_videos(split: Split, *, exactness_probes: int) -> Iterator[VideoFacts]:
    """Open every video of the split and decode its first and last keyframe.

    Of the first `exactness_probes` videos a clip is also read by one pass from the start: the same frames must come.
    """
    last_used: dict[str, list[int]] = {}
    tables = [split.proposals.persons, *([split.annotations.persons] if split.has_annotations else [])]
    for keyframe in sorted({keyframe for table in tables for keyframe in table.select(split.used(table))}):
        last_used.setdefault(keyframe.video_id, []).append(keyframe.timestamp)
    for number, (video_id, timestamps) in enumerate(last_used.items()):
        properties = None
        late = 0
        try:
            video = split.data.videos.open(video_id)
            properties = video.properties()
            sampling = split.data.clip_sampling
            first = sampling.times(timestamps[0])
            clip = video.clip(first)
            video.clip(sampling.times(timestamps[-1]))
            late = sum(second - split.data.origin_second > properties.seconds for second in timestamps)
            if number < exactness_probes and not np.array_equal(clip, next(iter(video.stream(first[None])))):
                raise InputError(f"video {video_id}: seeking and streaming give different frames at {timestamps[0]} s.")
            yield VideoFacts(video_id, properties, late, None)
        except (InputError, OSError) as error:
            yield VideoFacts(video_id, properties, late, str(error))


def report_videos(facts: list[VideoFacts], report: SplitReport, *, source: str, exactness_probes: int) -> None:
    """Add the videos' figures and findings."""
    broken = [fact for fact in facts if fact.problem is not None]
    not_opened = [fact for fact in broken if fact.properties is None]
    known = [fact.properties for fact in facts if fact.properties is not None]
    short = [fact for fact in facts if fact.late_keyframes]
    report.figures |= {
        "videos": len(facts),
        "videos_found": len(facts) - len(not_opened),
        "videos_unusable": {fact.video_id: fact.problem for fact in broken},
        "hours": sum(entry.seconds for entry in known) / 3600,
        "frames": sum(entry.frames or 0 for entry in known),
        "frame_rates": sorted({round(entry.fps, 3) for entry in known}),
        "sizes": sorted({f"{entry.width}x{entry.height}" for entry in known}),
        "keyframes_after_the_end": {fact.video_id: fact.late_keyframes for fact in short},
        "exactness_probes": min(exactness_probes, len(facts)),
    }
    for fact in broken[:_NAMED]:
        report.error(str(fact.problem), f"put it where data.video_dir says, or set data.source (it is {source})")
    if len(broken) > _NAMED:
        report.error(f"{len(broken) - _NAMED} more videos cannot be used", "check.json names each: videos_unusable")
    if facts and len(not_opened) == len(facts):
        report.error("no video was found at all", "set data.video_dir and data.source")
    if short:
        named = ", ".join(f"{fact.video_id} ({fact.late_keyframes})" for fact in short[:_NAMED])
        report.warn(
            f"{len(short)} videos end before their last keyframes: {named}",
            "those clips repeat the last frame; see data.origin_second (15-minute cuts: 900, whole movies: 0), or cut again",
        )
