"""The log on the terminal: plain lines, for which a progress bar makes room."""

from __future__ import annotations

import logging

from rich import get_console


class ConsoleHandler(logging.Handler):
    """Prints by the console that also draws the progress bar: above the bar while there is one, and unbroken."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record; an error of the terminal is left to `logging`, as every handler does it."""
        try:
            get_console().print(self.format(record), soft_wrap=True, markup=False, highlight=False, emoji=False)
        except Exception:
            self.handleError(record)


class PlainLines(logging.Formatter):
    """Shows a message as it is, with the level before it where something may be wrong."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one text."""
        text = super().format(record)
        return text if record.levelno < logging.WARNING else f"{record.levelname.lower()}: {text}"
