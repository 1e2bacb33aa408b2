"""Every example of every --help and of every page in docs/ composes, and fits what it builds; those on files run for real.

Composing goes through the command itself, up to the moment at which it would start to work. Examples that need GPUs, SLURM,
Ray or AVA's data go no further here; the README's are run whole in `test_readme.py`.
"""

import importlib.util
import re
import shlex
import shutil
from functools import cache
from pathlib import Path

import hydra
import numpy as np
import pytest
import yaml
from omegaconf import OmegaConf

from lfb_lightning.charades import read_annotations
from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.epic import read_segments
from tests.cli.in_process import load, run

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
JOBS = {"train": "train", "test": "test", "extract": "extract", "cache": "cache", "check": "check"}
JOBS |= {"eval": "evaluate_files", "import_weights": "import_file", "predict": "predict", "detect": "detect"}
JOBS |= {"report": "report", "export": "export", "doctor": "doctor", "new": "new"}
STAND_INS = {"data=...": "data=ava_custom", "experiment=...": "experiment=ava_original"}
STAND_INS |= {"experiment=NAME": "experiment=ava_original", "fbo.dropout=...": "fbo.dropout=0.1"}
NOT_OURS = {"multilabel=False", "use_half_precision=True", "weights_only=True", "return_attention=True"}  # arguments
NOT_OURS |= {"persons=none persons._target_=my_package.MyDetector +persons.key=value"}  # the reader's package
NOT_OURS |= {"group=option"}  # the form of all of them
PARTS_OF_COMMANDS = {"lfb-bank split parts=256"}  # with what is said before
_OVERRIDES = re.compile(r"'?[+~]?[a-z][\w./]*=\S.*")


def help_examples():
    for path in sorted((conf_dir() / "hydra" / "help").glob("*.yaml")):
        for line in yaml.safe_load(path.read_text())["template"].splitlines():
            if line.startswith("lfb-"):
                yield re.split(r"\s{2,}", line)[0]


def docs_examples():
    own_tests = {ROOT / "docs" / "your-data.md", ROOT / "docs" / "zoo.md"}  # test_your_data.py, test_zoo.py
    for path in sorted(set((ROOT / "docs").glob("*.md")) - own_tests):
        blocks = re.findall(r"```\w*\n(.*?)```", path.read_text(), re.DOTALL)
        spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL))
        lines = [re.sub(r"^lfb (?!completion)(?=\w)", "lfb-", line) for block in blocks for line in block.splitlines()]
        lines = [line for line in lines if line.startswith("lfb-") and not line.startswith("lfb-train: ")]  # a message
        for text in [*lines, *(" ".join(span.split()) for span in spans)]:
            text = re.sub(r"^torchrun .* -m lfb_lightning.cli.train", "lfb-train", text)
            text = re.sub(r"^sbatch .*scripts/(train|extract).slurm", r"lfb-\1", text)
            if text.startswith("lfb-") or _OVERRIDES.fullmatch(text):
                yield text


def commands(text):
    """The command lines that an example stands for: one for each of `a|b`, with optional parts, without `...`."""
    text = re.sub(r"<[^>]*>", "X", re.sub(r"(?<= )\[(\w+=[^\[\]]*)\]", r"\1", text))
    lines = [[]]
    for token in shlex.split(text.split(" or ")[0], comments=True):
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
    for module in (load("bank"), load("data")):
        monkeypatch.setattr(module, "ACTIONS", dict.fromkeys(module.ACTIONS, lambda cfg, run_dir: 0))
    monkeypatch.setattr(load("app"), "run_sweep_job", lambda module, run_dir: (0, 0.5))
    return compose


def missing_plugin(text):
    return "hydra/launcher=ray" in text and importlib.util.find_spec("hydra_plugins.hydra_ray_launcher") is None


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


