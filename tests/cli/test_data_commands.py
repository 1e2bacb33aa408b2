"""`lfb-check`, `lfb-cache` and the test on several views, as a user runs them."""

import json

import pytest

pytestmark = pytest.mark.slow
MINI = ["data=mini_ava", "data.last_second=920"]


def test_check_says_what_is_there_and_exits_with_0(console, mini_dir, tmp_path):
    done = console("check", *MINI, f"paths.data_dir={mini_dir}", f"out={tmp_path / 'check'}")
    assert "nothing is wrong" in done.stdout
    content = json.loads((tmp_path / "check" / "check.json").read_text())
    assert content["findings"] == []
    assert content["splits"]["val"]["videos_found"] == 3
    assert len(content["fingerprints"]["train"]["probes"]) == 8
    for split in ("train", "val"):
        assert (tmp_path / "check" / f"contact_sheet_{split}.png").read_bytes().startswith(b"\x89PNG")


def test_check_exits_with_1_and_a_remedy(console, mini_dir, tmp_path):
    broken = [f"data.video_dir={tmp_path}", "data.excluded=null", "splits=[val,test]"]
    done = console("check", *MINI, *broken, f"paths.data_dir={mini_dir}", f"out={tmp_path / 'check'}", fails=True)
    findings = json.loads((tmp_path / "check" / "check.json").read_text())["findings"]
    errors = [finding["what"] for finding in findings if finding["level"] == "error"]
    assert any("no video was found at all" in what for what in errors)
    assert any("mini_ava_test_proposals.pkl: no such file" in what for what in errors)
    assert "Traceback" not in done.stderr
    assert all(finding["remedy"] for finding in findings)


def test_training_reads_the_cache_and_every_run_keeps_its_fingerprint(console, mini_dir, tmp_path):
    settings = [*MINI, f"paths.data_dir={mini_dir}", f"data.cache_dir={tmp_path / 'cache'}"]
    first = console("cache", *settings, "num_workers=2")
    assert "9 videos cached, 0 there before, 0 failed" in first.stdout
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    damaged = sorted((tmp_path / "cache").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    second = console("cache", *settings, "num_workers=0")
    assert "1 videos cached, 8 there before, 0 failed" in second.stdout
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert [name for name in before if before[name] != after[name]] == [damaged.name]
    run_dir = tmp_path / "run"
    small = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "data.num_workers=0", f"hydra.run.dir={run_dir}"]
    console("train", "experiment=mini_ava", *settings[1:], "data.source=cache", "fbo=none", *small)
    probes = json.loads((run_dir / "fingerprint.json").read_text())
    assert len(probes["train"]["probes"]) == len(probes["val"]["probes"]) == 8
    assert all("sha256" in probe for probe in probes["val"]["probes"].values())


def test_a_test_averages_over_views(console, pipeline, tmp_path):
    plain, several = tmp_path / "plain", tmp_path / "several"
    settings = [*pipeline.overrides, f"ckpt_path={pipeline.checkpoint}"]
    console("test", *settings, f"hydra.run.dir={plain}")
    views = ["data.test_scales=[96,112]", "data.test_flip=true", "data.test_crops=3"]
    console("test", *settings, *views, f"hydra.run.dir={several}")
    rows = [(folder / "results.csv").read_text().splitlines() for folder in (plain, several)]
    keys = [[line.rsplit(",", 1)[0] for line in lines] for lines in rows]
    assert keys[0] == keys[1]  # the same persons and boxes, other scores
    assert rows[0] != rows[1]


def test_evaluation_draws_curves_and_compares(console, pipeline, tmp_path):
    console("test", *pipeline.overrides, f"ckpt_path={pipeline.checkpoint}", f"hydra.run.dir={tmp_path / 'run'}")
    results = tmp_path / "run" / "results.csv"
    half = tmp_path / "half.csv"
    half.write_text("\n".join(results.read_text().splitlines()[::2]))
    done = console(
        "eval",
        f"detections={results}",
        f"annotations={pipeline.mini_dir / 'mini_ava_val.csv'}",
        f"label_map={pipeline.mini_dir / 'mini_ava_action_list.pbtxt'}",
        f"compare={half}",
        "resamples=20",
        f"curves={tmp_path / 'plots' / 'pr.png'}",
        f"out={tmp_path / 'metrics.json'}",
    )
    found = json.loads((tmp_path / "metrics.json").read_text())
    low, high = found["comparison"]["interval_95"]
    assert low <= high
    assert found["comparison"]["mAP"] - found["mAP"] == pytest.approx(found["comparison"]["difference"])
    assert (tmp_path / "plots" / "pr.png").read_bytes().startswith(b"\x89PNG")
    assert "95 % interval over videos" in done.stdout
