"""Sweeps with real jobs: whatever starts them, one table; a failed or interrupted one loses nothing and can go on."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch
import yaml

from lfb_lightning.cli import sweep_job
from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.cli.sweep_job import JobRecord
from tests.cli.in_process import run

pytestmark = pytest.mark.slow


@pytest.fixture
def short(pipeline):
    return [*pipeline.overrides, "trainer.max_epochs=1", "trainer.limit_train_batches=2", "trainer.limit_val_batches=2"]


SLOW_TO_SUBMIT = """
import pathlib, time
mkdir = pathlib.Path.mkdir
def late(path, *how, **more):
    if path.parent.name == ".submitit" and path.name.isdigit():
        time.sleep(3)
    mkdir(path, *how, **more)
pathlib.Path.mkdir = late
"""


def table_of(folder):
    return pd.read_csv(folder / "sweep.csv", dtype={"job": str}).set_index("job")


def test_failed_job_loses_no_other_and_is_all_that_runs_again(pipeline, console, short, tmp_path, monkeypatch):
    late = tmp_path / "late"
    command = ["-m", *short, f"bank.dir={late},{pipeline.bank_dir}", "fbo=avg", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    failed = console("train", *command, fails=True)
    assert f"hydra.sweep.dir={tmp_path / 'sweep'} does what is not done" in failed.stdout
    assert f"lfb-train: bank {late}/train: does not exist" in failed.stderr
    assert "Traceback" not in failed.stderr
    output = tmp_path / "sweep" / "0" / "output.txt"
    assert f"sweep job 0 failed with status 1; what it said is in {output}" in failed.stdout
    assert f"lfb-train: bank {late}/train: does not exist" in output.read_text()
    assert "does not exist" not in (tmp_path / "sweep" / "1" / "output.txt").read_text()
    table = table_of(tmp_path / "sweep")
    assert list(table["state"]) == ["failed", "ok"]
    assert list(table["bank.dir"]) == [str(late), str(pipeline.bank_dir)]
    assert "fbo" not in table, "equal for all jobs"
    assert pd.isna(table["mAP"]["0"])
    assert 0 <= table["mAP"]["1"] <= 1
    done = tmp_path / "sweep" / "1" / "metrics.json"
    before = done.stat().st_mtime_ns
    late.symlink_to(pipeline.bank_dir)
    console("train", *command)
    again = table_of(tmp_path / "sweep")
    assert list(again["state"]) == ["ok", "ok"]
    assert done.stat().st_mtime_ns == before
    assert again["mAP"]["0"] == again["mAP"]["1"] == table["mAP"]["1"]
    assert (tmp_path / "sweep" / "sweep.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setenv("SLURM_PROCID", "1")
    console("train", *command)  # another task of a resumed job has nothing to wait for either
    assert done.stat().st_mtime_ns == before
    monkeypatch.delenv("SLURM_PROCID")
    other = console("train", *[text.replace("fbo=avg", "fbo=max") for text in command], fails=True)
    assert "set another hydra.sweep.dir" in other.stderr


@pytest.mark.thorough  # a job that fails, and its second try, are above
def test_interrupted_sweep_goes_on_where_its_job_stopped(pipeline, console, start, tmp_path):
    sweep = tmp_path / "sweep"
    command = [*pipeline.overrides, "data.last_second=910", "fbo=avg", "trainer.max_epochs=2"]
    command += [f"hydra.sweep.dir={sweep}", "seed=3,4"]
    running = start("train", ["-m", *command, "callbacks.last.every_n_steps=2"], console.folder)
    deadline = time.monotonic() + 300
    while not (sweep / "0" / "checkpoints" / "last.ckpt").is_file():
        assert running.poll() is None, running.stdout.read()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) == 128 + signal.SIGTERM
    stopped = torch.load(sweep / "0" / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert JobRecord.read(sweep / "0").status is None, "unfinished"
    assert not (sweep / "1").exists()
    done = console("train", "-m", *command, "callbacks.last.every_n_steps=2")
    assert f"goes on from {sweep / '0'}" in done.stdout + done.stderr
    table = table_of(sweep)
    assert list(table["state"]) == ["ok", "ok"]
    assert 0 < stopped < table["steps"]["0"] == table["steps"]["1"]


@pytest.fixture
def own_groups(tmp_path):
    """A user's folder: an operator, an experiment, and a primary configuration."""
    for name, text in {
        "fbo/mine.yaml": "defaults:\n  - max\nmask_padding: true\n",
        "experiment/mine.yaml": "# @package _global_\ndefaults:\n  - mini_ava\nseed: 77\n",
        "mine.yaml": "defaults:\n  - train\n  - _self_\ntask:\n  frozen_epochs: 3\n",
    }.items():
        (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / name).write_text(text)
    return tmp_path / "own"


