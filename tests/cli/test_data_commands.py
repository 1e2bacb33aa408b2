"""`lfb-check`, `lfb-cache` and the test on several views, as a user runs them."""

import json
import pickle
import re
import shutil
from collections import Counter

import av
import pytest

from lfb_lightning.bank import FeatureBank, WindowSpec
from lfb_lightning.video.packed_cache import packed_index

pytestmark = pytest.mark.slow
MINI = ["data=mini_ava", "data.last_second=920"]


def test_check_says_what_is_there_and_exits_with_0(here, mini_dir, tmp_path):
    done = here("check", *MINI, f"paths.data_dir={mini_dir}", f"out={tmp_path / 'check'}")
    assert "nothing is wrong" in done.stdout
    content = json.loads((tmp_path / "check" / "check.json").read_text())
    assert content["findings"] == []
    assert content["splits"]["val"]["videos_found"] == 3
    assert len(content["fingerprints"]["train"]["probes"]) == 8
    for split in ("train", "val"):
        assert (tmp_path / "check" / f"contact_sheet_{split}.png").read_bytes().startswith(b"\x89PNG")
    assert content["splits"]["val"]["keyframes_with_proposals"] == 1.0
    assert re.search(r"keyframes_with_proposals *│ *100\.0% │ *100\.0% │", done.stdout)
    rows = [line.split(",") for line in (mini_dir / "mini_ava_val.csv").read_text().splitlines()]
    shown = Counter(int(row[6]) for row in rows)  # a person has one row per action
    assert {int(name.split()[0]): count for name, count in content["classes"]["val"].items()} == {
        action: shown[action] for action in range(1, 15)
    }
    assert re.search(rf"9 show a disc *│ *\d+ │ *{shown[9]} │", done.stdout)
    typed = f"experiment=mini_ava data.last_second=920 paths.data_dir={mini_dir}"
    assert done.stdout.splitlines()[-1] == f"next: lfb-train {typed} fbo=none hydra.run.dir=runs/baseline"


def test_check_exits_with_1_and_a_remedy(here, mini_dir, tmp_path):
    broken = [f"data.video_dir={tmp_path}", "data.excluded=null", "splits=[val,test]"]
    done = here("check", *MINI, *broken, f"paths.data_dir={mini_dir}", f"out={tmp_path / 'check'}", fails=True)
    findings = json.loads((tmp_path / "check" / "check.json").read_text())["findings"]
    errors = [finding["what"] for finding in findings if finding["level"] == "error"]
    assert any("no video was found at all" in what for what in errors)
    assert any("mini_ava_test_proposals.pkl: no such file" in what for what in errors)
    assert "Traceback" not in done.stderr
    assert "next:" not in done.stdout
    assert all(finding["remedy"] for finding in findings)


def test_training_reads_the_cache_and_every_run_keeps_its_fingerprint(here, mini_dir, tmp_path):
    settings = [*MINI, f"paths.data_dir={mini_dir}", f"data.cache_dir={tmp_path / 'cache'}"]
    first = here("cache", *settings, "num_workers=2")
    assert "9 videos cached, 0 there before, 0 failed" in first.stdout
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    damaged = sorted((tmp_path / "cache").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    second = here("cache", *settings, "num_workers=0")
    assert "1 videos cached, 8 there before, 0 failed" in second.stdout
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert [name for name in before if before[name] != after[name]] == [damaged.name]
    run_dir = tmp_path / "run"
    small = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "data.num_workers=0", f"hydra.run.dir={run_dir}"]
    here("train", "experiment=mini_ava", *settings[1:], "data.source=cache", "fbo=none", *small)
    probes = json.loads((run_dir / "fingerprint.json").read_text())
    assert len(probes["train"]["probes"]) == len(probes["val"]["probes"]) == 8
    assert all("sha256" in probe for probe in probes["val"]["probes"].values())


@pytest.mark.thorough
def test_a_packed_cache_has_few_files_and_is_made_once(here, mini_dir, tmp_path):
    cache = tmp_path / "cache"
    settings = [*MINI, f"paths.data_dir={mini_dir}", f"data.cache_dir={cache}", "num_workers=0", "splits=[val]"]
    here("cache", *settings)
    before = {path.stem: path.read_bytes() for path in cache.glob("*.frames")}
    packed = [*settings, "pack=true", "archive_mb=1"]
    done = here("cache", *packed)
    assert "0 videos cached, 3 there before, 0 failed" in done.stdout
    index = packed_index(cache)
    names = sorted(path.name for path in cache.iterdir() if not path.name.startswith("."))
    assert names == [*(f"frames-{number:05d}.zip" for number in range(len(names) - 1)), "packed.safetensors"]
    assert f"packed in {len(names) - 1} new archive" in done.stdout
    parts = {name: index.part(name) for name, _ in index.entries()}
    assert before == {name: part.path.read_bytes()[part.begin : part.begin + part.size] for name, part in parts.items()}
    again = here("cache", *packed)
    assert "0 videos cached, 3 there before, 0 failed" in again.stdout


def test_a_test_averages_over_views(here, pipeline, tmp_path):
    plain, several = tmp_path / "plain", tmp_path / "several"
    settings = [*pipeline.overrides, f"ckpt_path={pipeline.checkpoint}"]
    here("test", *settings, f"hydra.run.dir={plain}")
    views = ["data.test_scales=[96,112]", "data.test_flip=true", "data.test_crops=3"]
    here("test", *settings, *views, f"hydra.run.dir={several}")
    rows = [(folder / "results.csv").read_text().splitlines() for folder in (plain, several)]
    keys = [[line.rsplit(",", 1)[0] for line in lines] for lines in rows]
    assert keys[0] == keys[1]  # the same persons and boxes, other scores
    assert rows[0] != rows[1]


