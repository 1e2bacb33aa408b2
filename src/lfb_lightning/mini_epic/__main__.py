"""`python -m lfb_lightning.mini_epic OUT_DIR`: write the generated data set, with a progress bar."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from lfb_lightning.mini_ava.writing import show_writing
from lfb_lightning.mini_epic.files import MiniEPIC, generate


def main() -> None:
    """Parse the command line and generate the data set."""
    usual = MiniEPIC()
    parser = argparse.ArgumentParser(prog="python -m lfb_lightning.mini_epic", description=__doc__)
    parser.add_argument("out_dir", type=Path, help="folder to write; a finished one of the same recipe is kept")
    for name, what in (
        ("seed", "of everything that is drawn"),
        ("num_train", "training videos"),
        ("num_val", "validation videos"),
        ("seconds", "length of a video"),
    ):
        default = getattr(usual, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"{what} ({default})")
    parser.add_argument(
        "--epic55",
        dest="flavor",
        action="store_const",
        const="epic55",
        default=usual.flavor,
        help="write the files of EPIC-Kitchens 55, whose frame numbers count 60 per second, in place of those of 100",
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = vars(parser.parse_args())
    out_dir, processes = arguments.pop("out_dir"), arguments.pop("processes")
    recipe = MiniEPIC(**arguments)
    show_writing(
        "mini-EPIC",
        lambda on_video: generate(out_dir, recipe, processes=processes, on_video=on_video),
        out_dir,
    )


if __name__ == "__main__":
    main()
