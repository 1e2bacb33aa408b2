"""Every logger of `conf/logger`, offline: what a short training and its resumption left there, read without our code."""

import json
import re
import sqlite3
import struct

import pytest
import yaml
from PIL import Image

from tests.cli.in_process import load, run

pytestmark = pytest.mark.slow
PICTURES = {"first_batch", "overlay_1", "overlay_2", "curves"}
ALL = "[csv,tensorboard,wandb,mlflow,trackio]"


@pytest.fixture(scope="module")
def logged(mini_dir, tmp_path_factory):
    """The run folder of two epochs of one step, the second of them resumed, with every logger; and what was said."""
    folder = tmp_path_factory.mktemp("logged")
    arguments = ["experiment=mini_ava", f"paths.data_dir={mini_dir}", "data.last_second=904", "data.num_workers=0"]
    arguments += ["fbo=none", "debug=fast", f"logger={ALL}", "hydra.run.dir=a =run"]
    import wandb

    said = []
    for more in (
        ["callbacks.pictures.overlays=2"],
        ["ckpt_path=last", "trainer.max_epochs=2", "callbacks.pictures.overlays=0", "callbacks.pictures.curves=false"],
    ):
        done = run("train", *arguments, *more, folder=folder)
        assert done.status == 0, done.stderr[-3000:]
        said.append(done.stdout + done.stderr)
        wandb.finish()  # as the end of a process does it
    return folder / "a =run", said


def test_one_step_of_everything_leaves_a_whole_run(logged):
    run_dir, _ = logged
    assert json.loads((run_dir / "metrics.json").read_text())["steps"] == 2
    assert {path.name for path in (run_dir / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert {path.stem for path in (run_dir / "pictures").iterdir()} == PICTURES
    for path in (run_dir / "pictures").iterdir():
        with Image.open(path) as picture:
            assert min(picture.size) > 200
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 5, f"{path.name} is empty"
    assert (run_dir / "logs" / "metrics.csv").is_file()


def test_nothing_is_advertised(logged):
    for said in logged[1]:
        assert not re.search(r"wandb|trackio|mlflow|experiment with name|left out", said, re.IGNORECASE), said


def test_tensorboard_has_the_pictures_and_the_configuration(logged):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(logged[0] / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["images"]) == {f"pictures/{name}" for name in PICTURES}
    assert [event.step for event in events.Scalars("val/mAP")] == [0, 1]
    text = events.Tensors("config.yaml/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "max_epochs: 1" in text


def test_wandb_has_one_run_in_two_offline_files(logged):
    from wandb.proto.wandb_internal_pb2 import Record

    folders = sorted((logged[0] / "wandb").glob("offline-run-*"))
    files = [next(folder.glob("*.wandb")) for folder in folders]
    assert len(files) == 2, "a file for each process"
    parts = [[Record.FromString(record) for record in records_of(file.read_bytes())] for file in files]
    begun = [next(record.run for record in part if record.HasField("run")) for part in parts]
    assert begun[0].run_id == begun[1].run_id
    assert {(one.project, one.display_name) for one in begun} == {("lfb-lightning", "a =run")}
    values = [values_of(part) for part in parts]
    assert [one["val/mAP"] for one in values] == [by_step(logged[0])["val/mAP"][step] for step in (0, 1)]
    for name in PICTURES:
        assert (folders[0] / "files" / values[0][f"pictures/{name}/filenames"][0]).is_file()
    for part in parts:
        assert [record.artifact.type for record in part if record.HasField("artifact")] == ["config"]
    update = {item.key: item.value_json for record in parts[0] for item in record.config.update}
    assert json.loads(update["trainer"])["max_epochs"] == 1


def records_of(content):
    """The records of a W&B transaction log: LevelDB's log format behind seven bytes."""
    assert content[:4] == b":W&B"
    place, whole = 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        whole += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield whole
            whole = b""


def values_of(part):
    """The last value of each name."""
    items = [item for record in part if record.HasField("history") for item in record.history.item]
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def by_step(run_dir):
    """Figures by step, as TensorBoard has them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run_dir / "tensorboard"))
    events.Reload()
    return {
        name: {event.step: event.value for event in events.Scalars(name)} for name in ("val/mAP", "train/loss_step")
    }


def test_mlflow_has_one_run_with_both_epochs(logged):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{logged[0]}/mlflow.db")
    experiment = client.get_experiment_by_name("lfb-lightning")
    (only,) = client.search_runs([experiment.experiment_id])
    assert (only.info.run_name, only.info.status) == ("a =run", "FINISHED")
    assert {one.step: one.value for one in client.get_metric_history(only.info.run_id, "val/mAP")} == pytest.approx(
        by_step(logged[0])["val/mAP"]
    )
    assert only.data.params["trainer/max_epochs"] == "1", "those of the beginning: MLflow refuses changes"
    pictures = {path.path for path in client.list_artifacts(only.info.run_id, "pictures")}
    assert pictures == {f"pictures/{name}.png" for name in PICTURES}
    kept = logged[0] / "mlartifacts" / only.info.run_id / "artifacts" / "config.yaml"
    assert yaml.safe_load(kept.read_text())["trainer"]["max_epochs"] == 2


def test_trackio_has_one_run_with_both_epochs(logged):
    (file,) = (logged[0] / "trackio").glob("*.db")
    with sqlite3.connect(file) as database:
        rows = database.execute("SELECT run_id, run_name, step, metrics FROM metrics").fetchall()
        (config,) = database.execute("SELECT config FROM configs").fetchone()
    database.close()
    assert {row[1] for row in rows} == {"a =run"}
    assert len({row[0] for row in rows}) == 1
    found = {step: json.loads(text)["val/mAP"] for _, _, step, text in rows if "val/mAP" in json.loads(text)}
    assert found == pytest.approx(by_step(logged[0])["val/mAP"])
    pictures = {name: value for row in rows for name, value in json.loads(row[3]).items() if "pictures/" in name}
    assert pictures.keys() == {f"pictures/{name}" for name in PICTURES}
    for value in pictures.values():
        assert (logged[0] / "trackio" / "media" / value["file_path"]).is_file()
    assert json.loads(config)["optim"]["lr"] == 4e-3


@pytest.mark.parametrize("name", ["wandb", "mlflow", "trackio"])
def test_a_missing_package_is_one_line_with_its_installation(name, mini_dir, tmp_path, monkeypatch):
    load("train")
    monkeypatch.setattr("lfb_lightning.lightning.loggers.services.find_spec", lambda package: None)
    data = ["experiment=mini_ava", f"paths.data_dir={mini_dir}", "fbo=none"]
    done = run("train", *data, f"logger={name}", folder=tmp_path)
    assert done.status == 1
    assert done.message == (
        f"lfb-train: logger={name} needs {name}, which is not installed: pip install 'lfb-lightning[{name}]'."
    )
