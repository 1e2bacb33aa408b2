"""`python -m lfb_lightning.cli COMMAND ...`, where the program `lfb` is not on the path."""

from lfb_lightning.cli.entry import main

if __name__ == "__main__":
    main()
