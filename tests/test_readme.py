"""Every command and every line of Python that the README shows, run in its order, in a folder outside the checkout.

The commands run as they stand, with overrides appended that make them small: mini-AVA, one epoch, two CPU processes for
eight GPUs, two jobs for six.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked import ForkedCommand

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
COMMANDS = [line.split("#")[0].strip() for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]
CONSOLE = [command for command in COMMANDS if command.startswith("lfb-")]
RUN_ELSEWHERE = {
    "bash scripts/quickstart.sh",  # below
    "bash scripts/test.sh",  # this very run: see .ci/run
    "pip install .",  # tests/test_packaging.py
}


class Programs:
    """Runs each installed program the first time, and what it runs the next times."""

    def __init__(self):
        self.seen = set()

    def __call__(self, name, arguments, folder):
        if name in self.seen:
            process = ForkedCommand(name.removeprefix("lfb-"), arguments, folder)
            output, _ = process.communicate()
            return process.returncode, output
        self.seen.add(name)
        program = Path(sys.executable).with_name(name)
        merged = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run([str(program), *arguments], cwd=folder, env=environment, check=False, **merged)
        return done.returncode, done.stdout


def test_no_command_is_left_out():
    assert set(COMMANDS) - set(CONSOLE) - RUN_ELSEWHERE == set()
    assert "bash scripts/test.sh" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_commands_run_in_order_and_the_python_after_them(mini_dir, tmp_path):
    small = ["experiment=mini_ava", f"paths.data_dir={mini_dir}", f"paths.bank_dir={tmp_path / 'banks'}"]
    small += ["data.last_second=910", "data.num_workers=0"]
    training = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "trainer.limit_val_batches=2"]
    shutil.copy(mini_dir / "videos" / "mini-val-000.mp4", tmp_path / "walk.mp4")
    begin = Programs()
    for command in CONSOLE:
        name, *arguments = shlex.split(command.replace("fbo=nl,avg,max bank=fp16,fp32", "fbo=nl,max bank=fp16"))
        if name == "lfb-train" and "--help" not in arguments:
            arguments += [*small, *training]
            if "ckpt_path=last" in arguments:
                arguments += ["trainer.max_epochs=2"]
        elif name == "lfb-extract":
            arguments += small
        elif name == "lfb-predict":
            arguments += ["persons=none"]  # a detector's weights would have to be fetched
        if "trainer.devices=8" in arguments:
            arguments += ["trainer.devices=2", "trainer.strategy=ddp"]
        status, output = begin(name, arguments, tmp_path)
        assert status == 0, f"{command}\n{output[-6000:]}"
        if "bank=fp16,fp32" in command:
            sweeps = list((tmp_path / "runs" / "train_sweep").glob("*/*/metrics.json"))
            assert len(sweeps) == 2
    assert json.loads((tmp_path / "runs" / "nl" / "metrics.json").read_text())["epochs"] == 2
    for kind, block in BLOCKS:
        if kind == "python":
            subprocess.run([sys.executable, "-c", block], cwd=tmp_path, check=True)


def test_quickstart_runs_whole_and_a_second_time_skips(tmp_path):
    arguments = ["trainer.max_epochs=1", "--num-train", "4", "--num-val", "2", "--seconds", "20"]
    arguments += ["--out", str(tmp_path / "out")]
    command = ["bash", str(ROOT / "scripts" / "quickstart.sh"), *arguments]
    first = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert set(summary["models"]) == {"baseline", "nl", "max", "avg"}
    for model in summary["models"].values():
        assert 0 <= model["mAP"] <= 1
        for key in ("results_csv", "checkpoint", "overlay"):
            assert Path(model[key]).is_file()
    assert Path(summary["chart"]).is_file()
    assert Path(summary["page"]).is_file()
    assert summary["page"] in first.stdout
    assert len(summary["seconds"]) == 12
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary
    assert "long-term classes" in second.stdout
