"""Loggers of services: names, what goes on when a run is resumed, and what is refused before anything is computed."""

import os

import pytest
from pytorch_lightning.loggers.logger import DummyLogger

from lfb_lightning.errors import InputError
from lfb_lightning.lightning.loggers.services import _wandb_id, goes_on, mlflow_logger, name_of, wandb_logger


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("/runs/train/2026-11-26_05-13-48", "2026-11-26_05-13-48"),
        ("/runs/sweep_a/12", "sweep_a-12"),
        ("/a b=c", "a b=c"),
    ],
)
def test_a_run_is_called_like_its_folder(folder, name):
    assert name_of(folder) == name


def test_the_newest_wandb_run_of_a_folder_goes_on(tmp_path):
    assert _wandb_id(tmp_path) is None
    folder = tmp_path / "wandb"
    names = ["run-20260102_000000-second", "offline-run-20260101_000000-first", "run-x-none", "run-20270101_000000-a b"]
    for name in [*names, "offline-run-20260103_000000-my-own_id", "run-20270101_000000-" + "x" * 200]:
        (folder / name).mkdir(parents=True)
    assert _wandb_id(tmp_path) == "my-own_id"


def test_only_a_run_that_is_resumed_goes_on(tmp_path):
    """Every job of a sweep has ckpt_path=auto, and its folder may have been emptied since."""
    assert [goes_on(tmp_path, path) for path in (None, "auto", "last", "other.ckpt")] == [False, False, True, True]
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    assert [goes_on(tmp_path, path) for path in (None, "auto")] == [False, True]


def test_a_repeated_mlflow_run_goes_on_in_its_store_and_a_new_one_begins(tmp_path):
    first = mlflow_logger(run_dir=str(tmp_path / "a'b c"))
    again = mlflow_logger(run_dir=str(tmp_path / "a'b c"))
    resumed = mlflow_logger(run_dir=str(tmp_path / "a'b c"), ckpt_path="last")
    assert first.run_id != again.run_id == resumed.run_id
    mlflow_logger(run_dir=str(tmp_path / "another"))
    assert (tmp_path / "another" / "mlflow.db").is_file(), "it was kept in the first run's folder"


@pytest.mark.parametrize("make", [wandb_logger, mlflow_logger])
def test_other_processes_log_nothing(make, tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    logger = make(run_dir=str(tmp_path))
    logger.log_metrics({"a": 1.0}, step=0)
    assert isinstance(logger, DummyLogger)
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_cannot_be_sent_offline(tmp_path):
    with pytest.raises(InputError, match=r"logger\.wandb\.log_model=true .* needs logger\.wandb\.offline=false"):
        wandb_logger(run_dir=str(tmp_path), log_model=True)


def test_who_is_not_logged_in_is_told_before_training(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with pytest.raises(InputError, match=r"logger\.wandb: UsageError: No API key configured") as told:
        wandb_logger(run_dir=str(tmp_path), offline=False)
    assert "\n" not in str(told.value)


def test_a_server_that_does_not_answer_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(InputError, match=r"logger\.mlflow: MlflowException: .*127\.0\.0\.1") as told:
        mlflow_logger(run_dir=str(tmp_path), tracking_uri="http://127.0.0.1:9")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "mlflow.db").exists()
    assert "MLFLOW_TRACKING_URI" not in os.environ
