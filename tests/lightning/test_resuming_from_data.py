"""The checkpoint that training goes on from is data: it deletes nothing, and what does not fit is one line."""

import shutil

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from lfb_lightning.errors import InputError
from lfb_lightning.lightning.callbacks.resuming import Resuming

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore:.*treespec:FutureWarning"),
]


class Rising(LightningModule):
    """Its score rises with every epoch, so that every epoch's checkpoint replaces the one before."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, batch_index):
        return self.layer(batch).sum()

    def validation_step(self, batch, batch_index):
        self.log("score", float(self.current_epoch))

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        return [optimizer], [torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)]

    def train_dataloader(self):
        return DataLoader(torch.ones(2, 1))

    val_dataloader = train_dataloader


def fit(folder, epochs, resumed=None, *, checked=True):
    best = ModelCheckpoint(folder / "checkpoints", filename="{epoch}", monitor="score", mode="max")
    resuming = Resuming(str(resumed)) if resumed is not None and checked else None
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[best, *([resuming] if resuming else [])],
    )
    if resuming is None:
        trainer.fit(Rising(), ckpt_path=resumed, weights_only=True)
    else:
        with resuming.naming_the_file():
            trainer.fit(Rising(), ckpt_path=resumed, weights_only=True)
    return best


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    folder = tmp_path_factory.mktemp("begun") / "run"
    fit(folder, 1)
    return folder


@pytest.fixture
def run(begun, tmp_path):
    """A run of one epoch in a folder of its own, and its checkpoint."""
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    path = folder / "checkpoints" / "epoch=0.ckpt"
    shutil.copy(begun / "checkpoints" / "epoch=0.ckpt", path)
    content = torch.load(path, weights_only=True)
    (state,) = content["callbacks"].values()
    state |= {"dirpath": str(path.parent), "best_model_path": str(path), "kth_best_model_path": str(path)}
    state["best_k_models"] = {str(path): state["best_model_score"]}
    torch.save(content, path)
    return folder, path, content


def test_a_run_goes_on_with_its_own_best_file(run):
    folder, path, _ = run
    copy = shutil.copy(path, folder / "copy.ckpt")
    best = fit(folder, 2, copy)
    assert [file.name for file in path.parent.iterdir()] == ["epoch=1.ckpt"]  # the better one has replaced it
    assert best.best_model_path.endswith("epoch=1.ckpt")


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_stored_path_is_never_deleted(run, tmp_path, kind, checked):
    """Lightning alone deletes it (`checked=False`): should that ever change, this protection is no longer needed."""
    folder, path, content = run
    victim = tmp_path / "victim"
    if kind == "folder":
        victim.mkdir()
        (victim / "thesis.tex").write_text("x")
    else:
        victim.write_text("x")
    (state,) = content["callbacks"].values()
    planted = str(path.parent / ".." / ".." / "victim")
    state |= {"best_model_path": planted, "kth_best_model_path": planted, "best_k_models": {planted: torch.tensor(0.0)}}
    torch.save(content, path)
    best = fit(folder, 2, path, checked=checked)
    assert victim.exists() == checked
    assert best.best_model_path == str(path.parent / "epoch=1.ckpt")


def test_a_path_elsewhere_is_forgotten(run, tmp_path):
    _, path, content = run
    (state,) = content["callbacks"].values()
    planted = str(tmp_path / "best.ckpt")
    torch.save(content, path)
    for change in (
        {"best_model_path": planted},
        {"last_model_path": planted},
        {"best_model_path": "memory://best.ckpt"},
        {"best_k_models": {planted: 0.0}, "kth_best_model_path": planted},
    ):
        torch.save({**content, "callbacks": {"ModelCheckpoint of another form": {**state, **change}}}, path)
        trainer = Trainer(accelerator="cpu", logger=False, callbacks=[ModelCheckpoint(path.parent)])
        read = Resuming(str(path)).read(trainer)
        (cleaned,) = read["callbacks"].values()
        assert (cleaned["best_model_path"], cleaned["last_model_path"], cleaned["best_k_models"]) == ("", "", {})


@pytest.mark.parametrize(
    "change",
    [
        {"callbacks": [1]},
        {"callbacks": {"x": 5}},
        {"callbacks": {"ModelCheckpoint": {"best_model_path": 5}}},
        {"callbacks": {"ModelCheckpoint": {"best_k_models": {"x": "y"}}}},
        {"callbacks": {"ModelCheckpoint": {"best_k_models": ["x"]}}},
        {"callbacks": {"ModelCheckpoint": {"best_k_models": {}, "kth_best_model_path": "x"}}},
        {"optimizer_states": 5},
        {"optimizer_states": ["x"]},
        {"optimizer_states": [{"state": {}, "param_groups": []}]},
        {"optimizer_states": [{"state": {}, "param_groups": [{"params": [0, 1, 2]}]}]},
        {"lr_schedulers": [5]},
        {"state_dict": [1]},
        {"state_dict": {"layer.weight": "x"}},
        {"state_dict": {"layer.weight": torch.zeros(3, 3), "layer.bias": torch.zeros(1)}},
        {"loops": {}},
        {"loops": {"fit_loop": 5}},
        {"loops": {"fit_loop": {"epoch_progress": {"total": "x"}}}},
        {"epoch": "x"},
        {"pytorch-lightning_version": 5},
        {"pytorch-lightning_version": "0.9.0"},
        {"pytorch-lightning_version": "2!0.9"},
        {"pytorch-lightning_version": "2.no"},
    ],
)
def test_what_does_not_fit_is_one_line(run, change):
    folder, path, content = run
    torch.save({**content, **change}, path)
    with pytest.raises(InputError, match=rf"^checkpoint {path}: ") as refused:
        fit(folder, 2, path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "missing", ["pytorch-lightning_version", "loops", "callbacks", "optimizer_states", "lr_schedulers"]
)
def test_weights_alone_are_for_init_from(run, missing):
    folder, path, content = run
    del content[missing]
    torch.save(content, path)
    with pytest.raises(InputError, match=rf"{missing} is missing.*init_from="):
        fit(folder, 2, path)


def test_a_fault_of_training_itself_is_not_blamed_on_the_file(run, monkeypatch):
    folder, path, _ = run

    def fails(self, batch, batch_index):
        raise ZeroDivisionError("of training")

    monkeypatch.setattr(Rising, "training_step", fails)
    with pytest.raises(ZeroDivisionError):
        fit(folder, 2, path)
