"""Messages of the libraries below that say nothing here, each with the reason; every other one is shown."""

from __future__ import annotations

import logging
import re
import warnings

_LOGGERS = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric")
# What Lightning prints through its loggers.
_INFORMATION = (
    "💡 Tip",  # advertisements of other products
    "(GPU|TPU|HPU) available: ",  # `lfb-doctor` says which devices are there; Lightning warns of a GPU that is not used
    r"`Trainer\(limit_\w+_batches=1.0\)` was configured",  # conf/trainer states the default, so that it can be found
    "`weights_only` was not set",  # of a file that Lightning has just written itself, to average or to name it
    "`Trainer.fit` stopped: `max_(epochs|steps)=",  # the command's own last lines say it
    "Initializing distributed: |-{10}|All distributed processes registered",  # a failure to start says so by itself
    "Restor(ing|ed) (all )?states from the checkpoint",  # and so does the line that says where a run goes on
)
# What the libraries warn of, by the beginning of the text.
_WARNINGS = (
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning's use of torch's trees
    "Your `IterableDataset` has `__len__` defined",  # each worker gives its own part, and the length is exact
    r".*It is recommended to use `self\.log\(.*sync_dist=True",  # what is logged is equal on all ranks before
    r".*Found \d+ module\(s\) in eval mode at the start of training",  # frozen batch norms and a frozen backbone stay so
    r".*The number of training batches \(\d+\) is smaller than the logging interval",  # each epoch has its line
    r".*Checkpoint directory .* exists and is not empty",  # a run that goes on; another one's folder is refused before
    r".*Experiment logs directory .* exists and is not empty",  # the earlier part of the log has been put aside before
    "Grad strides do not match bucket view strides",  # 1 x 1 x 1 kernels, whose strides are arbitrary: nothing is slower
    r"This DataLoader will create \d+ worker processes",  # StepTiming measures, as below
    r".*The '\w+' does not have many workers",  # StepTiming measures the waiting, and says what helps
)
_VOID = re.compile("|".join(_INFORMATION))


def hush_known_messages() -> None:
    """Keep these messages from the terminal; to be called once per process, before anything is built."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        for handler in logger.handlers:
            if _matters not in handler.filters:
                handler.addFilter(_matters)
    for text in _WARNINGS:
        warnings.filterwarnings("ignore", message=text)


def _matters(record: logging.LogRecord) -> bool:
    return _VOID.match(record.getMessage()) is None
