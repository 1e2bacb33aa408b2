"""`python -m lfb_lightning.mini_ava OUT_DIR`: write the generated data set, with a progress bar."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from lfb_lightning.mini_ava.files import HARD, MiniAVA, generate
from lfb_lightning.mini_ava.writing import show_writing


def main() -> None:
    """Parse the command line and generate the data set."""
    parser = argparse.ArgumentParser(prog="python -m lfb_lightning.mini_ava", description=__doc__)
    parser.add_argument("out_dir", type=Path, help="folder to write; a finished one of the same recipe is kept")
    parser.add_argument("--hard", action="store_true", help="mini-AVA hard: who is who decides, and what was long ago")
    parser.add_argument("--seed", type=int, default=MiniAVA().seed)
    for name, what in (
        ("num_train", "training videos"),
        ("num_val", "validation videos"),
        ("seconds", "length of a video"),
    ):
        usual, hard = getattr(MiniAVA(), name), getattr(HARD, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=int,
            default=argparse.SUPPRESS,
            help=f"{what} (default: {usual}; hard: {hard})",
        )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = vars(parser.parse_args())
    out_dir, processes = arguments.pop("out_dir"), arguments.pop("processes")
    recipe = replace(HARD if arguments["hard"] else MiniAVA(), **arguments)
    show_writing(
        "mini-AVA",
        lambda on_video: generate(out_dir, recipe, processes=processes, on_video=on_video),
        out_dir,
    )


if __name__ == "__main__":
    main()
