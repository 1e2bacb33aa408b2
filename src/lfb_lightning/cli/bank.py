"""`lfb-bank ACTION`: inspect, verify, convert, merge, split, pack, unpack, import and export banks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track as rich_track

from lfb_lightning.bank import FeatureBank, Manifest
from lfb_lightning.bank.fit import refuse_unfit
from lfb_lightning.bank.importing import import_bank
from lfb_lightning.bank.packed.packing import pack, unpack
from lfb_lightning.bank.pickled_bank import PickledBank, export_bank, read_video_names
from lfb_lightning.bank.rewriting import convert, deal_videos, merge, pick
from lfb_lightning.bank.summary import summarize
from lfb_lightning.bank.verify import verify
from lfb_lightning.cli.actions import launch_action
from lfb_lightning.cli.trust import trusted_packages
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_json
from lfb_lightning.files.objects.url import Url, place_of
from lfb_lightning.models import load_detector, state_digest
from lfb_lightning.viz.bank_report import draw_bank_report

_PROBLEMS_SHOWN = 20
_SHOWN_OF_MAKING = (
    "split",
    "entries",
    "precision",
    "compute_precision",
    "origin",
    "keyframes",
    "score_threshold",
    "backbone",
    "package_version",
)


def inspect_bank(cfg: DictConfig, run_dir: Path) -> int:
    """Print what is in a bank, and write it as JSON and PNG if asked to; returns the exit status."""
    bank = FeatureBank.open(cfg.folder)
    summary = summarize(bank)
    made, failed = bank.manifest.provenance, bank.manifest.failed
    size = f"{summary.feature_bytes / 1e6:.1f} MB of features"
    print(f"{bank.folder}: {summary.rows} features of {summary.videos} videos, {made.channels} channels, {size}")
    for name in _SHOWN_OF_MAKING:
        print(f"  {name:18} {getattr(made, name)}")
    tick = "second" if bank.clock.ticks_per_second == 1 else "tick"
    spacing = f", an entry every {made.spacing[0]} from {made.spacing[1]}" if made.spacing else ""
    print(f"  {'clock':18} {made.ticks_per_second} per second{spacing}")
    print(f"  {'backbone digest':18} {made.backbone_digest[:16]}\n  {'clip':18} {dict(made.clip)}")
    print(f"features in a {tick} (mean {summary.mean_persons:.2f}):")
    most = max(summary.persons_per_second.values(), default=1)
    for count, seconds in summary.persons_per_second.items():
        print(f"  {count:3d} {seconds:8d} {'#' * round(40 * seconds / most)}")
    print(f"coverage: first {tick}, last {tick}, share of the {tick}s between that have features")
    for video_id, entry in summary.coverage.items():
        print(f"  {video_id:24} {entry.first:6d} {entry.last:6d} {entry.share:7.1%}")
    for video_id, reason in failed.items():
        print(f"  not in the bank: {video_id}: {reason}")
    if cfg.out is not None:
        content = {"videos": summary.videos, "rows": summary.rows, "failed": dict(failed), "split": made.split}
        coverage = {name: [entry.first, entry.last, entry.share] for name, entry in summary.coverage.items()}
        persons = {str(count): seconds for count, seconds in summary.persons_per_second.items()}
        out = Path(cfg.out)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            write_json(
                out.with_name(f"{out.name}.json"), {**content, "persons_per_second": persons, "coverage": coverage}
            )
            draw_bank_report(out.with_name(f"{out.name}.png"), summary, title=f"{bank.folder} ({made.precision})")
        except OSError as error:
            raise InputError(f"out={out}: cannot be written ({error.strerror}).") from error
        print(f"wrote {out}.json and {out}.png")
    return 0


def verify_bank(cfg: DictConfig, run_dir: Path) -> int:
    """Read everything; returns 1 if anything is not as it was written, or does not fit the checkpoint, else 0."""
    bank = FeatureBank.open(cfg.folder)
    if cfg.ckpt_path is not None:
        detector = load_detector(cfg.ckpt_path, trusted_packages(cfg))
        digest = state_digest(detector.backbone)
        refuse_unfit(bank, split=bank.manifest.provenance.split, channels=detector.channels, backbone_digest=digest)
    console = Console(stderr=True)
    verdicts = rich_track(verify(bank), "videos", total=bank.manifest.num_videos, console=console)
    bad = [verdict for verdict in verdicts if verdict.problem is not None]
    for verdict in bad[:_PROBLEMS_SHOWN]:
        print(f"bad: {verdict.video_id}: {verdict.problem}")
    if len(bad) > _PROBLEMS_SHOWN:
        print(f"... and {len(bad) - _PROBLEMS_SHOWN} more")
    print(
        f"{bank.folder}: {bank.manifest.num_videos} videos, {bank.manifest.num_rows} features read, {len(bad)} bad, "
        f"{len(bank.manifest.failed)} failed in extraction"
    )
    if bad:
        print("delete the bad files and manifest.json, then run the same lfb-extract command again")
    return 1 if bad else 0


def convert_bank(cfg: DictConfig, run_dir: Path) -> int:
    """Write a bank in another precision; returns the exit status."""
    return _wrote(cfg.to, convert(FeatureBank.open(cfg.folder), _folder(cfg.to), cfg.precision, track=_track))


def merge_banks(cfg: DictConfig, run_dir: Path) -> int:
    """Write several banks as one; returns the exit status."""
    banks = [FeatureBank.open(folder) for folder in cfg.folders]
    if not banks:
        raise InputError("folders is empty, expected folders=[first,second,...].")
    return _wrote(cfg.to, merge(banks, _folder(cfg.to), split=cfg.split, track=_track))


def split_bank(cfg: DictConfig, run_dir: Path) -> int:
    """Write one bank as several, or some of its videos as one; returns the exit status."""
    bank = FeatureBank.open(cfg.folder)
    if (cfg.parts is None) == (cfg.videos is None):
        raise InputError("give either parts=N or videos=<file with an id per line>.")
    if cfg.videos is not None:
        video_ids = _lines(Path(cfg.videos))
        return _wrote(cfg.to, pick(bank, _folder(cfg.to), video_ids, split=cfg.split, track=_track))
    for number, video_ids in enumerate(deal_videos(bank, cfg.parts)):
        to = _folder(cfg.to) / f"part_{number}"
        _wrote(to, pick(bank, to, video_ids, split=cfg.split, track=_track))
    return 0


def pack_bank(cfg: DictConfig, run_dir: Path) -> int:
    """Write a bank as a packed one; returns the exit status."""
    bank, to = FeatureBank.open(cfg.folder), place_of(cfg.to)
    manifest = pack(bank, to, shard_mb=cfg.shard_mb, track=_track)
    if bank.manifest.packed is not None:
        print(f"{cfg.to}: was packed before; nothing is left of the files that it was made of")
        return 0
    return _wrote(cfg.to, manifest)


def unpack_bank(cfg: DictConfig, run_dir: Path) -> int:
    """Write a packed bank as one of a file per video; returns the exit status."""
    return _wrote(cfg.to, unpack(FeatureBank.open(cfg.folder), _folder(cfg.to), track=_track))


def import_pickle(cfg: DictConfig, run_dir: Path) -> int:
    """Write a pickle of mmaction2 or of the original release as a bank; returns the exit status."""
    names = None if cfg.video_names is None else read_video_names(cfg.video_names)
    source = PickledBank(cfg.file, names)
    manifest = import_bank(
        source,
        _folder(cfg.to),
        split=cfg.split,
        precision=cfg.precision,
        ticks_per_second=cfg.ticks_per_second,
        entries=cfg.entries,
        spacing=list(cfg.spacing),
        track=_track,
    )
    return _wrote(cfg.to, manifest)


def export_pickle(cfg: DictConfig, run_dir: Path) -> int:
    """Write a bank as mmaction2's pickle; returns the exit status."""
    rows = export_bank(FeatureBank.open(cfg.folder), _folder(cfg.to), track=_track)
    print(f"wrote {cfg.to}: {rows} features")
    return 0


ACTIONS = {
    "inspect": inspect_bank,
    "verify": verify_bank,
    "convert": convert_bank,
    "merge": merge_banks,
    "split": split_bank,
    "pack": pack_bank,
    "unpack": unpack_bank,
    "import": import_pickle,
    "export": export_pickle,
}


def _wrote(to: str | Path, manifest: Manifest) -> int:
    form = "" if manifest.packed is None else ", packed"
    made = f"{manifest.num_rows} features of {manifest.num_videos} videos in {manifest.provenance.precision}"
    print(f"wrote {to}: {made}{form}")
    return 0


def _folder(to: str) -> Path:
    place = place_of(to)
    if isinstance(place, Url):
        raise InputError(f"to={to}: is no folder; write into one, then `lfb-bank pack folder=<that folder> to={to}`.")
    return place


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"videos {path}: cannot be read ({error}).") from error


def _track(video_ids: Sequence[str]) -> Iterable[str]:
    return rich_track(video_ids, "videos", console=Console(stderr=True))


def main() -> None:
    """Run `lfb-bank` with the arguments that the user typed."""
    launch_action("bank", ACTIONS)


if __name__ == "__main__":
    main()
