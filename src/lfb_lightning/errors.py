"""The one exception that a user can mend.

Everything that reads a file, a config key or a bank raises `InputError` with what was found, what was expected and the
next thing to do; the console commands print it as one line, without a traceback. Our own mistakes stay `assert`s.
"""


class InputError(ValueError):
    """Bad input from the user: a file, a row, a config field, a checkpoint or a bank that does not fit."""

    def __init__(self, message: str) -> None:
        # torch raises a loader worker's error anew with the text of its traceback, which ends with the message.
        super().__init__(one_line(message.rpartition(f"{__name__}.InputError: ")[2].rstrip("\n")))


def one_line(text: str) -> str:
    """Text in which a name or a value of a file may stand, without what that could do to a terminal or a log."""
    return "".join(letter if letter.isprintable() else " " if letter.isspace() else "?" for letter in text)
