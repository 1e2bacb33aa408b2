"""`python -m lfb_lightning.mini_charades OUT_DIR`: write the generated data set, with a progress bar."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from lfb_lightning.mini_ava.writing import show_writing
from lfb_lightning.mini_charades.files import MiniCharades, generate


def main() -> None:
    """Parse the command line and generate the data set."""
    usual = MiniCharades()
    parser = argparse.ArgumentParser(prog="python -m lfb_lightning.mini_charades", description=__doc__)
    parser.add_argument("out_dir", type=Path, help="folder to write; a finished one of the same recipe is kept")
    for name, what in (
        ("seed", "of everything that is drawn"),
        ("num_train", "training videos"),
        ("num_test", "test videos"),
        ("seconds", "length of a video"),
    ):
        default = getattr(usual, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"{what} ({default})")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = vars(parser.parse_args())
    out_dir, processes = arguments.pop("out_dir"), arguments.pop("processes")
    recipe = MiniCharades(**arguments)
    show_writing(
        "mini-Charades",
        lambda on_video: generate(out_dir, recipe, processes=processes, on_video=on_video),
        out_dir,
    )


if __name__ == "__main__":
    main()
