"""Ends a run on several machines within a minute, and with one line, when one of them has gone."""

from __future__ import annotations

import logging
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch.distributed as dist
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn

from lfb_lightning.errors import InputError, one_line
from lfb_lightning.lightning.callbacks.last_checkpoint import LastCheckpoint
from lfb_lightning.lightning.heartbeat import Heartbeat, Node, meeting_of_environment, this_node
from lfb_lightning.processes import end_soon

_log = logging.getLogger(__name__)
_SHORTEST = 5.0  # seconds: two beats, and a busy moment
# What gloo, NCCL and the store say of a connection that is lost; their exceptions have no class in common.
_LOST = re.compile(
    r"gloo/transport|connection (closed|reset|refused) by peer|connection reset|broken pipe|socket (closed|timeout)|"
    r"remote process exited|timed out waiting|watchdog|ncclRemoteError|ncclSystemError|heartbeat",
    re.IGNORECASE,
)
_PEER = re.compile(r"\[([0-9a-fA-F.:]+)\]:\d+")


class NodeWatch(Callback):
    """Watches the other machines of a run, where there are any.

    Training and tests end when a machine has gone. An extraction does its own videos first, and ends where it would wait.

    Args:
        patience_seconds: A machine that has not answered for so long has gone; at least 5.
    """

    def __init__(self, *, patience_seconds: float = 40.0) -> None:
        if patience_seconds < _SHORTEST:
            raise InputError(
                f"callbacks.nodes.patience_seconds is {patience_seconds}, expected at least {_SHORTEST:g}."
            )
        self.patience_seconds = patience_seconds
        self._heartbeat: Heartbeat | None = None
        self._gone: str | None = None
        self._may_end = False
        self._trainer: Trainer | None = None
        self._is_first_here = True

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin to watch, when the processes of the run have met."""
        if trainer.num_nodes < 2 or not (dist.is_available() and dist.is_initialized()):
            return
        self._gone, self._may_end = None, stage != "predict"
        self._is_first_here = trainer.local_rank == 0
        self._trainer = trainer
        meeting = meeting_of_environment()
        here = range(trainer.global_rank, trainer.global_rank + trainer.num_devices)
        described: list[tuple[str, Node | None]] = [("", None)] * trainer.world_size
        mine = (uuid.uuid4().hex, this_node(meeting, here) if self._is_first_here else None)
        dist.all_gather_object(described, mine)
        if self._is_first_here:
            nodes = [node for _, node in described if node is not None]
            own = next(number for number, node in enumerate(nodes) if node.ranks == here)
            self._heartbeat = Heartbeat(
                meeting, described[0][0], nodes, own, patience=self.patience_seconds, when_gone=self._take_note
            )
            self._heartbeat.start()

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let a machine that has gone end the run from here on: nothing is left to do but to wait for it.

        Raises:
            InputError: One has gone meanwhile.
        """
        self._may_end = True
        if self._gone is not None:  # what is not written yet is written by the callbacks that hear of the exception
            raise InputError(self._sentence())

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """End the watch when every process has done its part: the first one may keep the store."""
        if trainer.num_nodes > 1 and dist.is_available() and dist.is_initialized():
            trainer.strategy.barrier("watch ended")
        self._stop(failed=False)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Tell the other machines, and find out who has gone if that is what was raised here."""
        if trainer.num_nodes > 1 and is_lost_connection(exception):
            self._trainer, self._is_first_here = trainer, trainer.local_rank == 0
            self._gone = self._gone or self._who(one_line(str(exception)))
        self._stop(failed=True)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Turn the exception of a lost connection into one line of the first process of a machine."""
        try:
            yield
        except Exception as error:
            if self._gone is None or not is_lost_connection(error):
                raise
            end_soon(1)  # taking the process group down may wait for those who have gone
            if not self._is_first_here:
                raise SystemExit(1) from error
            raise InputError(self._sentence()) from error

    def _sentence(self) -> str:
        assert self._trainer is not None
        return f"{self._gone}; {_how_to_go_on(self._trainer)}"

    def _who(self, message: str) -> str:
        if self._heartbeat is None:
            return f"the nodes of the run did not meet ({message})"
        if (said := self._heartbeat.who_has_gone()) is not None:
            return said
        peer, nodes = _PEER.search(message), self._heartbeat.nodes
        named = next((str(node) for node in nodes if peer and node.address == peer[1]), None)
        where = named or (f"the process at {peer[1]}" if peer else "another process of the run")
        return f"{where} has ended or was cut off"

    def _take_note(self, gone: str) -> None:
        """Note who has gone, and end this process, wherever it waits; other processes of this machine end with it."""
        self._gone = gone
        if self._may_end:
            _log.error("%s", self._sentence())
            for handler in logging.getLogger().handlers:
                handler.flush()
            os._exit(1)

    def _stop(self, *, failed: bool) -> None:
        if self._heartbeat is not None:
            self._heartbeat.stop(failed=failed)
            self._heartbeat = None


def is_lost_connection(error: BaseException) -> bool:
    """Say whether an exception is that of a connection between processes that was lost."""
    if isinstance(error, dist.DistBackendError | dist.DistNetworkError | dist.DistStoreError):
        return True
    return isinstance(error, RuntimeError) and _LOST.search(str(error)) is not None


def _how_to_go_on(trainer: Trainer) -> str:
    """Say what the user does next."""
    if trainer.state.fn == TrainerFn.PREDICTING:
        return "finished videos are kept: the same command on every node does the rest."
    if trainer.state.fn != TrainerFn.FITTING:
        return "give the same command again on every node."
    path: Path | None = next((one.path for one in trainer.callbacks if isinstance(one, LastCheckpoint)), None)  # type: ignore[attr-defined]
    if path is None:
        return "give the same command again on every node; callbacks.last, which saves what one goes on from, is off."
    restarts, most = (int(os.environ.get(f"TORCHELASTIC_{name}", "0")) for name in ("RESTART_COUNT", "MAX_RESTARTS"))
    if restarts < most:
        return f"torchrun starts it again (restart {restarts + 1} of {most}), which with ckpt_path=auto goes on from {path}."
    command = f"the same command on every node with hydra.run.dir={trainer.default_root_dir} ckpt_path=auto"
    return f"{command} {f'goes on from {path}' if path.is_file() else 'begins again: nothing was saved yet'}."


@contextmanager
def telling_lost_nodes(trainer: Trainer) -> Iterator[None]:
    """Turn the exception of a lost connection into one line, by the trainer's `NodeWatch` if it has one.

    Args:
        trainer: The trainer that is about to run.
    """
    with ExitStack() as stack:
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, NodeWatch):
                stack.enter_context(callback.telling())
        yield
