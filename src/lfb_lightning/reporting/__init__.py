"""Training and test runs, and result files of any tool, as one page: curves, classes, key frames, configuration."""

from lfb_lightning.reporting.report import write_report

__all__ = ["write_report"]
