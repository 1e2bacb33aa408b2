"""`lfb-cache`: store only the frames that clips can touch, so that training decodes no video."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lfb_lightning.cli.app import launch
from lfb_lightning.cli.first_data import provide_data
from lfb_lightning.cli.sections import Sections
from lfb_lightning.datasets import Cacheable
from lfb_lightning.datasets.cache_packing import CachePacker
from lfb_lightning.datasets.frame_cache import CacheRecipe, make_cache
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Url
from lfb_lightning.structures import VideoFailure


def cache(cfg: DictConfig, run_dir: Path) -> int:
    """Write the cache of the configured splits.

    Args:
        cfg: The composed configuration.
        run_dir: The run folder, which is not used.

    Returns:
        The exit status: 1 if a video failed, else 0.
    """
    provide_data(cfg)
    data = Sections(cfg).data()
    dataset = data.dataset
    if not isinstance(dataset, Cacheable):
        why = getattr(dataset, "why_no_cache", None) or (
            "it does not say which frames its clips may show (for whoever wrote it: lfb_lightning.datasets.Cacheable); train "
            "from its videos."
        )
        raise InputError(f"data._target_ is {cfg.data._target_}, which has no frame cache: {why}")
    cache_dir = dataset.videos.cache_dir
    if cache_dir is None:
        raise InputError("data.cache_dir is not set: give the folder that the cache is written to.")
    if isinstance(cache_dir, Url):
        raise InputError(
            f"data.cache_dir={cache_dir}: lfb-cache writes into a folder; upload that with the tool of your store, and train "
            "with its URL."
        )
    packer = CachePacker(dataset.videos, archive_bytes=cfg.archive_mb * 1_000_000) if cfg.pack else None
    recipe = CacheRecipe(short_side=cfg.short_side, quality=cfg.quality)
    video_ids = sorted({video_id for split in cfg.splits for video_id in dataset.video_ids(split)})
    failed: list[VideoFailure] = []
    total = there = 0
    columns = (
        TextColumn("frames of videos"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[size]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=len(video_ids), size="")
        for done in make_cache(dataset, data.clips, video_ids, recipe, num_workers=cfg.num_workers):
            if isinstance(done, VideoFailure):
                failed.append(done)
                console.print(f"failed: {done.reason}", style="red", highlight=False)
            else:
                total, there = total + done.bytes, there + done.was_there
                if packer is not None:
                    packer.add(done.video_id)
            progress.update(bar, advance=1, size=f"{total / 1e9:.2f} GB")
    if packer is not None:
        packer.finish()
    made = len(video_ids) - len(failed) - there
    print(f"{cache_dir}: {made} videos cached, {there} there before, {len(failed)} failed, {total / 1e6:.1f} MB")
    for failure in failed:
        print(f"not in the cache: {failure.video_id}: {failure.reason}")
    if packer is not None:
        archives = "1 new archive" if packer.archives == 1 else f"{packer.archives} new archives"
        print(f"packed in {archives} of at most {cfg.archive_mb} MB each, or a video's size")
    return 1 if failed else 0


def main() -> None:
    """Run `lfb-cache` with the arguments that the user typed."""
    launch("cache", cache)


if __name__ == "__main__":
    main()
