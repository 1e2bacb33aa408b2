"""Every example of every --help and of every page in docs/ composes, and fits what it builds; those on files run for real.

Composing goes through the command itself, up to the moment at which it would start to work. Examples that need GPUs, SLURM,
Ray or AVA's data go no further here; the README's are run whole in `test_readme.py`.
"""

import importlib.util
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from lfb_lightning.cli.conf_dir import conf_dir
from tests.cli.in_process import load, run

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
JOBS = {"train": "train", "test": "test", "extract": "extract", "cache": "cache", "check": "check"}
JOBS |= {"eval": "evaluate_files", "import_weights": "import_file"}
STAND_INS = {"data=...": "data=ava_custom", "experiment=...": "experiment=ava_original"}
STAND_INS |= {"experiment=NAME": "experiment=ava_original", "fbo.dropout=...": "fbo.dropout=0.1"}
NOT_OURS = {"multilabel=False", "use_half_precision=True", "weights_only=True"}  # mmaction2's, torch's
PARTS_OF_COMMANDS = {"lfb-bank split parts=256"}  # with what is said before
_OVERRIDES = re.compile(r"'?[+~]?[a-z][\w./]*=\S.*")


def help_examples():
    for path in sorted((conf_dir() / "hydra" / "help").glob("*.yaml")):
        for line in yaml.safe_load(path.read_text())["template"].splitlines():
            if line.startswith("lfb-"):
                yield re.split(r"\s{2,}", line)[0]


def docs_examples():
    for path in sorted((ROOT / "docs").glob("*.md")):
        blocks = re.findall(r"```\w*\n(.*?)```", path.read_text(), re.DOTALL)
        spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL))
        lines = [line for block in blocks for line in block.splitlines() if line.startswith("lfb-")]
        for text in [*lines, *(" ".join(span.split()) for span in spans)]:
            text = re.sub(r"^torchrun .* -m lfb_lightning.cli.train|^sbatch .*scripts/train.slurm", "lfb-train", text)
            if text.startswith("lfb-") or _OVERRIDES.fullmatch(text):
                yield text


def commands(text):
    """The command lines that an example stands for: one for each of `a|b`, with optional parts, without `...`."""
    text = re.sub(r"<[^>]*>", "X", re.sub(r"(?<= )\[(\w+=[^\[\]]*)\]", r"\1", text))
    lines = [[]]
    for token in shlex.split(text.split(" or ")[0]):
        key, _, value = token.partition("=")
        choices = [f"{key}={one}" for one in value.split("|")] if "|" in value else [STAND_INS.get(token, token)]
        lines = [[*line, choice] for line in lines for choice in choices if token != "..."]
    return [line for line in lines if any("=" in token or token.startswith("-") for token in line)]


EXAMPLES = sorted({shlex.join(line) for text in [*help_examples(), *docs_examples()] for line in commands(text)})
WHOLE = [text for text in EXAMPLES if text.startswith("lfb-") and text not in PARTS_OF_COMMANDS]
OVERRIDES = [text for text in EXAMPLES if not text.startswith("lfb-") and text not in NOT_OURS]


@pytest.fixture
def composed(monkeypatch, tmp_path):
    """Runs a command line as far as its configuration is composed and checked."""

    def compose(command, *arguments):
        if any(argument.startswith("hydra/launcher=") for argument in arguments):  # its jobs would be real ones
            return run(command, "--cfg", "all", *arguments, folder=tmp_path)
        return run(
            command, *arguments, *(["hydra.sweeper.n_trials=1"] if "sweep=search" in arguments else []), folder=tmp_path
        )

    for name, job in JOBS.items():
        monkeypatch.setattr(load(name), job, lambda cfg, run_dir: 0)
    bank = load("bank")
    monkeypatch.setattr(bank, "ACTIONS", dict.fromkeys(bank.ACTIONS, lambda cfg, run_dir: 0))
    monkeypatch.setattr(load("app"), "run_sweep_job", lambda module, run_dir: (0, 0.5))
    return compose


def missing_plugin(text):
    return "hydra/launcher=ray" in text and importlib.util.find_spec("ray") is None


