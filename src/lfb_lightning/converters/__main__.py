"""`python -m lfb_lightning.converters FORM FILE... OUT`: convert annotations of another tool to AVA's files."""

import sys

from lfb_lightning.converters.command_line import main

if __name__ == "__main__":
    sys.exit(main())
