"""Extraction on a Ray cluster of this machine beside Lightning's engine, interleaved: clips per second, and equal bytes.

    python -m benchmarks.ray_extraction [--videos 8] [--seconds 60] [--rounds 3] [--side 128] [--threads 2]

Both run as the command does, in processes of their own, on the same generated videos with the same detector (SlowOnly R50 of
random weights); both read one video at a time. Three figures each: the rate once it runs, of the clips between the first and the
last file that is written (the bar is for this one: 0.9 of Lightning's); the rate that the command itself says, which for Ray
has the start of its processes in it; and the seconds of the whole process.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from lfb_lightning.bank import FeatureBank
from lfb_lightning.mini_ava import MiniAVA, generate

ENGINES = ("lightning", "ray")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=60, help="of each video")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=128, help="short side of the clips")
    parser.add_argument("--workers", type=int, default=1, help="decoding processes of Lightning's engine")
    parser.add_argument("--threads", type=int, default=2, help="of the process that computes")
    parser.add_argument("--backbone", default="slowonly_r50")
    parser.add_argument("--folder", type=Path, help="kept; a temporary one by default")
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        measure(arguments, arguments.folder or Path(temporary))


def measure(arguments, folder):
    data = folder / "data"
    if not data.exists():
        generate(data, MiniAVA(seed=3, num_train=arguments.videos, num_val=1, seconds=arguments.seconds))
    common = ["experiment=mini_ava", f"paths.data_dir={data}", f"backbone={arguments.backbone}"]
    common += [f"data.last_second={900 + arguments.seconds}", f"data.eval_short_side={arguments.side}"]
    checkpoint = folder / "run" / "checkpoints" / "last.ckpt"
    if not checkpoint.exists():
        brief = ["fbo=none", "trainer.max_epochs=1", "trainer.limit_train_batches=1", "trainer.limit_val_batches=0"]
        command("train", *common, *brief, "data.num_workers=0", f"hydra.run.dir={folder / 'run'}")
    figures = {name: [] for name in ENGINES}
    for turn in range(arguments.rounds):
        for name in ENGINES if turn % 2 == 0 else ENGINES[::-1]:
            bank = folder / f"bank_{name}"
            shutil.rmtree(bank, ignore_errors=True)
            given = [f"ckpt_path={checkpoint}", "split=train", f"bank.dir={bank}", f"engine={name}"]
            given += [f"data.num_workers={arguments.workers}", f"num_threads={arguments.threads}"]
            given += (
                ["engine.cpus_per_decode=2"] if name == "ray" else []
            )  # of our own cluster's three: one task at a time
            begun = time.perf_counter()
            said = command("extract", *common, *given, f"hydra.run.dir={folder / f'extract_{name}'}")
            whole = time.perf_counter() - begun
            clips, seconds = re.search(r"(\d+) clips in ([\d.]+) s", said).groups()
            row = {"running": running_rate(bank / "train"), "said": int(clips) / float(seconds), "seconds": whole}
            figures[name].append(row)
            print(f"{name:10} " + ", ".join(f"{key} {value:.2f}" for key, value in row.items()), flush=True)
    same = content(folder / "bank_ray" / "train") == content(folder / "bank_lightning" / "train")
    medians = {name: statistics.median(one["running"] for one in rows) for name, rows in figures.items()}
    ratio = medians["ray"] / medians["lightning"]
    print(f"banks: {'the same bytes' if same else 'DIFFERENT'}; Ray / Lightning: {ratio:.2f} (bar: 0.9)")
    print(json.dumps({"figures": figures, "ratio": ratio, "same": same, "load": os.getloadavg()}))


def running_rate(folder):
    """Clips per second from the first file that was written to the last."""
    files = sorted(folder.glob("*.safetensors"), key=lambda path: path.stat().st_mtime_ns)
    bank = FeatureBank.open(folder)
    clips = sum(len(set(bank.read_video(path.stem).timestamps.tolist())) for path in files[1:])
    return clips / (files[-1].stat().st_mtime - files[0].stat().st_mtime)


def command(name, *given):
    done = subprocess.run(
        [sys.executable, "-m", f"lfb_lightning.cli.{name}", *given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


if __name__ == "__main__":
    main()
