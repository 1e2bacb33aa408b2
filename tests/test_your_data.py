"""docs/your-data.md, word by word: its commands run in their order, and print what it shows.

The clip is a real one where the shared folder has it. Elsewhere an H.264 video is drawn in which a figure stands where the
page's rows say, so that the page is true of it too. Of an output the page shows lines, in their order; `...` in a line
stands for anything.
"""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.in_process import run
from tests.conftest import SHARED
from tests.factories import write_figures

pytestmark = pytest.mark.slow
PAGE = (Path(__file__).parents[1] / "docs" / "your-data.md").read_text()
CLIP = SHARED / "video" / "intel_one-by-one-person-detection.mp4"


def steps():
    """The page's commands, each with the lines that are shown of its output."""
    found = []
    for kind, block in re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL):
        if kind == "bash":
            found += [[command, []] for command in commands_in(block)]
        else:
            assert kind == "text"
            found[-1][1] += block.splitlines()
    return found


def commands_in(block):
    """The commands of a block: a line each, or a file up to its EOF, or lines that end in a backslash with the next."""
    lines = iter(block.replace("\\\n", "").splitlines())
    for line in lines:
        if "<<'EOF'" in line:
            yield "\n".join([line, *iter(lambda: next(lines), "EOF"), "EOF"])
        elif line.strip():
            yield line


def first_missing(wanted, printed):
    """The first wanted line that does not follow the ones before it in what was printed; None if all do."""
    lines = iter(" ".join(line.split()) for line in printed.splitlines())
    for line in wanted:
        pattern = ".*".join(map(re.escape, " ".join(line.split()).split("...")))
        if not any(re.fullmatch(pattern, one) for one in lines):
            return line
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("your_data")
    (made / "clips").mkdir()
    for name in ("first", "second"):
        clip = made / "clips" / f"{name}.mp4"
        if CLIP.is_file():
            shutil.copy(CLIP, clip)
        else:
            write_figures(clip, re.findall(rf"^{name},(\d+),([\d.]+),([\d.]+),([\d.]+),([\d.]+),", PAGE, re.MULTILINE))
    return made


def test_the_page_is_true(folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")  # so that no line of a table is broken
    here, printed = folder, ""
    for command, wanted in steps():
        name, *arguments = shlex.split(command.partition("\n")[0])
        if name == "cd":
            here = here / arguments[0]  # what is shown then is the command before
        elif name.startswith("lfb-"):
            done = run(name.removeprefix("lfb-"), *arguments, folder=here)
            assert done.status == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
            printed = done.stdout
        else:
            shell = ["bash", "-euc", command]
            printed = subprocess.run(shell, cwd=here, capture_output=True, text=True, check=True).stdout
        missing = first_missing(wanted, printed)
        assert missing is None, f"{command}\nprints no {missing!r}:\n{printed}"
    assert (here / "predictions" / "second" / "page.html").stat().st_size > 10_000


def test_the_page_walks_the_whole_path():
    names = [command.split()[0] for command, _ in steps()]
    path = "new check train train extract extract train test predict"
    assert [name.removeprefix("lfb-") for name in names if name.startswith("lfb-")] == path.split()


def test_lines_are_looked_for_in_order():
    assert first_missing(["a", "b...d"], "x\na\nb c  d\n") is None
    assert first_missing(["b", "a"], "a\nb\n") == "a"
    assert list(commands_in("one \\\n  two\ncat > f <<'EOF'\nx\n\nEOF\nthree\n")) == [
        "one   two", "cat > f <<'EOF'\nx\n\nEOF", "three",
    ]  # fmt: skip
