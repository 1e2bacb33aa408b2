"""The converters' command in this process, and what it wrote as our own readers see it."""

import pytest

from lfb_lightning.ava.annotations import read_annotations
from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.converters.command_line import main


class Conversion:
    """A conversion's exit status, output, and files."""

    def __init__(self, status, printed, out):
        self.status, self.out = status, out
        self.printed, self.errors = printed

    @property
    def rows(self):
        """The csv's lines, after the whole of it has been read by our own reader."""
        read_annotations(self.out / "annotations.csv", read_label_map(self.out / "action_list.pbtxt"))
        return (self.out / "annotations.csv").read_text().splitlines()

    @property
    def names(self):
        return read_label_map(self.out / "action_list.pbtxt").names

    @property
    def error(self):
        """The one line of a refusal, which left nothing behind."""
        assert self.status == 1, self.printed
        assert self.errors.count("\n") == 1
        assert not self.out.exists() or not list(self.out.iterdir())
        return self.errors


@pytest.fixture
def convert(tmp_path, capsys):
    """`convert(form, content or contents, *options)` writes the files a.EXT, b.EXT ... and converts them into one folder."""
    calls = iter(range(1000))

    def run(form, contents, *options):
        folder = tmp_path / f"call_{next(calls)}"
        folder.mkdir()
        ending = {"cvat": "xml", "boxes": "csv", "csv": "csv"}.get(form, "json")
        paths = []
        for letter, content in zip("abcdef", [contents] if isinstance(contents, str) else contents, strict=False):
            paths.append(folder / f"{letter}.{ending}")
            paths[-1].write_text(content)
        out = folder / "out"
        capsys.readouterr()
        status = main([form, *map(str, paths), str(out), *map(str, options)])
        return Conversion(status, capsys.readouterr(), out)

    return run
