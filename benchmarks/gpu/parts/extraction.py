"""`lfb-extract`'s own engine on generated videos, clips per second: what is decoded how, and by how many processes."""

from __future__ import annotations

import hashlib
import pickle
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl

from benchmarks.gpu.bench import Bench, LeaveOut
from benchmarks.gpu.detectors import make_detector
from benchmarks.gpu.parts.waits import make_trainer
from benchmarks.gpu.sizes import Sizes
from benchmarks.timing import Spread
from benchmarks.videos import write_h264
from lfb_lightning.bank import BankConfig, BankWriter, Provenance
from lfb_lightning.clips import ClipSettings
from lfb_lightning.datasets import AvaDataset
from lfb_lightning.datasets.bank_plan import BankPlan
from lfb_lightning.lightning import ExtractionDataModule, ExtractionTask
from lfb_lightning.lightning.callbacks.bank_writing import BankWriting
from lfb_lightning.lightning.datamodules.loading import Loading
from lfb_lightning.models import ActionDetector
from lfb_lightning.video import VideoFile
from lfb_lightning.video.cache import SUFFIX, write_cache

SPLIT, PERSONS = "train", 2


@dataclass(frozen=True)
class Form:
    """How frames are read.

    Args:
        name: What rows call it.
        data: Keys of the data set.
        workers: Loader workers.
    """

    name: str
    data: dict[str, Any]
    workers: int = 0


def measure(bench: Bench) -> None:
    """Write the videos, then extract from them in every form."""
    sizes = bench.sizes
    names = write_set(bench.folder, sizes)
    settings = clip_settings(sizes)
    detector = make_detector(sizes.extractor, sizes).eval()
    cache = {"source": "cache", "cache_dir": str(bench.folder / "cache")}
    forms = [
        Form("PyAV on the CPU", {}),
        Form("torchcodec on the CPU", {"decoder": "torchcodec"}),
        Form("frame cache", cache),
    ]
    if sizes.workers:
        forms += [Form(form.name, form.data, sizes.workers) for form in forms]
    forms.append(Form("torchcodec with NVDEC", {"decoder": "nvdec"}))
    bench.case("frame cache", _write_cache, bench, names, settings)
    digests: dict[str, set[str]] = {}
    for form in forms:
        title = f"{form.name}, {form.workers} workers" if form.workers else f"{form.name}, in the main process"
        bench.case(title, _measure, bench, title, form, detector, settings, digests)
    for name, found in digests.items():
        said = "equal, byte for byte" if len(found) == 1 else f"{len(found)} different ones"
        bench.add(f"{name}, banks of all runs", {"different banks": Spread.of([len(found)])}, said)


def _measure(
    bench: Bench,
    title: str,
    form: Form,
    detector: ActionDetector,
    settings: ClipSettings,
    digests: dict[str, set[str]],
) -> None:
    if form.data.get("decoder") == "nvdec" and bench.device != "cuda":
        raise LeaveOut("it needs a GPU")
    rates: list[float] = []
    for number in range(bench.sizes.extractions):
        if rates and time.monotonic() > bench.deadline:
            break
        folder = bench.folder / "banks" / title / str(number)
        rates.append(extract(bench, form, detector, settings, folder))
        digests.setdefault(form.name, set()).add(digest_of(folder))
    bench.add(title, {"clips/s": Spread.of(rates)})


class Clips(pl.Callback):
    """When the first batch was done, when everything was, and how many clips came between."""

    def __init__(self) -> None:
        self.clips, self.first, self.last = -1, 0.0, 0.0

    def on_predict_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
        if self.clips < 0:
            self.clips, self.first = 0, time.perf_counter()
        else:
            self.clips += len(outputs.keyframes)

    def on_predict_end(self, *_: Any) -> None:
        self.last = time.perf_counter()


def extract(bench: Bench, form: Form, detector: ActionDetector, settings: ClipSettings, folder: Path) -> float:
    """Extract a bank into a folder; returns the clips per second from the first batch's end to the last file's."""
    made = Provenance.unknown(
        channels=detector.channels, precision="fp16", keyframes="proposals", split=SPLIT, origin="benchmarks.gpu"
    )
    writer, bank = BankWriter(folder, made), BankConfig(dir=str(folder), on_error="stop")
    loading = Loading(batch_size=bench.sizes.clips, num_workers=form.workers)
    split = data_set(bench.folder, bench.sizes, **form.data).split(SPLIT)
    plan = BankPlan(split, bank, writer)
    data = ExtractionDataModule(plan, clips=settings, loading=loading, bank=bank)
    clips, writing = Clips(), BankWriting(plan, on_error=bank.on_error)
    trainer = make_trainer(bench, "bf16-mixed" if bench.device == "cuda" else "32-true", [writing, clips])
    trainer.predict(ExtractionTask(detector), data, return_predictions=False)
    return clips.clips / (clips.last - clips.first)


def data_set(folder: Path, sizes: Sizes, **more: Any) -> AvaDataset:
    """Describe what `write_set` wrote."""
    return AvaDataset(
        video_dir=str(folder / "videos"),
        label_map=str(folder / "labels.pbtxt"),
        annotations=str(folder / "{split}.csv"),
        proposals=str(folder / "proposals_{split}.pkl"),
        origin_second=0.0,
        first_second=1,
        last_second=sizes.video[2] - 1,
        **more,
    )


def clip_settings(sizes: Sizes) -> ClipSettings:
    """Cut clips that span 64 frames, as on AVA."""
    frames = sizes.extractor.frames
    return ClipSettings(num_frames=frames, frame_stride=64 // frames, eval_short_side=sizes.short_side)


def write_set(folder: Path, sizes: Sizes) -> list[str]:
    """Write a data set in AVA's formats: equal videos under different names, and persons at each second; gives the names."""
    width, height, seconds = sizes.video
    names = [f"video_{number}" for number in range(sizes.videos)]
    (folder / "videos").mkdir()
    first = write_h264(folder / "videos" / f"{names[0]}.mp4", width=width, height=height, seconds=seconds)
    for name in names[1:]:
        shutil.copyfile(first, first.with_name(f"{name}.mp4"))
    left = 0.1 + 0.4 * np.arange(PERSONS)
    boxes = np.stack([left, np.full(PERSONS, 0.2), left + 0.3, np.full(PERSONS, 0.9), np.full(PERSONS, 0.95)], axis=1)
    proposals = {f"{name},{second:04d}": boxes for name in names for second in range(1, seconds)}
    (folder / f"proposals_{SPLIT}.pkl").write_bytes(pickle.dumps(proposals, 4))
    (folder / f"{SPLIT}.csv").write_text("".join(f"{name},0001,0.1,0.2,0.4,0.9,1,0\n" for name in names))
    (folder / "labels.pbtxt").write_text('item {\n  name: "an action"\n  id: 1\n}\n')
    return names


def _write_cache(bench: Bench, names: list[str], settings: ClipSettings) -> None:
    seconds = range(1, bench.sizes.video[2])
    moments = np.unique(np.concatenate([settings.sampling.times(float(second)) for second in seconds]))
    (bench.folder / "cache").mkdir()
    for name in names:
        target = bench.folder / "cache" / f"{name}{SUFFIX}"
        if name != names[0]:
            shutil.copyfile(bench.folder / "cache" / f"{names[0]}{SUFFIX}", target)
            continue
        video = VideoFile(bench.folder / "videos" / f"{name}.mp4")
        write_cache(target, video, moments, short_side=settings.eval_short_side, quality=90, made_from={})


def digest_of(folder: Path) -> str:
    """Compute a digest of a bank's files of features."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
