"""Finding the persons of many videos: each decoded once, on several processes, resumable at any video."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch

from lfb_lightning.bank.claims import VideoClaims
from lfb_lightning.errors import InputError
from lfb_lightning.persons.moments import Moments
from lfb_lightning.persons.part_files import PartFiles
from lfb_lightning.persons.person_source import PersonSource
from lfb_lightning.processes import serve, usable_cores
from lfb_lightning.structures import Proposals, VideoFailure

_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 10.0  # after a run was killed, its processes live for some seconds more and hold its claims


@dataclass(frozen=True)
class Finished:
    """A video whose persons are in its file now."""

    video_id: str
    moments: int


@dataclass(frozen=True)
class Taken:
    """A video that another run is at, or has finished meanwhile."""

    video_id: str


@dataclass(frozen=True)
class Share:
    """How far the videos in hand are: the sum of their finished shares, each 0 to 1."""

    of_videos: float


Event = Finished | Taken | VideoFailure | Share


@dataclass
class VideoDetection:
    """Finds the persons of one video after another, in this process.

    Args:
        source: Finds them in frames.
        moments: At which moments.
        parts: Where they are written.
        batch_size: Frames that the source is given at a time.
    """

    source: PersonSource
    moments: Moments
    parts: PartFiles
    batch_size: int
    claims: VideoClaims = field(init=False)

    def __post_init__(self) -> None:
        self.claims = VideoClaims(self.parts)

    def run(self, video_id: str, *, patience: float = 0.0) -> Iterator[Event]:
        """Write the persons of a video.

        Args:
            video_id: The video.
            patience: Seconds to wait for another run that is at it.

        Yields:
            How far it is, now and then; at last the outcome.
        """
        if not self.claims.begin(video_id, patience=patience):
            yield Taken(video_id)
            return
        try:
            stamp = self.moments.stamp(video_id)
            found: list[tuple[int, Proposals]] = []
            for batch, total in find_in_video(self.source, self.moments, video_id, self.batch_size):
                found += batch
                yield Share(len(found) / total)
            self.parts.write(video_id, self.moments.clock, found, stamp=stamp)
            yield Finished(video_id, len(found))
        except InputError as error:
            self.parts.fail(video_id, str(error))
            yield VideoFailure(video_id, str(error))
        finally:
            self.claims.end()


def find_in_video(
    source: PersonSource, moments: Moments, video_id: str, batch_size: int
) -> Iterator[tuple[list[tuple[int, Proposals]], int]]:
    """Find the persons of a video, decoded once.

    Args:
        source: Finds them in frames.
        moments: At which moments.
        video_id: The video.
        batch_size: Frames that the source is given at a time.

    Yields:
        The ticks of some moments with their persons, and the number of all moments.

    Raises:
        InputError: The video cannot be read; the message names its file.
    """
    video = moments.open_video(video_id)
    ticks = moments.of(video_id, video)
    seconds = [moments.clock.seconds_in_video(tick) for tick in ticks]
    reach = seconds[-1] if moments.ticks[video_id] is None else 0.0
    frames = video.stream(np.array(seconds, dtype=np.float64)[:, None], reach=reach)
    shown = zip(ticks, seconds, frames, strict=True)
    while batch := list(islice(shown, batch_size)):
        found = source.find([frame[0] for _, _, frame in batch], [second for _, second, _ in batch], video_id)
        yield [(tick, persons) for (tick, _, _), persons in zip(batch, found, strict=True)], len(ticks)


def detect_here(detection: VideoDetection, video_ids: Sequence[str]) -> Iterator[Event]:
    """Find the persons of videos in this process.

    Args:
        detection: What is done with each.
        video_ids: The videos; those that another run is at are tried again at the end.

    Yields:
        What becomes of each video, and how far the one in hand is.
    """
    refused = []
    for video_id in video_ids:
        for event in detection.run(video_id):
            if isinstance(event, Taken):
                refused.append(video_id)
            else:
                yield event
    until = time.monotonic() + _PATIENCE_SECONDS
    for video_id in refused:
        yield from detection.run(video_id, patience=max(0.0, until - time.monotonic()))


def detect_on_workers(
    make_detection: Callable[[], VideoDetection], video_ids: Sequence[str], *, num_workers: int
) -> Iterator[Event]:
    """Find the persons of videos on several processes, each with a source of its own; see `detect_here`.

    Args:
        make_detection: Called once in each process, with `LOCAL_RANK` set to its number, by which sources choose a GPU.
        video_ids: The videos.
        num_workers: Processes.

    Raises:
        InputError: A process was ended from outside.
    """
    context = multiprocessing.get_context("spawn")
    number, shares = context.Value("i", 0), context.Array("d", num_workers)
    arguments = (os.getpid(), make_detection, number, shares, num_workers)
    with ProcessPoolExecutor(num_workers, context, initializer=_start, initargs=arguments) as pool:
        try:
            refused = []
            for event in _outcomes([pool.submit(_run, video_id, 0.0) for video_id in video_ids], shares):
                if isinstance(event, Taken):
                    refused.append(event.video_id)
                else:
                    yield event
            yield from _outcomes([pool.submit(_run, name, _PATIENCE_SECONDS) for name in refused], shares)
        except BaseException as error:  # an end that was asked for does not wait for the videos in hand
            for process in multiprocessing.active_children():
                process.terminate()
            if isinstance(error, BrokenProcessPool):
                raise InputError(
                    "a process of num_workers was ended from outside, or could not start (out of memory?); the same command "
                    "goes on with the videos that are left."
                ) from error
            raise


def _outcomes(futures: Sequence[Future[Event]], shares: Any) -> Iterator[Event]:
    left = set(futures)
    while left:
        done, left = wait(left, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()
        yield Share(sum(shares))


_detection: VideoDetection  # of a worker
_shares: Any
_number: int


def _start(
    parent: int, make_detection: Callable[[], VideoDetection], number: Any, shares: Any, num_workers: int
) -> None:
    global _detection, _shares, _number
    serve(parent)
    with number.get_lock():
        _number, number.value = number.value, number.value + 1
    os.environ["LOCAL_RANK"] = str(_number)
    torch.set_num_threads(max(1, usable_cores() // num_workers))
    _detection, _shares = make_detection(), shares


def _run(video_id: str, patience: float) -> Event:
    outcome: Event = Taken(video_id)
    for event in _detection.run(video_id, patience=patience):
        if isinstance(event, Share):
            _shares[_number] = event.of_videos
        else:
            outcome = event
    _shares[_number] = 0.0
    return outcome