ATTEMPTS = [
    (name, ())
    for name in (
        *("train", "extract", "predict", "detect", "cache", "check", "eval"),
        *("report", "export", "import_weights"),
    )
]
ATTEMPTS += [("bank", ("split", "folder=a", "to=b")), ("bank", ("merge", "folders=[a]", "to=b"))]
ATTEMPTS += [("bank", ("pack", "folder=a", "to=b")), ("data", ("download", "what=videos"))]
ATTEMPTS += [("data", ("convert", "from=cvat", "annotations=a", "to=b")), ("doctor", ())]
ATTEMPTS += [("train", (f"logger={name}",)) for name in ("wandb", "mlflow", "trackio")]
ATTEMPTS += [("detect", (f"persons={source}",)) for source in ("boxes", "onnx")]


@cache
def content_of(attempt):
    """The configuration of a command without the reader's override."""
    command, before = attempt
    actions = [token for token in before if "=" not in token]
    name = f"lfb_{command}/{actions[0]}" if actions else {"import_weights": "import"}.get(command, command)
    name = name if (conf_dir() / f"{name}.yaml").exists() else command
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        given = [token for token in before if token.startswith(("logger=", "persons="))]
        return OmegaConf.to_container(hydra.compose(name, given), resolve=False)


def has(content, key):
    for name in key.split("."):
        if not isinstance(content, dict) or name not in content:
            return False
        content = content[name]
    return True


def is_plain(text):
    """Whether it sets one key that is there: such overrides do not meet, and one command takes many of them."""
    return re.match(r"[a-z]\w*(\.\w+)*=", text) and len(shlex.split(text)) == 1 and not text.startswith("hydra")


def batches(texts):
    """Overrides of plain keys with the first command that has them; no two of a batch set the same or a part of it."""
    made = []
    for text in filter(is_plain, texts):
        key = text.partition("=")[0]
        if (conf_dir() / key).is_dir():
            continue
        attempt = next((one for one in ATTEMPTS if has(content_of(one), key)), None)
        for other, keys, batch in made:
            if other == attempt and not any(
                f"{key}.".startswith(f"{k}.") or f"{k}.".startswith(f"{key}.") for k in keys
            ):
                keys.append(key)
                batch.append(text)
                break
        else:
            if attempt is not None:
                made.append((attempt, [key], [text]))
    return [(attempt, batch) for attempt, _, batch in made]


def refusals(text, composed):
    """What each command says of an override; nothing if one takes it. Those that have its keys are asked first."""
    keys = [token.lstrip("+~").partition("=")[0] for token in shlex.split(text)]

    def missing(attempt):
        return sum(not has(content_of(attempt), key.split(".")[0].partition("/")[0]) for key in keys)

    told = []
    for command, before in sorted(ATTEMPTS, key=missing):
        done = composed(command, *before, *shlex.split(text))
        if done.status == 0:
            return []
        told.append(done.message)
    return told


PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_each_override_is_one_of_some_command(part, composed):
    """Sorted overrides begin alike: every eighth of them are of many keys, so few commands take them all."""
    texts = [text for text in OVERRIDES[part::PARTS] if not missing_plugin(text)]
    taken = set()
    for (command, before), batch in batches(texts):
        if composed(command, *before, *(token for text in batch for token in shlex.split(text))).status == 0:
            taken |= set(batch)
    refused = {text: told for text in texts if text not in taken and (told := refusals(text, composed))}
    assert not refused, "\n".join(f"{text}\n  " + "\n  ".join(told) for text, told in refused.items())


SMALL = {
    "parts=4": "parts=2",  # mini-AVA has three videos
    "to=banks/fp16/train": "to=banks/merged",  # and that bank
    "detections=runs/nl_test/results.txt": "detections=scores.txt",
    "detections=runs/verbs_test/results.npz": "detections=verbs.npz",
    "nouns=runs/nouns_test/results.npz": "nouns=nouns.npz",
}


