"""What the doctor is asked to look at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the doctor is asked to look at; the defaults are those of the commands' configuration.

    Args:
        conf_dir: The folder of the commands' configuration.
        config_dir: The user's own folder of configuration (`--config-dir`); None for none.
        runs_dir: The folder of run folders.
        bank_dir: The folder of feature banks.
        data_dir: The data set's folder.
        self_test: Whether to write and read a video and a bank, and to train a step of a tiny detector.
    """

    conf_dir: str
    config_dir: str | None = None
    runs_dir: str = "runs"
    bank_dir: str = "banks"
    data_dir: str = "data/ava"
    self_test: bool = True
