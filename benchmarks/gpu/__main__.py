"""`python -m benchmarks.gpu [--out DIR] [--json FILE] [--minutes 10] [--only PART ...]`: what this machine's GPU does.

Needs the package, a checkout and nothing else: all data are generated, no network is used. It prints each figure as it comes,
tables at the end, and writes all of it as JSON (`gpu.json`), anew after each figure: what is interrupted has written what it
has. A part that fails, hangs or runs out of its time takes no other with it; what was left out is named, with the reason.
Without a GPU it measures the same in small sizes on the CPU.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

import torch

from benchmarks.gpu.machine import facts
from benchmarks.gpu.report import Report
from benchmarks.gpu.running import Part, run_parts
from benchmarks.gpu.sizes import SIZES
from lfb_lightning.processes import usable_cores

PARTS = {
    part.name: part
    for part in (
        Part("waits", "how often the host waits for the GPU in a training step", 0.04),
        Part("fbo", "FBO-NL packed, dense and the reference implementation's", 0.05),
        Part("references", "our modules beside the reference implementations', rebuilt", 0.13),
        Part("extraction", "clips per second of lfb-extract, by what decodes", 0.2),
        Part("tests", "pytest -m gpu", 0.2),
        Part("steps", "training steps of each backbone: plain, channels last, compiled", 0.38),
    )
}


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit status: 130 if interrupted."""
    asked = _parser().parse_args(arguments)
    device = asked.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        print("benchmarks.gpu: torch sees no CUDA device; `lfb-doctor` says why.", file=sys.stderr)
        return 1
    sizes = asked.sizes or ("ava" if device == "cuda" else "small")
    if device == "cpu":
        torch.set_num_threads(asked.threads or usable_cores())
    path = asked.json or (asked.out / "gpu.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    report = Report(path, {**facts(device), "sizes": sizes, "minutes": asked.minutes})
    chosen = [part for name, part in PARTS.items() if name in asked.only]
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        run_parts(report, chosen, sizes=sizes, device=device, seconds=60 * asked.minutes)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    finally:
        signal.signal(signal.SIGTERM, before)
        report.write()
        print("\n" + "\n\n".join(report.tables()))
        print(f"\nwritten: {path}")
    return 0 if report.finished else 130


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__, formatter_class=form)
    parser.add_argument("--out", type=Path, default=Path(), help="folder of gpu.json (the working directory)")
    parser.add_argument("--json", type=Path, help="the file itself")
    parser.add_argument("--minutes", type=float, default=10.0, help="what all parts may take together (10)")
    about = "; ".join(f"{part.name}: {part.about}" for part in PARTS.values())
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS], metavar="PART", help=about)
    parser.add_argument("--device", choices=["cpu", "cuda"], help="cuda where there is one")
    parser.add_argument("--sizes", choices=[*SIZES], help="ava on a GPU, small on a CPU; tiny tests the report itself")
    parser.add_argument("--threads", type=int, help="of torch, on a CPU (all cores)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