def test_examples_are_found():
    assert "lfb-import src=lfb_max_ava.pth out=weights/lfb_max.ckpt fbo=max" in WHOLE
    assert {"bank=int8", "backbone.channels_last=null", "hydra.run.dir=X ckpt_path=last"} <= set(OVERRIDES)
    assert len(WHOLE) > 40
    assert len(OVERRIDES) > 60


@pytest.mark.parametrize("text", WHOLE)
def test_example_composes_and_fits_what_it_builds(text, composed):
    name, *arguments = shlex.split(text)
    if missing_plugin(text):
        pytest.skip("lfb-lightning[ray] is not installed")
    done = composed({"lfb-import": "import_weights"}.get(name, name.removeprefix("lfb-")), *arguments)
    assert done.status == 0, done.stderr[-2000:]


@pytest.mark.parametrize("text", OVERRIDES)
def test_override_is_one_of_some_command(text, composed):
    if missing_plugin(text):
        pytest.skip("lfb-lightning[ray] is not installed")
    actions = {"split": ["folder=a", "to=b"], "merge": ["folders=[a]", "to=b"]}
    attempts = [(name, []) for name in ("train", "extract", "cache", "check", "eval", "import_weights")]
    attempts += [("bank", [action, *needed]) for action, needed in actions.items()]
    told = []
    for command, before in attempts:
        done = composed(command, *before, *shlex.split(text))
        if done.status == 0:
            return
        told.append(done.message)
    pytest.fail("\n".join(told))


def test_examples_on_files_run(pipeline, tmp_path):
    for split in ("train", "val"):
        shutil.copytree(pipeline.bank_dir / split, tmp_path / "banks" / "fp16" / split)
    shutil.copy(pipeline.checkpoint, tmp_path / "baseline.ckpt")
    mini = pipeline.mini_dir
    labels, truth = mini / "mini_ava_action_list.pbtxt", mini / "mini_ava_val.csv"
    for name, source in {
        "results.csv": truth,
        "ava_val_v2.1.csv": truth,
        "gt.csv": truth,
        "labels.pbtxt": labels,
        "ava_action_list_v2.1.pbtxt": labels,
        "excl.csv": mini / "mini_ava_val_excluded_timestamps.csv",
    }.items():
        shutil.copy(source, tmp_path / name)
    prepared = ["convert folder=banks/fp16/val precision=fp32 to=banks/fp32/val"]
    prepared += [f"split folder=banks/fp16/val to={folder} parts=2" for folder in ("a", "node0")]
    for text in prepared:
        assert run("bank", *text.split(), folder=tmp_path).status == 0
    for part, places in {"a/part_0": ["a/val"], "a/part_1": ["b/val"]}.items():
        for place in places:
            (tmp_path / place).parent.mkdir(exist_ok=True)
            shutil.copytree(tmp_path / part, tmp_path / place)
    for part, place in {"part_0": "node0/train", "part_1": "node1/train"}.items():
        (tmp_path / place).parent.mkdir(exist_ok=True)
        shutil.move(tmp_path / "node0" / part, tmp_path / place)
    order = ["inspect", "verify", "convert", "export", "import", "split", "merge"]
    on_banks = [text for text in WHOLE if text.startswith("lfb-bank ")]
    on_banks.sort(key=lambda text: order.index(text.split()[1]))
    assert len(on_banks) >= len(order)
    for text in [*on_banks, *(text for text in WHOLE if text.startswith("lfb-eval "))]:
        name, *arguments = shlex.split(text)
        if "split=NAME" in arguments or "video_names=val.csv" in arguments:
            arguments = arguments[:-1]  # what is optional in a help: not needed with these files
        if text.startswith("lfb-bank merge") and "to=banks/fp16/train" in arguments:
            arguments = [argument.replace("to=banks/fp16/train", "to=banks/merged") for argument in arguments]
        done = run(name.removeprefix("lfb-"), *arguments, folder=tmp_path)
        assert done.status == 0, f"{text}\n{done.stderr[-2000:]}"
