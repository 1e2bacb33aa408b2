"""An epoch's line says how long it took, unless another process began it."""

import logging
import re

import pytest
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.demos.boring_classes import BoringModel

from lfb_lightning.lightning.callbacks.epoch_lines import EpochLines


@pytest.mark.filterwarnings("ignore")  # Lightning's, of a loader that cannot go on within an epoch
def test_an_epoch_that_another_run_began_has_no_time(tmp_path, caplog):
    def train(epochs, last=None):
        caplog.clear()
        trainer = Trainer(
            max_epochs=epochs,
            callbacks=[EpochLines(), ModelCheckpoint(tmp_path, save_last=True, every_n_train_steps=3)],
            default_root_dir=tmp_path,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            accelerator="cpu",
            limit_train_batches=4,
            limit_val_batches=1,
        )
        with caplog.at_level(logging.INFO, logger="lfb_lightning"):
            trainer.fit(BoringModel(), ckpt_path=last)
        return [record.getMessage() for record in caplog.records if record.getMessage().startswith("epoch ")]

    assert all(re.search(r"0:00:\d\d", line) for line in train(2))
    resumed = train(4, tmp_path / "last.ckpt")  # of step 6, two steps into the second epoch
    assert resumed[0] == "epoch 2/4  lr 0.001"
    assert re.fullmatch(r"epoch 3/4  lr 0.0001  0:00:\d\d, 0:00:\d\d left", resumed[1])
