"""The place of the configuration files: `conf/` beside `src/` in a checkout, else the copy inside the installed package."""

from pathlib import Path


def conf_dir() -> Path:
    """Return the folder of YAML files from which the commands compose their configuration."""
    package = Path(__file__).parents[1]
    checkout = package.parents[1] / "conf"
    return checkout if (checkout / "train.yaml").is_file() else package / "conf"
