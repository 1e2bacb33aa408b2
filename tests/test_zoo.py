"""The zoo's page says what is read and what is not: each "yes" has a command, each "not read yet" is refused.

That the layouts are read value by value is told by `models/imports`.
"""

import re
import shlex

import pytest
import torch

from lfb_lightning.errors import InputError
from lfb_lightning.models.cards.origins import license_of
from lfb_lightning.models.imports import import_weights
from lfb_lightning.models.imports.layouts import LAYOUTS
from tests.conftest import ROOT
from tests.test_examples import composed  # noqa: F401  # a fixture

PAGE = (ROOT / "docs" / "zoo.md").read_text()
# Of each family that the page calls not read, the first names and shapes of its published layout (shared/golden/backbones).
NOT_READ = {
    "SlowFast R50 8x8 with ACRN head": {
        "backbone.slow_path.conv1.conv.weight": (64, 3, 1, 7, 7),
        "backbone.fast_path.conv1.conv.weight": (8, 3, 5, 7, 7),
        "roi_head.shared_head.conv1.conv.weight": (512, 4608, 1, 1, 1),
    },
}


FILES = re.compile(r"(src|out|ckpt_path|backbone\.weights|file|to)=.*")


def commands():
    """Every command of the page, split."""
    block_lines = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    spans = re.findall(r"`(lfb-\w+ [^`]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL))
    return [shlex.split(line, comments=True) for line in [*block_lines, *spans]]


COMMANDS = commands()
# Those that differ in the names of files only compose alike.
DISTINCT = sorted({tuple(FILES.sub(r"\1=x", token) for token in command) for command in COMMANDS})


def test_commands_are_found():
    assert len(COMMANDS) > 30
    assert 8 < len(DISTINCT) < 26


@pytest.mark.slow
@pytest.mark.parametrize("command", DISTINCT, ids=" ".join)
def test_commands_compose(command, composed):  # noqa: F811
    name, *arguments = command
    done = composed({"lfb-import": "import_weights"}.get(name, name.removeprefix("lfb-")), *arguments)
    assert done.status == 0, done.stderr[-2000:]


def rows():
    """The cells of every row that ends with a column of commands."""
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        head, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
        if head[-1] == "command":
            yield from (dict(zip(head, line, strict=True)) for line in lines)


def test_every_row_has_a_command_or_says_why_not():
    found = list(rows())
    assert len(found) > 35
    for row in found:
        is_read = row.get("read", "yes").startswith(("yes", "by its names"))
        assert is_read or row["read"].startswith(("not read yet", "not tried"))
        assert bool(row["command"]) == is_read, row
        assert not is_read or shlex.split(row["command"].strip("`")) in COMMANDS
    commands = [row["command"] for row in found if row["command"]]
    assert len(set(commands)) == len(commands)


def test_figures_are_those_of_the_presets():
    """The figures that docs/models.md has for the same models."""
    models = (ROOT / "docs" / "models.md").read_text()
    for preset, words in {
        "lfb_nl_slowonly_r50_4x16x1": "LFB-NL, SlowOnly R50 4x16",
        "lfb_max_slowonly_r50_4x16x1": "LFB-Max, SlowOnly R50 4x16",
        "lfb_avg_slowonly_r50_4x16x1": "LFB-Avg, SlowOnly R50 4x16",
        "slowonly_r50_4x16x1": "SlowOnly R50 4x16, Kinetics-400, 0.x",
        **{name: f"`{name}`," for name in ("ava_r50_baseline", "ava_r50_lfb_avg", "ava_r50_lfb_max", "ava_r50_lfb_nl")},
        **{name: f"`{name}`," for name in ("ava_r50_lfb_nl_3l", "ava_r101_baseline", "ava_r101_lfb_nl_3l")},
    }.items():
        figure = re.search(rf"\| `{preset}` \| ([\d.]+)", models)[1]
        (row,) = (row for row in rows() if row.get("checkpoint", "").startswith(words))
        assert row["mAP"] == figure, preset
    clips = [row for row in rows() if row.get("checkpoint", "").startswith(("`charades_", "`epic55_"))]
    assert len(clips) == 16
    for row in clips:
        (figure,) = re.findall(rf"^\| {row['checkpoint'].split(',')[0]} \| ([\d. /]+) \|", models, re.MULTILINE)
        assert row["figure"] == figure, row


@pytest.mark.parametrize("words", NOT_READ)
def test_what_is_called_not_read_is_refused(words, tmp_path):
    """Fails when it is read one day: then say so on the page, with the command."""
    found = [row for row in rows() if row.get("checkpoint", "").startswith(words)]
    assert found
    assert all(row["read"] == "not read yet" for row in found)
    path = tmp_path / "theirs.pth"
    torch.save({"state_dict": {name: torch.zeros(shape) for name, shape in NOT_READ[words].items()}}, path)
    with pytest.raises(InputError):
        import_weights(path)


def test_nonlocal_blocks_of_mmaction2_are_refused(tmp_path):
    path = (
        ROOT / "tests" / "golden" / "mmaction2" / "checkpoints" / "tiny_c4_1x_epoch_0_published_20261123-0718c094.pth"
    )
    content = torch.load(path, weights_only=True)
    import_weights(path)
    content["state_dict"]["backbone.layer2.1.non_local_block.g.conv.weight"] = torch.zeros(4, 8, 1, 1, 1)
    torch.save(content, tmp_path / "nl.pth")
    with pytest.raises(InputError, match=r"non_local_block\.g\.conv\.weight' is unused"):
        import_weights(tmp_path / "nl.pth")


def test_every_layout_is_on_the_page_with_its_license():
    said = PAGE.replace("original release of Long-Term Feature Banks (Caffe2)", "original LFB release (Caffe2)")
    for layout in LAYOUTS:
        family, _, kind = layout.name.rstrip(")").partition(" (")
        assert family in said
        assert kind in said
        assert license_of({"license": layout.license})[0].replace("-", " ") in said.replace("-", " "), layout.name
    assert "**There are no trained weights of this package.**" in PAGE
