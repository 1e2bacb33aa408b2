"""`python -m lfb_lightning.mini_epic OUT_DIR`: write the generated data set, with a progress bar."""

from __future__ import annotations

from lfb_lightning.mini_ava.writing import recipe_parser, show_writing
from lfb_lightning.mini_epic.files import MiniEPIC, generate


def main() -> None:
    """Parse the command line and generate the data set."""
    usual = MiniEPIC()
    described = {"seed": "of everything that is drawn", "num_train": "training videos", "num_val": "validation videos"}
    described["seconds"] = "length of a video"
    parser = recipe_parser("python -m lfb_lightning.mini_epic", __doc__, usual, described)
    parser.add_argument(
        "--epic55",
        dest="flavor",
        action="store_const",
        const="epic55",
        default=usual.flavor,
        help="write the files of EPIC-Kitchens 55, whose frame numbers count 60 per second, in place of those of 100",
    )
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
