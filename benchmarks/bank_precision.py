"""`python -m benchmarks.bank_precision [--out DIR] [--seed N]`: what each bank precision costs in mAP on mini-AVA.

One baseline, one fp32 bank, converted to the other precisions; then an FBO-NL detector is trained and tested on each, with
the same seed. The last column tests the detector that was trained on fp32 with the other banks: rounding alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

PRECISIONS = ("fp32", "fp16", "bf16", "int8")


def run(module: str, *arguments: str, product: Path) -> None:
    """Run `python -m module arguments` unless its product is there."""
    if not product.exists():
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        print(f"{module} {' '.join(arguments)}", flush=True)
        subprocess.run([sys.executable, "-m", module, *arguments], check=True, env=environment, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bank_precision", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bank_precision"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    out, seed = arguments.out.resolve(), f"seed={arguments.seed}"
    data, baseline = out / "data", out / "baseline"
    checkpoint = baseline / "checkpoints" / "best.ckpt"
    common = ["experiment=mini_ava", f"paths.data_dir={data}"]
    run("lfb_lightning.mini_ava", str(data), f"--seed={arguments.seed}", product=data / "mini_ava.json")
    train = "lfb_lightning.cli.train"
    run(train, *common, "fbo=none", seed, f"hydra.run.dir={baseline}", product=baseline / "metrics.json")
    sizes = {}
    for split in ("train", "val"):
        first = out / "banks" / "fp32" / split
        options = [f"split={split}", f"ckpt_path={checkpoint}", "bank=fp32", f"bank.dir={first.parent}"]
        extract = [*common, *options, f"hydra.run.dir={out / 'extract' / split}"]
        run("lfb_lightning.cli.extract", *extract, product=first / "manifest.json")
        for precision in PRECISIONS:
            to = out / "banks" / precision / split
            convert = ["convert", f"folder={first}", f"precision={precision}", f"to={to}"]
            run("lfb_lightning.cli.bank", *convert, product=to / "manifest.json")
            sizes[precision] = sum(path.stat().st_size for path in to.glob("*.safetensors"))
    rows = []
    for precision in PRECISIONS:
        bank = f"bank.dir={out / 'banks' / precision}"
        folder = out / "nl" / precision
        overrides = ["experiment=mini_ava_lfb", common[1], f"init_from={checkpoint}", "fbo=nl_small", seed]
        run(train, *overrides, f"bank={precision}", bank, f"hydra.run.dir={folder}", product=folder / "metrics.json")
        cells = []
        for trained in (precision, "fp32"):
            tested = out / "test" / f"{trained}_on_{precision}"
            best = out / "nl" / trained / "checkpoints" / "best.ckpt"
            test = [f"ckpt_path={best}", f"bank={precision}", bank, f"hydra.run.dir={tested}"]
            run("lfb_lightning.cli.test", *test, product=tested / "metrics.json")
            metrics = json.loads((tested / "metrics.json").read_text())
            cells += [f"{100 * metrics['mAP']:.2f}", f"{100 * metrics['groups']['long_term']:.2f}"]
        rows.append([precision, f"{sizes[precision] / sizes['fp32']:.2f}", *cells])
    print(
        "\n| bank | size of fp32's | mAP | long-term | fp32's detector on it: mAP | long-term |\n|---|---|---|---|---|---|"
    )
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))


if __name__ == "__main__":
    main()