SOURCES = {
    "--config-dir": ["--config-dir", "own", "experiment=mine"],
    "--config-dir, after the overrides": ["experiment=mine", "--config-dir", "own"],
    "hydra.searchpath": ["hydra.searchpath=[file://own]", "experiment=mine"],
    "hydra.searchpath, two of them": ["hydra.searchpath=[pkg://lfb_lightning.cli,own]", "experiment=mine"],
    "--config-name": ["--config-dir", "own", "--config-name", "mine", "experiment=mine"],
    "--config-path": ["--config-path", "whole", "experiment=mine"],
}


@pytest.mark.parametrize("source", SOURCES)
def test_jobs_are_composed_from_the_files_of_their_sweep(source, own_groups, monkeypatch):
    folder = own_groups.parent
    if source == "--config-path":
        shutil.copytree(conf_dir(), folder / "whole")
        shutil.copytree(own_groups, folder / "whole", dirs_exist_ok=True)
    jobs = []

    def leave_a_figure(arguments, run_dir):
        jobs.append(arguments)
        run_dir.mkdir(parents=True, exist_ok=True)
        (run_dir / "metrics.json").write_text('{"best_mAP": 0.5}')
        return 0

    monkeypatch.setattr(sweep_job, "_run", leave_a_figure)
    done = run("train", "-m", "fbo=mine,avg", *SOURCES[source], "hydra.sweep.dir=sweep's (1)", folder=folder)
    assert done.status == 0, done.stderr
    assert all(arguments[1:4] == ["-m", "lfb_lightning.cli", "train"] for arguments in jobs)
    # Elsewhere: what was relative is the sweep's.
    composed = [run("train", *arguments[4:], "--cfg", "job", folder=folder.parent) for arguments in jobs]
    configs = [yaml.safe_load(job.stdout) for job in composed]
    assert [config["fbo"]["mask_padding"] for config in configs] == [True, False]
    assert [config["seed"] for config in configs] == [77, 77]
    assert [config["task"]["frozen_epochs"] for config in configs] == [3 if source == "--config-name" else 0] * 2


@pytest.mark.thorough
def test_a_sweep_with_own_groups_trains_on_two_processes(own_groups, pipeline, console, short, tmp_path):
    """Real jobs: each starts its second process with the job's own command line."""
    devices = ["trainer.devices=2", "trainer.strategy=ddp", "trainer.limit_train_batches=1"]
    arguments = [*short, "fbo=mine", "seed=1,2", *devices, f"hydra.sweep.dir={tmp_path / 'a=b (sweep)'}"]
    console("train", "-m", *arguments, "--config-dir", own_groups)
    table = table_of(tmp_path / "a=b (sweep)")
    assert list(table["state"]) == ["ok", "ok"]
    assert list(table["seed"]) == [1, 2]


