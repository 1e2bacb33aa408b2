"""What a machine says of itself at the end of a run stays said."""

import pytest
import torch.distributed as dist

from lfb_lightning.lightning.heartbeat import Heartbeat, Node


@pytest.mark.parametrize(("failed", "said"), [(False, "done"), (True, "failed")])
def test_a_beat_that_was_about_to_be_said_does_not_hide_the_farewell(failed, said):
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    nodes = [Node("a", "127.0.0.1", range(1)), Node("b", "127.0.0.2", range(1, 2))]
    beats = Heartbeat(("127.0.0.1", store.port), "run", nodes, 0, patience=5.0, when_gone=print)
    beats._say("alive")
    assert store.get("lfb_heartbeat/run/0").decode().split()[1] == "alive"
    beats.stop(failed=failed)
    beats._say("alive")  # as the other thread does that has looked just before the end
    assert store.get("lfb_heartbeat/run/0").decode().split()[1] == said
