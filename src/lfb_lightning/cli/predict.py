"""`lfb-predict`: the actions of the persons in videos of one's own, as tables, as a video, and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lfb_lightning.bank import BankWriter, finish_bank
from lfb_lightning.bank.layout import SUFFIX, video_id_of
from lfb_lightning.cli.app import launch
from lfb_lightning.cli.building import build, required_checkpoint
from lfb_lightning.cli.predict_live import predict_live, refuse_with_source
from lfb_lightning.cli.predict_videos import find_videos, result_folders, typed_path, video_id
from lfb_lightning.cli.sections import plain
from lfb_lightning.cli.trust import trusted_packages
from lfb_lightning.errors import InputError, one_line
from lfb_lightning.files.objects.fetching import local_copy
from lfb_lightning.files.objects.url import Place
from lfb_lightning.files.run_lock import RunLock
from lfb_lightning.prediction import LFBPredictor, Prediction
from lfb_lightning.prediction.causal import causal
from lfb_lightning.prediction.keeping import bank_writer, keep_video
from lfb_lightning.prediction.outputs import Outputs
from lfb_lightning.prediction.trained import Trained, load_trained, refuse_other_banks

_JOURNAL = ".unfinished"

_NOBODY = (
    "nobody was found: try a lower persons.threshold; with persons=boxes, persons.origin_second is the file's timestamp of "
    "the first frame (900 for AVA's)."
)


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
        return predict_live(cfg, _predictor(cfg))
    videos = find_videos(cfg.video)
    predictor = _predictor(cfg)
    for note in predictor.notes:
        print(f"note: {note}")
    outputs = Outputs(
        overlay=cfg.overlay, page=cfg.page, threshold=float(cfg.threshold), least_score=float(cfg.least_score)
    )
    folders = result_folders(videos, cfg.out)
    keeper = _keeper(cfg, predictor)
    failed: dict[Place, str] = {}
    console = Console(stderr=True)
    for video, folder in folders.items():
        try:
            with local_copy(video, "video") as local:
                _predict_one(local, folder, predictor, outputs, keeper, console)
        except InputError as error:
            if len(videos) == 1:
                raise
            failed[video] = one_line(str(error))
            console.print(f"failed: {failed[video]}", style="red", highlight=False, markup=False, soft_wrap=True)
        except SystemExit:
            console.print(
                f"asked to stop: {folder} keeps what was seen of {video}; the same command goes on",
                markup=False,
                soft_wrap=True,
            )
            raise
    if keeper is not None:
        finish_bank(keeper.folder, keeper.provenance, *_banked(keeper, folders, failed))
        print(f"bank: {keeper.folder}")
    if len(videos) > 1:
        print(f"{len(videos) - len(failed)} of {len(videos)} videos predicted")
        for video, reason in failed.items():
            print(f"not predicted: {video}: {reason}")
    return 1 if failed else 0


def _predictor(cfg: DictConfig) -> LFBPredictor:
    trusted = trusted_packages(cfg)
    clips = plain(cfg.clips)

    def loaded(path: str | Path | None) -> Trained | None:
        if path is None:
            return None
        trained = load_trained(path, labels=cfg.labels, clips=clips, trusted_packages=trusted)
        return causal(trained) if cfg.window == "causal" and cfg.source is None else trained

    trained = loaded(required_checkpoint(cfg))
    assert trained is not None
    refuse_other_banks(trained)  # before a detector of persons is fetched
    return LFBPredictor(
        trained,
        bank=loaded(cfg.bank_ckpt_path),
        compare=loaded(cfg.compare),
        persons=build(cfg.persons),
        device=cfg.device,
        batch_size=cfg.batch_size,
        bank_threshold=_bank_threshold(cfg),
        attention=cfg.attention,
        detection_rate=cfg.detection_rate,
        linker=cfg.linker,
    )


def _keeper(cfg: DictConfig, predictor: LFBPredictor) -> BankWriter | None:
    if cfg.bank.dir is None:
        return None
    return bank_writer(
        typed_path(str(cfg.bank.dir), "bank.dir"),
        predictor.memory,
        clock=predictor.trained.recipe.clock,
        precision=predictor.trained.recipe.precision,
        bank_threshold=_bank_threshold(cfg),
    )


def _bank_threshold(cfg: DictConfig) -> float:
    unknown = set(cfg.bank) - {"dir", "threshold"}
    if unknown:
        raise InputError(f"bank.{min(map(str, unknown))}: unknown key, expected bank.dir or bank.threshold.")
    value = cfg.bank.threshold
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"bank.threshold is {value}, expected a number of 0 to 1.")
    return float(value)


def _banked(
    keeper: BankWriter, folders: Mapping[Place, Path], failed: Mapping[Place, str]
) -> tuple[list[str], dict[str, str]]:
    """List the videos of a bank, those of earlier commands included, and why some of this one's are not in it."""
    reasons = {one_line(folders[video].name): reason for video, reason in failed.items()}
    done = {video_id(video, folder) for video, folder in folders.items() if video not in failed}
    earlier = {video_id_of(path) for path in keeper.folder.glob(f"*{SUFFIX}")}
    return sorted(earlier | done | set(reasons)), reasons


def _predict_one(
    video: Path,
    folder: Path,
    predictor: LFBPredictor,
    outputs: Outputs,
    keeper: BankWriter | None,
    console: Console,
) -> None:
    name = video_id(video, folder)
    outputs.refuse_folder(folder, video)
    lock = RunLock(folder, key="out")
    try:
        journal = predictor.journal(video, folder / _JOURNAL)
        made_by = {**journal.made_by, **predictor.describe()}
        if outputs.is_complete(folder, made_by) and (keeper is None or keeper.is_finished(name)):
            print(f"{folder}: was there")
            return
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
            prediction = predictor(
                video,
                video_id=name,
                journal=journal,
                progress=lambda done, total: bar.update(moments, completed=done, total=total),
            )
            drawn = bar.add_task("seconds drawn", total=max(1, round(prediction.properties.seconds)))
            files, problems = outputs.write(
                prediction, folder, progress=lambda second: bar.update(drawn, completed=int(second))
            )
            bar.update(drawn, completed=max(1, round(prediction.properties.seconds)))
        if keeper is not None:
            keep_video(
                keeper, name, journal.stored(), look=predictor.bank_look, bank_threshold=predictor.bank_threshold
            )
        outputs.finish(folder, made_by, _summary(prediction))
        journal.remove()
        print(_told(prediction, files, problems))
    finally:
        lock.release()


def _summary(prediction: Prediction) -> dict[str, Any]:
    return {
        "video": str(prediction.video.resolve()),
        "moments": len(prediction.ticks),
        "persons": len(prediction.moment),
        "tracks": len(set(prediction.tracks.tolist())),
        "model": prediction.model,
    }


def _told(prediction: Prediction, files: list[Path], problems: list[str]) -> str:
    summary = _summary(prediction)
    lines = [
        f"{prediction.video}: {summary['moments']} moments, {summary['persons']} persons in {summary['tracks']} tracks",
        *([f"  {_NOBODY}"] if summary["persons"] == 0 else []),
        *(f"  missing: {problem}" for problem in problems),
        *(f"  {path}" for path in files),
    ]
    return "\n".join(lines)


def main() -> None:
    """Run `lfb-predict` with the arguments that the user typed."""
    launch("predict", predict)


if __name__ == "__main__":
    main()
