"""`lfb-train debug=overfit`: right data is said to be right, and wrong data is not: verdict, status, files."""

import json
import random
import re
import shutil

import pytest

from tests.cli.in_process import run
from tests.factories import write_figures

pytestmark = pytest.mark.slow
SMALL = ["data.last_second=920", "backbone.base_channels=4", "data.batch_size=8", "overfit.lr=4e-3"]


def overfit(folder, data_dir, *arguments, status=0, experiment="mini_ava"):
    command = [f"experiment={experiment}", f"paths.data_dir={data_dir}", *SMALL, "debug=overfit", "hydra.run.dir=run"]
    done = run("train", *command, *arguments, folder=folder)
    assert done.status == status, done.stdout + done.stderr
    content = json.loads((folder / "run" / "overfit.json").read_text())
    assert (folder / "run" / "overfit.png").read_bytes().startswith(b"\x89PNG")
    assert not (folder / "run" / "checkpoints").exists()
    return done, content


def changed(mini_dir, folder):
    """A copy of the data set whose tables may be written to."""
    shutil.copytree(mini_dir, folder / "data", ignore=shutil.ignore_patterns("videos"))
    (folder / "data" / "videos").symlink_to(mini_dir / "videos")
    return folder / "data"


def test_right_data(mini_dir, tmp_path):
    done, content = overfit(tmp_path, mini_dir, "fbo=none")
    assert content["verdict"] == "right"
    assert content["last"] < 0.1 * content["blind"]
    assert re.search(r"1 be red +│ +\d+ of \d+ │ +yes", done.stdout)
    numbers = rf"loss of 8 clips: {content['first']:.4f} at first, {content['last']:.4f} after {content['steps']} steps"
    assert numbers in done.stdout
    assert "verdict: labels, boxes and pixels belong together" in done.stdout


def test_shuffled_labels(mini_dir, tmp_path):
    data = changed(mini_dir, tmp_path)
    rows = [line.split(",") for line in (data / "mini_ava_train.csv").read_text().splitlines()]
    actions = [row[6] for row in rows]
    random.Random(0).shuffle(actions)
    text = "".join(",".join([*row[:6], action, *row[7:]]) + "\n" for row, action in zip(rows, actions, strict=True))
    (data / "mini_ava_train.csv").write_text(text)
    done, content = overfit(tmp_path, data, "fbo=none", "overfit.steps=150", status=1)
    assert content["verdict"] in ("by heart", "not learned")
    assert abs(content["pairs_right"] - 0.5) < 0.1
    assert "verdict: WRONG" in done.stdout


def test_blank_pictures(mini_dir, tmp_path):
    data = changed(mini_dir, tmp_path)
    (data / "videos").unlink()
    (data / "videos").mkdir()
    write_figures(data / "videos" / "mini-train-000.mp4", [], size=(96, 96), seconds=20)
    for path in (mini_dir / "videos").glob("*.mp4"):
        if path.name != "mini-train-000.mp4":
            (data / "videos" / path.name).symlink_to(data / "videos" / "mini-train-000.mp4")
    _, content = overfit(tmp_path, data, "fbo=none", "overfit.steps=50", status=1)
    assert content["verdict"] == "not learned"
    assert content["last"] > 0.5 * content["blind"]


def test_with_a_bank(pipeline, tmp_path):
    bank = [
        f"bank.dir={pipeline.bank_dir}",
        f"init_from={pipeline.checkpoint}",
        "fbo=nl_small",
        "backbone.base_channels=8",
    ]
    done, content = overfit(tmp_path, pipeline.mini_dir, *bank, experiment="mini_ava_lfb")
    assert content["verdict"] == "right", done.stdout
    assert content["blind"] > 0.2
