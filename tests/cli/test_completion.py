"""Completing command lines: the words, and bash itself asking for them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lfb_lightning.cli.help.completing import complete

SOURCE = Path(__file__).parents[2] / "src"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lfb tr", ["train"]),
        ("lfb-train fbo=", ["fbo=avg", "fbo=max", "fbo=nl", "fbo=nl_small", "fbo=none", "fbo=xattn"]),
        ("lfb train fbo=nl_", ["fbo=nl_small"]),
        ("/env/bin/lfb-train -m fbo=nl,av", ["fbo=nl,avg"]),
        ("lfb train experiment=mini_a", ["experiment=mini_ava", "experiment=mini_ava_lfb"]),
        ("lfb train fb", ["fbo.", "fbo="]),
        ("lfb train trainer.max", ["trainer.max_epochs="]),
        ("lfb train optim.opt", ["optim.optimizer."]),
        ("lfb train optim=adamw optim.optimizer.we", ["optim.optimizer.weight_decay="]),
        ("lfb train optim=adamw optim.optimizer.mom", []),  # which is SGD's
        ("lfb train compile=", ["compile=false", "compile=true"]),
        ("lfb train data.shuf", []),
        ("lfb train --conf", ["--config-dir"]),
        ("lfb bank ver", ["verify"]),
        ("lfb-bank verify ck", ["ckpt_path="]),
        ("lfb predict linker=", ["linker=own", "linker=trackers"]),
        ("lfb predict overlay=t", ["overlay=true"]),
        ("lfb train ckpt_path=", []),  # the shell completes names of files
        ("lfb completion ", ["bash", "fish", "zsh"]),
        ("lfb no-such-command fbo=", []),
        ("lfb train 'fbo=n", []),
    ],
)
def test_words_that_may_come_next(line, words):
    found = complete(line)
    if line.endswith("'fbo=n"):  # inside of a quote: no error
        assert isinstance(found, list)
    else:
        assert found == words


def test_all_commands_come_first():
    assert {"train", "extract", "bank", "completion"} <= set(complete("lfb "))


def test_own_groups_are_completed(tmp_path):
    (tmp_path / "fbo").mkdir()
    (tmp_path / "fbo" / "mine.yaml").write_text("latent_channels: 8\n")
    assert complete(f"lfb train --config-dir {tmp_path} fbo=m") == ["fbo=max", "fbo=mine"]
    assert complete(f"lfb train --config-dir {tmp_path} fbo=mine fbo.l") == ["fbo.latent_channels="]


@pytest.fixture
def programs(tmp_path):
    """The installed programs, of which an editable installation may have older ones."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("lfb", "lfb-train", "lfb-bank"):
        program = folder / name
        program.write_text(
            f"#!{sys.executable}\nimport sys\nfrom lfb_lightning.cli.entry import main\nsys.exit(main())\n"
        )
        program.chmod(0o755)
    return folder


BASH = """
eval "$(lfb completion bash)"
ask() {
    COMP_LINE="$1" COMP_POINT=${#1} COMPREPLY=()
    compopt() { echo "nospace"; }
    _lfb_complete "${1%% *}" "" ""
    printf '%s\\n' "${COMPREPLY[@]}"
    echo --
}
complete -p lfb lfb-train
"""


@pytest.mark.parametrize(
    ("line", "replies"),
    [
        ("lfb tra", ["train"]),
        ("lfb train fbo=n", ["nl", "nl_small", "none"]),  # bash replaces what follows the sign
        ("lfb-train trainer.max_ep", ["nospace", "trainer.max_epochs="]),
        ("lfb bank inspect fol", ["nospace", "folder="]),
    ],
)
def test_bash_asks_and_is_answered(line, replies, programs):
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        ["bash", "-c", f"{BASH}\nask {line!r}"], capture_output=True, text=True, check=True, env=environment
    )
    registered, answered = done.stdout.splitlines()[:2], done.stdout.splitlines()[2:-1]
    assert all("_lfb_complete" in text for text in registered)
    assert answered == replies
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_of_their_shell(shell, programs):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    script = subprocess.run(
        [programs / "lfb", "completion", shell], capture_output=True, text=True, check=True, env=environment
    )
    done = subprocess.run([shell, "-n"], input=script.stdout, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
