"""`python -m lfb_lightning.mini_charades OUT_DIR`: write the generated data set, with a progress bar."""

from __future__ import annotations

from lfb_lightning.mini_ava.writing import recipe_parser, show_writing
from lfb_lightning.mini_charades.files import MiniCharades, generate


def main() -> None:
    """Parse the command line and generate the data set."""
    usual = MiniCharades()
    described = {"seed": "of everything that is drawn", "num_train": "training videos", "num_test": "test videos"}
    described["seconds"] = "length of a video"
    parser = recipe_parser("python -m lfb_lightning.mini_charades", __doc__, usual, described)
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