@pytest.mark.parametrize(
    ("launcher", "options"),
    [
        pytest.param("joblib", ["hydra.launcher.n_jobs=2"], marks=pytest.mark.thorough),
        pytest.param("submitit_local", ["hydra.launcher.timeout_min=5"], marks=pytest.mark.thorough),
        pytest.param(
            "ray",
            ["+hydra.launcher.ray.init.num_cpus=2", "+hydra.launcher.ray.init.include_dashboard=false"],
            marks=pytest.mark.skipif(
                importlib.util.find_spec("hydra_plugins.hydra_ray_launcher") is None,
                reason="lfb-lightning[ray] is not installed",
            ),
        ),
    ],
)
def test_launcher_makes_the_jobs_that_hydra_makes(launcher, options, console, short, tmp_path, monkeypatch):
    # A busy machine: what submitit makes after it has started a job comes when the job has long begun.
    (tmp_path / "sitecustomize.py").write_text(SLOW_TO_SUBMIT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    jobs = ["-m", "fbo=avg,max", *short]
    console("train", *jobs, f"hydra/launcher={launcher}", *options, f"hydra.sweep.dir={tmp_path / launcher}")
    table = table_of(tmp_path / launcher)
    assert list(table["fbo"]) == ["avg", "max"]
    assert list(table["state"]) == ["ok", "ok"]
    assert list(table["steps"]) == [2, 2]
    for number, kind in enumerate(("avg", "max")):  # side by side, each with its own words
        job = tmp_path / launcher / str(number)
        assert f"run folder: {job}" in (job / "output.txt").read_text()
        assert f"fbo={kind}" in (job / "job.json").read_text()


def test_search_is_kept_and_goes_on(console, short, tmp_path):
    command = ["-m", "sweep=search", "fbo=avg", *short, f"hydra.sweep.dir={tmp_path}"]
    console("train", *command, "hydra.sweeper.n_trials=2")
    first = table_of(tmp_path)
    assert list(first["state"]) == ["ok", "ok"]
    assert first["optim.lr"].between(0.003, 0.3).all()
    console("train", *command, "hydra.sweeper.n_trials=1", "hydra.sweeper.sampler.seed=9")
    table = table_of(tmp_path)
    assert len(table) == 3
    best = (tmp_path / "optimization_results.yaml").read_text()
    assert f"best_value: {table['best_mAP'].max()}" in best, "the third trial's study knows the first two"


def test_missing_plugin_names_its_extra(console, short, tmp_path):
    (tmp_path / "hydra_plugins").mkdir()
    (tmp_path / "hydra_plugins" / "__init__.py").touch()  # hides the installed ones
    arguments = [sys.executable, "-m", "lfb_lightning.cli", "train", "-m", "hydra/launcher=joblib", "fbo=avg,max"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'lfb-lightning[joblib]'" in done.stderr


def test_submitit_asks_slurm_for_one_task_a_gpu(console, short, tmp_path, monkeypatch):
    # Stand-ins: sbatch keeps its script and refuses the job, so that nothing waits for it.
    (tmp_path / "srun").write_text("#!/usr/bin/env bash\n")
    (tmp_path / "sbatch").write_text(
        f'#!/usr/bin/env bash\ncp "${{@: -1}}" {tmp_path}/submitted.sh\necho full >&2\nexit 1\n'
    )
    for name in ("srun", "sbatch"):
        (tmp_path / name).chmod(0o755)
    launcher = ["hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=90", "hydra.launcher.nodes=2"]
    launcher += ["hydra.launcher.tasks_per_node=8", "hydra.launcher.gpus_per_node=8", "hydra.launcher.partition=video"]
    devices = ["trainer.devices=8", "trainer.num_nodes=2"]
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    where = f"hydra.sweep.dir={tmp_path / 'sweep'}"
    console("train", "-m", "fbo=avg,max", *short, *devices, *launcher, where, fails=True)
    script = (tmp_path / "submitted.sh").read_text()
    for option in ("nodes=2", "ntasks-per-node=8", "gpus-per-node=8", "time=90", "partition=video", "array=0-1%2"):
        assert f"#SBATCH --{option}\n" in script, script
    assert "srun" in script
