"""What computes the features of `lfb-extract`: Lightning on this machine, or tasks and actors on a Ray cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from lfb_lightning.bank import BankConfig, Manifest
from lfb_lightning.bank.collecting import BankCollecting, finish
from lfb_lightning.bank.packed.place import PackedPlace
from lfb_lightning.cli.extract_progress import RayProgress
from lfb_lightning.cli.sections import Sections
from lfb_lightning.cli.trainer import build_callbacks, build_trainer, telling_misconfiguration
from lfb_lightning.clips import ClipSettings
from lfb_lightning.clusters import RayEngine
from lfb_lightning.clusters.decoding import Reading, items_of_videos
from lfb_lightning.clusters.describing import Describing
from lfb_lightning.clusters.extraction import features_of_videos
from lfb_lightning.clusters.session import joined
from lfb_lightning.datasets import ActionSplit
from lfb_lightning.datasets.bank_plan import BankPlan
from lfb_lightning.datasets.checks.fingerprint import fingerprint
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_json
from lfb_lightning.lightning import ExtractionDataModule, ExtractionTask
from lfb_lightning.lightning.callbacks.bank_writing import BankWriting
from lfb_lightning.lightning.callbacks.fingerprinting import FrameFingerprint
from lfb_lightning.lightning.callbacks.node_watch import telling_lost_nodes
from lfb_lightning.lightning.callbacks.stop_at_once import StopAtOnce
from lfb_lightning.lightning.datamodules.loading import Loading
from lfb_lightning.models import ActionDetector, RegionModel
from lfb_lightning.models.compiling import compile_detector
from lfb_lightning.structures import VideoFailure

Outcome = tuple[Manifest | None, Mapping[str, str]]  # the finished bank's, and why videos are not in it


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """What is extracted, whatever computes it.

    Args:
        plan: Which videos, and where they are written.
        bank: The bank's settings.
        place: Where it is when it is whole.
        clips: How clips are cut and shown.
        loading: How they become batches.
        model: What makes the features.
        detector: The detector in it; None for objects that need none.
        whole: The split as the data set has it.
        dataset_clips: How its clips are cut, where objects are not looked at.
    """

    plan: BankPlan
    bank: BankConfig
    place: PackedPlace
    clips: ClipSettings
    loading: Loading
    model: RegionModel
    detector: ActionDetector | None
    whole: ActionSplit
    dataset_clips: ClipSettings


def extract_by_lightning(cfg: DictConfig, run_dir: Path, sections: Sections, what: Extraction) -> Outcome:
    """Extract on the devices that the `trainer` section chooses.

    Args:
        cfg: The composed configuration.
        run_dir: The run folder.
        sections: The configuration with what the checkpoint brought.
        what: What is extracted.
    """
    datamodule = ExtractionDataModule(what.plan, clips=what.clips, loading=what.loading, bank=what.bank)
    writing = BankWriting(what.plan, on_error=what.bank.on_error, place=what.place)
    prints = FrameFingerprint([what.whole], what.dataset_clips.sampling)
    callbacks = [*build_callbacks(cfg, data=what.plan), prints, writing, StopAtOnce()]
    trainer = build_trainer(cfg, run_dir, callbacks, logging_on=False)
    if cfg.compile and what.detector is not None:
        compile_detector(what.detector)
    task: ExtractionTask = sections.build("extraction", detector=what.model)
    with telling_misconfiguration(cfg), telling_lost_nodes(trainer):
        trainer.predict(task, datamodule, return_predictions=False)
    return writing.manifest, writing.failed


def extract_by_ray(cfg: DictConfig, run_dir: Path, engine: RayEngine, what: Extraction) -> Outcome:
    """Extract on a Ray cluster; this process writes the bank.

    Args:
        cfg: The composed configuration.
        run_dir: The run folder.
        engine: How the cluster is used.
        what: What is extracted.

    Raises:
        InputError: There is no cluster, or a video failed and errors are to stop the run.
    """
    what.plan.look()
    write_json(run_dir / "fingerprint.json", {what.whole.name: fingerprint(what.whole, what.dataset_clips.sampling)})
    collecting = BankCollecting(what.plan, on_error=what.bank.on_error)
    try:
        if what.plan.todo:
            _compute(cfg, engine, what, collecting)
        else:
            collecting.start(says=True)
        collecting.write_all()
    finally:
        collecting.end()
    collecting.say_speed("")
    return finish(what.plan, collecting.failed, what.place)


def _compute(cfg: DictConfig, engine: RayEngine, what: Extraction, collecting: BankCollecting) -> None:
    plan = what.plan
    reading = Reading(
        split=plan.split,
        items=items_of_videos(plan.items),
        regions=plan.regions,
        clips=what.clips,
        batch_size=what.loading.batch_size,
        outside_video=what.bank.outside_video,
        folder=str(Path.cwd()),
    )
    describing = Describing(
        model=what.model,
        compiled=what.detector if cfg.compile else None,
        mean=tuple(what.clips.mean),
        std=tuple(what.clips.std),
        precision=str(cfg.trainer.precision),
        num_threads=cfg.num_threads,
        seed=cfg.seed,
        folder=str(Path.cwd()),
    )
    with joined(engine) as cluster, RayProgress(plan, engine.log_seconds) as progress:
        collecting.start(says=True)
        found = features_of_videos(
            cluster,
            engine,
            reading,
            describing,
            allows_gpu=cfg.trainer.accelerator != "cpu",
            progress=progress.count,
        )
        for one in found:
            if not isinstance(one, VideoFailure):
                collecting.add(one)
                continue
            if what.bank.on_error == "stop":
                raise InputError(one.reason)
            collecting.fail(one.video_id, one.reason)
            progress.forget(one.video_id)
