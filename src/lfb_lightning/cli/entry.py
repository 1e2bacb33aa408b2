"""Where every command begins: `lfb`, `lfb-train` and the others. Help is answered before anything is loaded."""

from __future__ import annotations

import sys
from pathlib import Path

from lfb_lightning.cli.help.answers import answer
from lfb_lightning.cli.help.commands import Command
from lfb_lightning.cli.loading import load_to_stay
from lfb_lightning.cli.unread import ending_with_reader

_BAD_INPUT = 1


def main() -> None:
    """Run the command that the program's name says (`lfb-train`), or the first argument (`lfb train`)."""
    program = Path(sys.argv[0]).stem
    words = [program.removeprefix("lfb-"), *sys.argv[1:]] if program.startswith("lfb-") else sys.argv[1:]
    try:
        text = answer(words)
    except ValueError as error:
        print(f"lfb: {error}", file=sys.stderr)
        sys.exit(_BAD_INPUT)
    if text is not None:
        with ending_with_reader():
            print(text)
        return
    name, *sys.argv[1:] = words
    module = load_to_stay(Command(name).module)
    # Lightning starts the other ranks as this process was started. As `python -m lfb_lightning.cli.train` that works for
    # `lfb train` too, whose first argument is no override.
    sys.modules["__main__"].__spec__ = module.__spec__
    module.main()
