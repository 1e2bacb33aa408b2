"""`lfb-predict engine=ray`: actors predict whole videos, and each writes the folder of its video itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from lfb_lightning.cli.building import build
from lfb_lightning.cli.detect_progress import DetectionProgress
from lfb_lightning.cli.predict_one import make_job
from lfb_lightning.clusters import RayEngine
from lfb_lightning.clusters.jobs import done_jobs
from lfb_lightning.clusters.session import joined
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Place, place_of
from lfb_lightning.structures import VideoFailure

Outcome = tuple[Place, str, InputError | None]  # a video, what is there of it now, and why it failed


def predict_on_ray(
    cfg: DictConfig, folders: Mapping[Place, Path], console: Console, *, persons_chosen: bool
) -> Iterator[Outcome]:
    """Predict videos on a Ray cluster, whose machines see the videos and the folders of results.

    Args:
        cfg: The composed configuration, which each actor builds a predictor from.
        folders: The folder of each video's results.
        console: Where progress is shown.
        persons_chosen: As `make_predictor` has it.

    Yields:
        What became of each video, in the order in which they end.
    """
    engine: RayEngine = build(cfg.engine)
    videos = {str(video): video for video in folders}
    content = OmegaConf.to_container(cfg, resolve=True)
    making = partial(
        make_prediction, content, {name: str(folders[video]) for name, video in videos.items()}, persons_chosen
    )
    allows_gpu = cfg.device is None or not str(cfg.device).startswith("cpu")
    with joined(engine) as cluster, DetectionProgress(console, done=0, total=len(videos), of="predictions") as bar:
        for one in done_jobs(cluster, engine, making, list(videos), num_threads=cfg.num_threads, allows_gpu=allows_gpu):
            bar.finish_video()
            if isinstance(one, VideoFailure):
                yield videos[one.video_id], "", InputError(one.reason)
            else:
                yield videos[one.video_id], str(one.outcome), None


def make_prediction(content: Any, folders: Mapping[str, str], persons_chosen: bool) -> Callable[[str], str]:
    """Build what an actor does with its videos.

    Args:
        content: The command's configuration, plain data.
        folders: The folder of each video's results.
        persons_chosen: As `make_predictor` has it.
    """
    job = make_job(OmegaConf.create(content), persons_chosen=persons_chosen)
    return lambda video: job(place_of(video, "video"), Path(folders[video]))
