"""`--help` of every command: what it says, and that nothing heavy is loaded for it."""

import json
import subprocess
import sys

import pytest

from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.cli.help.answers import answer
from lfb_lightning.cli.help.commands import all_commands
from lfb_lightning.cli.help.options import Folders, groups_of, option_keys, own_keys
from lfb_lightning.cli.help.yaml_text import first_comment
from lfb_lightning.version import __version__
from tests.cli import test_config

CONF = conf_dir()
COMMANDS = [command.name for command in all_commands()]
HEAVY = ("torch", "torchvision", "pytorch_lightning", "lightning_fabric", "hydra", "omegaconf", "numpy", "av", "pandas")
CALLED = """
import json, sys
from lfb_lightning.cli.entry import main
main()
print(json.dumps(sorted(set(sys.modules) & set({heavy!r}))), file=sys.stderr)
"""


def called(program, *arguments):
    """Runs the entry of the installed programs under a program's name; returns its output and the heavy modules it loaded."""
    code = f"import sys; sys.argv[0] = {program!r}{CALLED.format(heavy=HEAVY)}"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    return done


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_loads_nothing_heavy_and_lists_its_groups_with_every_option(name):
    done = called("lfb", name, "--help")
    assert json.loads(done.stderr) == []
    config = {"bank": "lfb_bank/inspect", "data": "lfb_data/cut"}.get(name, name)
    groups = test_config.groups_of(config)
    for group in groups.keys() - {"common", "paths"}:
        assert f"{group}=" in done.stdout
        options = list((CONF / group).glob("*.yaml"))
        if len(options) == 1 and groups[group] is not None:
            assert f"{group}={options[0].stem}" in done.stdout
            continue
        for option in options:
            assert option.stem in done.stdout
            assert first_comment(option).rstrip(".").split(". ")[0][:30] in " ".join(done.stdout.split())
    absent = {path.name for path in CONF.iterdir() if path.is_dir()} - groups.keys() - {"hydra", "lfb_bank", "lfb_data"}
    starts = {line.strip().split("=")[0] for line in done.stdout.splitlines() if line.startswith("  ") and "=" in line}
    assert starts & absent == set()


@pytest.mark.parametrize(
    ("program", "arguments", "said"),
    [
        ("/env/bin/lfb-train", ["--help"], "Usage: lfb-train"),
        ("lfb-train", ["fbo=nl", "-h"], "Usage: lfb-train"),
        ("lfb-bank", ["verify", "--help"], "ckpt_path=null"),
        ("lfb-train", ["--version"], f"lfb-lightning {__version__}"),
        ("lfb", ["--version"], f"lfb-lightning {__version__}"),
        ("lfb", [], "Usage: lfb COMMAND"),
        ("lfb", ["--help"], "Usage: lfb COMMAND"),
        ("lfb", ["completion", "bash"], "complete -o default"),
    ],
)
def test_other_questions_load_nothing_heavy_either(program, arguments, said):
    done = called(program, *arguments)
    assert said in done.stdout
    assert json.loads(done.stderr) == []


def test_lfb_lists_every_command_with_what_it_does():
    text = answer([])
    for name in COMMANDS:
        assert any(line.split()[:1] == [name] and len(line.split()) > 4 for line in text.splitlines()), name
    assert {
        "train",
        "extract",
        "test",
        "predict",
        "detect",
        "eval",
        "check",
        "cache",
        "bank",
        "import",
        "doctor",
    } <= set(COMMANDS)


def test_every_command_has_a_program_and_every_program_the_light_entry():
    import re
    from pathlib import Path

    text = (Path(__file__).parents[2] / "pyproject.toml").read_text().split("[project.scripts]")[1].split("\n\n")[0]
    programs = dict(re.findall(r'^(\S+) = "(.+)"$', text, re.MULTILINE))
    assert programs.keys() == {"lfb", *(f"lfb-{name}" for name in COMMANDS)}
    assert set(programs.values()) == {"lfb_lightning.cli.entry:main"}


def test_a_misspelled_command_is_answered_with_the_near_one_and_the_list():
    done = called("lfb", "trian", "fbo=nl")
    assert done.returncode == 1
    assert done.stderr.startswith("lfb: 'trian' is no command; did you mean train? (train, extract, test,")


def test_experiments_stand_below_what_they_build_on():
    lines = answer(["train", "--help"]).partition("  experiment=")[2].partition("  data=")[0].splitlines()
    place = {
        line.split()[0]: (number, len(line) - len(line.lstrip())) for number, line in enumerate(lines) if line.strip()
    }
    for name, base in {
        "ava_r50_lfb_nl": "ava_original",
        "mini_ava_lfb": "mini_ava",
        "slowonly_r50_4x16x1": "mmaction2",
    }.items():
        assert place[name][0] > place[base][0]
        assert place[name][1] == place[base][1] + 2
    assert place["ava_r50_lfb_nl"][0] < place["mini_ava"][0]


def test_groups_that_a_user_adds_are_there(tmp_path):
    (tmp_path / "fbo").mkdir()
    (tmp_path / "fbo" / "mine.yaml").write_text("# Reads the bank my way.\ndefaults:\n  - nl\nlatent_channels: 8\n")
    for options in (["--config-dir", str(tmp_path)], [f"-cd={tmp_path}"], [f"hydra.searchpath=[file://{tmp_path}]"]):
        (line,) = [line for line in answer(["train", "--help", *options]).splitlines() if line.split()[:1] == ["mine"]]
        assert line.endswith("Reads the bank my way")
    assert "mine" not in answer(["train", "--help"])


def test_a_yaml_that_cannot_be_read_does_not_end_the_help(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "broken.yaml").write_text("defaults: [\n")
    assert "broken" in answer(["train", "--help", "--config-dir", str(tmp_path)])


@pytest.mark.parametrize("path", sorted(CONF.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_option_says_in_its_first_comment_what_it_is(path):
    assert len(first_comment(path)) > 10


@pytest.mark.parametrize("command", test_config.PRIMARIES)
def test_keys_read_as_text_are_those_that_hydra_composes(command):
    """Every key of every chosen option, and no other."""
    folders = Folders((CONF,))
    keys = {key.name: key.value for key in own_keys(folders, command)}
    for group in groups_of(folders, command):
        if group.chosen:
            keys |= {key.name: key.value for key in option_keys(folders, group.name, group.chosen)}
    found = {name for name, value in keys.items() if value}
    composed = dict(test_config.leaves(test_config.raw(command)))
    inside = tuple(f"{name}." for name, value in keys.items() if value.startswith("{"))  # written in one line
    wanted = {name for name in composed if not name.startswith(("hydra.", *inside))}
    assert wanted - found == set()
    assert {name for name in found - wanted if not keys[name].startswith(("{", "${"))} == set()


def test_here_and_in_a_module_of_its_own_the_help_is_the_same(here):
    assert here("train", "--help").stdout.strip() == answer(["train", "--help"]).strip()
    assert here("bank", "verify", "--help").stdout.strip() == answer(["bank", "verify", "--help"]).strip()
    assert here("doctor", "--help").stdout.strip() == answer(["doctor", "--help"]).strip()
