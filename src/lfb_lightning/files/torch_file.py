"""Files that `torch.save` wrote, recognised by their first bytes."""

from __future__ import annotations

import zipfile
from pathlib import Path


def is_torch_file(path: Path) -> bool:
    """Whether `torch.save` wrote a file: a zip, or in the older form its magic number, pickled."""
    if zipfile.is_zipfile(path):
        return True
    with path.open("rb") as file:
        return b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19" in file.read(32)
