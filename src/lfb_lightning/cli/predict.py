"""`lfb-predict`: the actions of the persons in videos of one's own, as tables, as a video, and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from lfb_lightning.bank import BankWriter, finish_bank
from lfb_lightning.bank.layout import SUFFIX, video_id_of
from lfb_lightning.cli.app import launch
from lfb_lightning.cli.predict_live import predict_live, refuse_with_source
from lfb_lightning.cli.predict_one import VideoJob, make_job, make_predictor
from lfb_lightning.cli.predict_videos import find_videos, result_folders, video_id
from lfb_lightning.errors import InputError, one_line
from lfb_lightning.files.objects.url import Place, refuse_url

Outcome = tuple[Place, str, InputError | None]  # a video, what is there of it now, and why it failed


def predict(cfg: DictConfig, run_dir: Path) -> int:
    """Predict the configured videos.

    Args:
        cfg: The composed configuration.
        run_dir: The run folder, which is not used.

    Returns:
        The exit status: 1 if a video failed, else 0.
    """
    if cfg.num_threads is not None:
        torch.set_num_threads(cfg.num_threads)
    if cfg.source is not None:
        refuse_with_source(cfg)
        return predict_live(cfg, make_predictor(cfg, persons_chosen=_persons_are_chosen()))
    refuse_url("bank.dir", cfg.bank.dir)  # before models are loaded
    videos = find_videos(cfg.video)
    job = make_job(cfg, persons_chosen=_persons_are_chosen())
    for note in job.predictor.notes:
        print(f"note: {note}")
    folders = result_folders(videos, cfg.out)
    console = Console(stderr=True)
    failed = _predict_all(cfg, job, folders, console)
    if job.keeper is not None:
        finish_bank(job.keeper.folder, job.keeper.provenance, *_banked(job.keeper, folders, failed))
        print(f"bank: {job.keeper.folder}")
    if len(videos) > 1:
        print(f"{len(videos) - len(failed)} of {len(videos)} videos predicted")
        for video, reason in failed.items():
            print(f"not predicted: {video}: {reason}")
    return 1 if failed else 0


def _persons_are_chosen() -> bool:
    return any(override.lstrip("+").startswith("persons") for override in HydraConfig.get().overrides.task)


def _predict_all(cfg: DictConfig, job: VideoJob, folders: Mapping[Place, Path], console: Console) -> dict[Place, str]:
    """Predict the videos, print what came of each, and return why videos failed; a single one's failure is raised."""
    failed: dict[Place, str] = {}
    if cfg.get("engine"):
        from lfb_lightning.cli.predict_ray import predict_on_ray

        each = predict_on_ray(cfg, folders, console, persons_chosen=_persons_are_chosen())
    else:
        each = _predict_here(job, folders, console)
    for video, text, reason in each:
        if reason is None:
            print(text)
        elif len(folders) == 1:
            raise reason
        else:
            failed[video] = one_line(str(reason))
            console.print(f"failed: {failed[video]}", style="red", highlight=False, markup=False, soft_wrap=True)
    return failed


def _predict_here(job: VideoJob, folders: Mapping[Place, Path], console: Console) -> Iterator[Outcome]:
    for video, folder in folders.items():
        try:
            yield video, _predict_shown(job, video, folder, console), None
        except InputError as error:
            yield video, "", error
        except SystemExit:
            console.print(
                f"asked to stop: {folder} keeps what was seen of {video}; the same command goes on",
                markup=False,
                soft_wrap=True,
            )
            raise


def _predict_shown(job: VideoJob, video: Place, folder: Path, console: Console) -> str:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        moments = bar.add_task(f"{video.name}: seconds seen", total=None)
        drawn: list[TaskID] = []

        def draw(second: float, total: float) -> None:
            if not drawn:
                drawn.append(bar.add_task("seconds drawn", total=total))
            bar.update(drawn[0], completed=second)

        return job(video, folder, seen=lambda done, total: bar.update(moments, completed=done, total=total), drawn=draw)


def _banked(
    keeper: BankWriter, folders: Mapping[Place, Path], failed: Mapping[Place, str]
) -> tuple[list[str], dict[str, str]]:
    """List the videos of a bank, those of earlier commands included, and why some of this one's are not in it."""
    reasons = {one_line(folders[video].name): reason for video, reason in failed.items()}
    done = {video_id(video, folder) for video, folder in folders.items() if video not in failed}
    earlier = {video_id_of(path) for path in keeper.folder.glob(f"*{SUFFIX}")}
    return sorted(earlier | done | set(reasons)), reasons


def main() -> None:
    """Run `lfb-predict` with the arguments that the user typed."""
    launch("predict", predict)


if __name__ == "__main__":
    main()
