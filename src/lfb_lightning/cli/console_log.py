"""The log on the terminal: plain lines, which a progress bar makes room for."""

from __future__ import annotations

import logging
import sys
from typing import Any


class ConsoleHandler(logging.StreamHandler):
    """Writes to what is `sys.stdout` at that moment: while a progress bar is drawn, that prints above the bar."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        """Give the standard output as it is now."""
        return sys.stdout


class PlainLines(logging.Formatter):
    """Shows a message as it is, with the level before it where something may be wrong."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one text."""
        text = super().format(record)
        return text if record.levelno < logging.WARNING else f"{record.levelname.lower()}: {text}"