def test_evaluation_draws_curves_and_compares(here, pipeline, tmp_path):
    here("test", *pipeline.overrides, f"ckpt_path={pipeline.checkpoint}", f"hydra.run.dir={tmp_path / 'run'}")
    results = tmp_path / "run" / "results.csv"
    half = tmp_path / "half.csv"
    half.write_text("\n".join(results.read_text().splitlines()[::2]))
    done = here(
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


@pytest.fixture(scope="module")
def moved(mini_dir, tmp_path_factory):
    """The mini-AVA with its videos in a folder `sport`, as ids and as files, whose endings are those of a camera."""
    folder = tmp_path_factory.mktemp("moved")
    (folder / "videos" / "sport").mkdir(parents=True)
    for path in (mini_dir / "videos").glob("*.mp4"):
        shutil.copy(path, folder / "videos" / "sport" / f"{path.stem}.MP4")
    shutil.copy(mini_dir / "mini_ava_action_list.pbtxt", folder)
    for path in mini_dir.glob("*.csv"):
        lines = path.read_text().splitlines(keepends=True)
        (folder / path.name).write_text("".join(f"sport/{line}" for line in lines))
    for path in mini_dir.glob("*.pkl"):
        boxes = {f"sport/{key}": value for key, value in pickle.loads(path.read_bytes()).items()}
        (folder / path.name).write_bytes(pickle.dumps(boxes))
    return folder


def test_ids_with_a_folder_and_endings_in_capitals_give_the_same_bank_and_scores(here, pipeline, moved, tmp_path):
    shared = [f"ckpt_path={pipeline.checkpoint}", *MINI, "data.num_workers=0"]
    moved_data = [f"paths.data_dir={moved}", f"bank.dir={tmp_path / 'bank'}"]
    here("extract", *shared, *moved_data, "split=val", f"hydra.run.dir={tmp_path / 'extract'}")
    bank, plain = FeatureBank.open(tmp_path / "bank" / "val"), FeatureBank.open(pipeline.bank_dir / "val")
    assert sorted(bank.videos) == [f"sport/{name}" for name in sorted(plain.videos)]
    assert [path.name for path in (tmp_path / "bank" / "val").glob("*000*")] == ["sport%2Fmini-val-000.safetensors"]
    for keyframe in plain.keyframes():
        there = keyframe._replace(video_id=f"sport/{keyframe.video_id}")
        windows = [
            source.window(key, WindowSpec.of_seconds(seconds=16)) for source, key in ((bank, there), (plain, keyframe))
        ]
        assert windows[0].mask.any()
        assert windows[0].features.equal(windows[1].features)
    here("test", *shared, *moved_data, f"hydra.run.dir={tmp_path / 'moved'}")
    here("test", *shared, f"paths.data_dir={pipeline.mini_dir}", f"hydra.run.dir={tmp_path / 'plain'}")
    results = [(tmp_path / name / "results.csv").read_text() for name in ("moved", "plain")]
    assert results[0] == "".join(f"sport/{line}" for line in results[1].splitlines(keepends=True))


def test_the_cache_keeps_class_folders_and_no_link_leads_out_of_it(here, moved, tmp_path):
    cache = tmp_path / "cache"
    settings = [*MINI, f"paths.data_dir={moved}", f"data.cache_dir={cache}", "num_workers=0", "splits=[val]"]
    assert "3 videos cached" in here("cache", *settings).stdout
    assert (cache / "sport" / "mini-val-000.frames").is_file()
    shutil.rmtree(cache / "sport")
    (tmp_path / "elsewhere").mkdir()
    (cache / "sport").symlink_to(tmp_path / "elsewhere")
    refused = here("cache", *settings, fails=True)
    assert "is a link out of data.cache_dir" in refused.stdout
    assert "Traceback" not in refused.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.fixture
def frames(mini_dir, tmp_path):
    """The mini-AVA's videos as folders of JPEGs."""
    for path in (mini_dir / "videos").glob("*.mp4"):
        (tmp_path / "frames" / path.stem).mkdir(parents=True)
        with av.open(str(path)) as container:
            for number, frame in enumerate(container.decode(video=0), 1):
                frame.to_image().save(tmp_path / "frames" / path.stem / f"img_{number:05d}.jpg")
    return tmp_path / "frames"


def test_an_unreadable_picture_fails_its_video_and_ends_training_with_a_line(here, mini_dir, frames, tmp_path):
    bad = frames / "mini-train-002" / "img_00101.jpg"
    bad.write_bytes(bad.read_bytes()[:300])
    settings = [f"paths.data_dir={mini_dir}", f"data.video_dir={frames}", "data.source=frames"]
    cached = here("cache", *MINI, *settings, f"data.cache_dir={tmp_path / 'cache'}", "num_workers=0", fails=True)
    assert "8 videos cached, 0 there before, 1 failed" in cached.stdout
    assert f"not in the cache: mini-train-002: frame {bad}: cannot be read" in cached.stdout
    small = ["experiment=mini_ava", "data.last_second=920", "fbo=none", "trainer.max_epochs=1", "data.num_workers=1"]
    done = here("train", *small, *settings, f"hydra.run.dir={tmp_path / 'run'}", fails=True)
    assert f"lfb-train: frame {bad}: cannot be read" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
