"""Keyframes between whole seconds, and a bank by name, through the commands that a user types."""

import json
import pickle

import pandas as pd
import pytest

pytestmark = pytest.mark.slow
SHIFT = 0.3


@pytest.fixture(scope="module")
def between_seconds(mini_dir, tmp_path_factory):
    """mini-AVA with every keyframe 0.3 s later: 901.3, 902.3, ..."""
    folder = tmp_path_factory.mktemp("between")
    for name in ("train", "val"):
        rows = (mini_dir / f"mini_ava_{name}.csv").read_text().splitlines()
        moved = [f"{video},{int(second) + SHIFT}{rest and ',' + rest}" for video, second, rest in _cut(rows)]
        (folder / f"mini_ava_{name}.csv").write_text("\n".join(moved) + "\n")
        proposals = pickle.loads((mini_dir / f"mini_ava_{name}_proposals.pkl").read_bytes())
        lines = [
            f"{video},{int(second) + SHIFT},{box[0]},{box[1]},{box[2]},{box[3]},,{box[4]}"
            for key, boxes in proposals.items()
            for video, second in [key.split(",")]
            for box in boxes
        ]
        (folder / f"mini_ava_{name}_proposals.csv").write_text("\n".join(lines) + "\n")
    for name in ("videos", "mini_ava_action_list.pbtxt"):
        (folder / name).symlink_to(mini_dir / name)
    return folder


def _cut(rows):
    for row in rows:
        video, second, *rest = row.split(",")
        yield video, second, ",".join(rest)


def test_key_frames_between_seconds_train_extract_and_test(between_seconds, here, tmp_path):
    banks = tmp_path / "banks"
    overrides = [
        "experiment=mini_ava",
        f"paths.data_dir={between_seconds}",
        "data.excluded=null",
        "data.last_second=920",
        "data.num_workers=0",
        f"bank.dir={banks}",
    ]
    short = ["trainer.max_epochs=1", "trainer.limit_train_batches=3"]
    refused = here("train", *overrides, *short, "fbo=none", f"hydra.run.dir={tmp_path / 'no'}", fails=True)
    assert "901.3" in refused.stderr
    assert "data.ticks_per_second" in refused.stderr
    overrides.append("data.ticks_per_second=10")
    here("train", *overrides, *short, "fbo=none", f"hydra.run.dir={tmp_path / 'base'}")
    checkpoint = f"ckpt_path={tmp_path / 'base' / 'checkpoints' / 'best.ckpt'}"
    for split in ("train", "val"):
        here("extract", *overrides, checkpoint, f"split={split}", f"hydra.run.dir={tmp_path / split}")
    made = json.loads((banks / "val" / "manifest.json").read_text())["provenance"]
    assert made["ticks_per_second"] == "10"
    lfb = [*overrides, *short, "fbo=avg"]
    here("train", *lfb, f"hydra.run.dir={tmp_path / 'lfb'}")
    named = [f"bank.dir={tmp_path / 'none'}", f"+bank.others.persons={banks}", "model.bank_name=persons"]
    here("train", *lfb, *named, f"hydra.run.dir={tmp_path / 'named'}")
    figures = [json.loads((tmp_path / name / "metrics.json").read_text())["mAP"] for name in ("lfb", "named")]
    assert figures[0] == figures[1]
    here("test", f"ckpt_path={tmp_path / 'lfb' / 'checkpoints' / 'best.ckpt'}", f"hydra.run.dir={tmp_path / 'test'}")
    tested = json.loads((tmp_path / "test" / "metrics.json").read_text())
    seconds = pd.read_csv(tmp_path / "test" / "results.csv", header=None, dtype=str)[1]
    assert set(seconds.str.partition(".")[2]) == {"300000"}
    here(
        "eval",
        f"detections={tmp_path / 'test' / 'results.csv'}",
        f"annotations={between_seconds / 'mini_ava_val.csv'}",
        f"label_map={between_seconds / 'mini_ava_action_list.pbtxt'}",
        f"out={tmp_path / 'eval.json'}",
    )
    # lfb-eval reads scores that are rounded to six decimals.
    assert json.loads((tmp_path / "eval.json").read_text())["mAP"] == pytest.approx(tested["mAP"], abs=1e-3)
