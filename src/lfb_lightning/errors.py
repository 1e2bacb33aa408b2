"""The exception for mistakes that a user can mend.

Whatever reads a file, a config key or a bank raises `InputError` with what was found, what was expected and what to do
next; the commands print it as one line, without a traceback. Mistakes of developers are `assert`s and `ValueError`s.
"""


class InputError(ValueError):
    """Bad input from the user: a file, a row, a config field, a checkpoint or a bank that does not fit.

    Args:
        message: One sentence for the user: where, what was found, what was expected, what to do next.
    """

    def __init__(self, message: str) -> None:
        # torch's DataLoader raises an error of a worker again with the whole traceback as text; the message is its end.
        super().__init__(one_line(message.rpartition(f"{__name__}.InputError: ")[2].rstrip("\n")))


def one_line(text: str) -> str:
    """Make a text printable: spaces for line breaks, "?" for control characters that could change a terminal or a log."""
    return "".join(letter if letter.isprintable() else " " if letter.isspace() else "?" for letter in text)
