"""Where the configuration groups are: `conf/` beside `src/` in a checkout, else the copy inside the installed package."""

from pathlib import Path


def conf_dir() -> Path:
    """The folder of YAML files that the commands compose from."""
    package = Path(__file__).parents[1]
    checkout = package.parents[1] / "conf"
    return checkout if (checkout / "train.yaml").is_file() else package / "conf"
