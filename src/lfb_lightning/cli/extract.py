"""`lfb-extract`: runs a detector over a split's videos and stores the features of its regions, or of objects, as a bank."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import cast

from omegaconf import DictConfig
from torch import nn

from lfb_lightning.bank import BankConfig, BankWriter, Provenance
from lfb_lightning.bank.packed.place import PackedPlace
from lfb_lightning.bank.shard import Shard
from lfb_lightning.cli.app import launch, write_config
from lfb_lightning.cli.building import (
    adopt_checkpoint,
    build,
    build_data,
    required_checkpoint,
    settle_process,
)
from lfb_lightning.cli.extract_end import finish, is_done, next_command
from lfb_lightning.cli.extract_engines import Extraction, extract_by_lightning, extract_by_ray
from lfb_lightning.cli.first_data import provide_data
from lfb_lightning.cli.sections import Sections
from lfb_lightning.cli.trust import trusted_packages
from lfb_lightning.clips import ClipSettings
from lfb_lightning.clusters import RayEngine
from lfb_lightning.datasets import ActionSplit, BankSplit, ObjectSplit
from lfb_lightning.datasets.bank_plan import BankPlan
from lfb_lightning.datasets.bank_split import entries_of, spacing_of
from lfb_lightning.models import ActionDetector, RegionModel, load_detector, state_digest
from lfb_lightning.persons import ObjectSource
from lfb_lightning.version import __version__

_log = logging.getLogger(__name__)


def extract(cfg: DictConfig, run_dir: Path) -> int:
    """Extract as configured; returns the exit status: 1 if a video failed."""
    provide_data(cfg)
    settle_process(cfg)
    objects: ObjectSource | None = build(cfg.objects) if cfg.get("objects") is not None else None
    detector: ActionDetector | None = None
    sections = Sections(cfg)
    if objects is None or objects.needs_checkpoint:
        checkpoint = required_checkpoint(cfg)
        sections = adopt_checkpoint(cfg, ("data", "bank"), writes_bank=True)
        detector = load_detector(checkpoint, trusted_packages(cfg))
    data, bank = build_data(sections)
    write_config(sections.content(), run_dir)
    whole = data.dataset.split(cfg.split)
    split, clips, model = _described(objects, detector, whole, data.clips)
    made, folder = provenance(model, split, clips, bank, cfg), bank.folder(cfg.split)
    work = bank.folder_to_write(cfg.split)
    place, shard = PackedPlace(folder, made), Shard.parse(str(cfg.shard))
    if bank.pack and is_done(bank, split, place, shard):
        _log.info("bank %s: is extracted and packed already", folder)
        return 0
    plan = BankPlan(split, bank, BankWriter(work, made), shard)
    what = Extraction(
        plan=plan,
        bank=bank,
        place=place,
        clips=clips,
        loading=data.loading,
        model=model,
        detector=detector,
        whole=whole,
        dataset_clips=data.clips,
    )
    engine: RayEngine | None = build(cfg.engine) if cfg.get("engine") else None
    try:
        if engine is None:
            manifest, failed = extract_by_lightning(cfg, run_dir, sections, what)
        else:
            manifest, failed = extract_by_ray(cfg, run_dir, engine, what)
    except SystemExit:
        _log.info("asked to stop: %s keeps its finished videos; the same command does the rest", work)
        raise
    status = finish(bank, cfg.split, manifest, failed, run_dir)
    if status == 0 and manifest is not None and objects is None and (following := next_command(bank, cfg.split)):
        _log.info("next: %s", following)
    return status


def _described(
    objects: ObjectSource | None, detector: ActionDetector | None, split: ActionSplit, clips: ClipSettings
) -> tuple[BankSplit, ClipSettings, RegionModel]:
    """Say which regions are described, how their clips are shown, and by whom: those of the data set, or objects."""
    if objects is None:
        assert detector is not None
        return split, clips, detector
    clips = replace(clips, eval_crop="whole")  # boxes are of the whole frame
    if not objects.needs_checkpoint:  # one still picture, exactly at the moment, as the video has it
        clips = replace(clips, num_frames=1, frame_stride=1, frame_shift=0.5, eval_short_side=None)
        clips = replace(clips, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return ObjectSplit(split, objects.boxes), clips, objects.model(detector)


def provenance(
    detector: RegionModel, split: BankSplit, clips: ClipSettings, bank: BankConfig, cfg: DictConfig
) -> Provenance:
    """State what decides the content of the bank that is about to be written.

    Args:
        detector: What makes the features.
        split: What is described.
        clips: How its clips are cut.
        bank: How moments are chosen, and features stored.
        cfg: The composed configuration.
    """
    return Provenance(
        checkpoint_digest=state_digest(cast(nn.Module, detector)),
        backbone_digest=state_digest(detector.backbone),
        backbone=detector.describe_backbone(),
        channels=detector.channels,
        precision=bank.precision,
        compute_precision=str(cfg.trainer.precision).removesuffix("-true"),  # 32 and 32-true are one
        clip={**clips.describe(), **split.describe()},
        keyframes=bank.keyframes,
        score_threshold=split.bank_threshold,
        split=cfg.split,
        ticks_per_second=str(split.clock.ticks_per_second),
        entries=entries_of(split),
        spacing=spacing_of(split),
        package_version=__version__,
    )


def main() -> None:
    """Run `lfb-extract` with the arguments that the user typed."""
    launch("extract", extract)


if __name__ == "__main__":
    main()