def make_scores(folder):
    """Scores of the generated files of Charades and EPIC-Kitchens, as the examples of `lfb-eval` name them."""
    given = ROOT / "tests" / "golden" / "paper_datasets" / "files"
    for path in [
        *(given / "charades").glob("Charades*"),
        *(given / "epic100").iterdir(),
        *(given / "epic55").iterdir(),
    ]:
        shutil.copy(path, folder)
    videos = [video.video_id for video in read_annotations(folder / "Charades_v1_test.csv")]
    (folder / "scores.txt").write_text("".join(f"{video} {'0.5 ' * 157}\n" for video in videos))
    lines = [f"{video} {moment} {'0.5 ' * 157}\n" for video in videos for moment in range(1, 26)]
    (folder / "moments.txt").write_text("".join(lines))
    np.savez(folder / "views.npz", video_id=np.array(videos * 2), scores=np.ones((2 * len(videos), 157)))
    for name, source, verbs, nouns in (
        ("results.npz", "EPIC_100_validation.csv", 97, 300),
        ("results_55.npz", "EPIC_train_action_labels.csv", 125, 352),
    ):
        ids = [segment.segment_id for segment in read_segments(folder / source)]
        heads = {"verb_output": np.ones((len(ids), verbs)), "noun_output": np.ones((len(ids), nouns))}
        np.savez(folder / name, narration_id=np.array(ids), **heads)
        for head, values in heads.items():  # of two models, each with one head
            np.savez(folder / f"{head.removesuffix('_output')}s.npz", narration_id=np.array(ids), **{head: values})


@pytest.fixture
def files(pipeline, tmp_path):
    """The files that the examples of `lfb-bank` and `lfb-eval` name, made of mini-AVA's."""
    for split in ("train", "val"):
        shutil.copytree(pipeline.bank_dir / split, tmp_path / "banks" / "fp16" / split)
    shutil.copy(pipeline.checkpoint, tmp_path / "baseline.ckpt")
    labels, truth = (pipeline.mini_dir / f"mini_ava_{name}" for name in ("action_list.pbtxt", "val.csv"))
    for name in ("results.csv", "ava_val_v2.1.csv", "gt.csv"):
        shutil.copy(truth, tmp_path / name)
    for name in ("labels.pbtxt", "ava_action_list_v2.1.pbtxt"):
        shutil.copy(labels, tmp_path / name)
    shutil.copy(pipeline.mini_dir / "mini_ava_val_excluded_timestamps.csv", tmp_path / "excl.csv")
    make_scores(tmp_path)
    for text in (
        "convert folder=banks/fp16/val precision=fp32 to=banks/fp32/val",
        "split folder=banks/fp16/val to=halves parts=2",
    ):
        assert run("bank", *text.split(), folder=tmp_path).status == 0
    for places in (("a/val", "b/val"), ("node0/train", "node1/train")):
        for number, place in enumerate(places):
            shutil.copytree(tmp_path / "halves" / f"part_{number}", tmp_path / place)
    return tmp_path


def test_examples_on_files_run(files, moto, monkeypatch):
    for name, value in moto.environment().items():  # `s3://bucket/` of the examples is this server's
        monkeypatch.setenv(name, value)
    order = ["inspect", "verify", "convert", "export", "import", "split", "merge", "pack", "unpack"]
    on_banks = [text for text in WHOLE if text.startswith("lfb-bank ")]
    on_banks.sort(key=lambda text: order.index(text.split()[1]))
    assert {text.split()[1] for text in on_banks} == set(order)
    for text in [*on_banks, *(text for text in WHOLE if text.startswith("lfb-eval "))]:
        shutil.rmtree(files / "parts", ignore_errors=True)
        name, *arguments = shlex.split(text)
        optional = {"split=NAME", "video_names=val.csv"}  # not for these files
        arguments = [SMALL.get(argument, argument) for argument in arguments if argument not in optional]
        arguments = [re.sub("=/data/(charades|epic)/", "=", argument) for argument in arguments]
        done = run(name.removeprefix("lfb-"), *arguments, folder=files)
        assert done.status == 0, f"{text}\n{done.stderr[-2000:]}"
