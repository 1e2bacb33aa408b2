"""`lfb-detect engine=ray`: actors find the persons of whole videos, and this process writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from lfb_lightning.cli.person_sources import make_source
from lfb_lightning.clusters import RayEngine
from lfb_lightning.clusters.jobs import done_jobs
from lfb_lightning.clusters.session import joined
from lfb_lightning.persons.detecting import Event, Finished, find_in_video
from lfb_lightning.persons.moments import Moments
from lfb_lightning.persons.part_files import PartFiles
from lfb_lightning.structures import Proposals, VideoFailure

Found = tuple[str, list[tuple[int, Proposals]]]  # the stamp of a video before it was read, and its persons by ticks


def detect_on_ray(
    engine: DictConfig,
    section: Mapping[Any, Any],
    moments: Moments,
    parts: PartFiles,
    video_ids: Sequence[str],
    *,
    batch_size: int,
) -> Iterator[Event]:
    """Find the persons of videos on a Ray cluster.

    Args:
        engine: The `engine` section: how the cluster is used.
        section: The `persons` section, of which each actor makes a detector.
        moments: At which moments.
        parts: Where they are written, by this process.
        video_ids: The videos.
        batch_size: Frames that a detector is given at a time.

    Yields:
        What becomes of each video.
    """
    if not video_ids:
        return
    settings: RayEngine = instantiate(engine, _convert_="all")
    with joined(settings) as cluster:
        making = partial(make_finding, section, moments, batch_size)
        for one in done_jobs(cluster, settings, making, video_ids):
            if isinstance(one, VideoFailure):
                parts.fail(one.video_id, one.reason)
                yield one
                continue
            stamp, found = one.outcome
            parts.write(one.video_id, moments.clock, found, stamp=stamp)
            yield Finished(one.video_id, len(found))


def make_finding(section: Mapping[Any, Any], moments: Moments, batch_size: int) -> Callable[[str], Found]:
    """Build what an actor does with its videos.

    Args:
        section: The `persons` section.
        moments: At which moments persons are looked for.
        batch_size: Frames that the detector is given at a time.
    """
    source = make_source(section)

    def find(video_id: str) -> Found:
        stamp = moments.stamp(video_id)
        batches = find_in_video(source, moments, video_id, batch_size)
        return stamp, [one for batch, _ in batches for one in batch]

    return find
