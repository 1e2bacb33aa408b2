"""`python -m lfb_lightning.mini_ava OUT_DIR`: write the generated data set, with a progress bar."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.progress import Progress

from lfb_lightning.mini_ava.files import MiniAVA, generate


def main() -> None:
    """Parse the command line and generate the data set."""
    defaults = MiniAVA()
    parser = argparse.ArgumentParser(prog="python -m lfb_lightning.mini_ava", description=__doc__)
    parser.add_argument("out_dir", type=Path, help="folder to write; a finished one of the same recipe is kept")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--num-train", type=int, default=defaults.num_train, help="training videos")
    parser.add_argument("--num-val", type=int, default=defaults.num_val, help="validation videos")
    parser.add_argument("--seconds", type=int, default=defaults.seconds, help="length of a video")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = vars(parser.parse_args())
    out_dir, processes = arguments.pop("out_dir"), arguments.pop("processes")
    with Progress() as progress:
        task = progress.add_task("mini-AVA: videos", total=None)
        generate(
            out_dir,
            MiniAVA(**arguments),
            processes=processes,
            on_video=lambda done, total: progress.update(task, completed=done, total=total),
        )
    print(f"mini-AVA is in {out_dir}")


if __name__ == "__main__":
    main()
