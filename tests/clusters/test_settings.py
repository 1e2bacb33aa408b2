"""The keys of `engine=ray`, and what a table of a batch holds."""

import logging
import os
import sys
from dataclasses import fields
from types import ModuleType

import pytest
import torch

from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.clusters import RayEngine
from lfb_lightning.clusters.records import Record, from_table, to_table
from lfb_lightning.clusters.session import _keep_off_console, _store_bytes, joined
from lfb_lightning.errors import InputError
from lfb_lightning.files.plain_yaml import read_plain_mapping


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"actors": 0}, "engine.actors is 0, expected"),
        ({"actors": [3, 2]}, "engine.actors is"),
        ({"actors": [1, 2, 3]}, "engine.actors is"),
        ({"tries": 0}, "engine.tries is 0, expected"),
        ({"cpus_per_decode": 0}, "engine.cpus_per_decode is 0, expected"),
    ],
)
def test_values_out_of_range_name_the_key(keys, message):
    with pytest.raises(InputError) as error:
        RayEngine(**keys)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_every_key_is_documented_with_its_default():
    section = read_plain_mapping((conf_dir() / "engine" / "ray.yaml").read_text(), source="ray.yaml")
    assert section.pop("_target_") == "lfb_lightning.clusters.RayEngine"
    assert section == {field.name: field.default for field in fields(RayEngine)}


@pytest.mark.parametrize("tries", range(1, 6))
def test_a_video_is_begun_as_often_as_the_key_says(tries):
    assert sum(1 + retries for retries in RayEngine(tries=tries).rounds()) == tries


def test_a_ray_client_is_refused_with_what_to_do():
    pytest.importorskip("ray", reason="lfb-lightning[ray] is not installed")
    with pytest.raises(InputError, match="ray start --address"), joined(RayEngine(address="ray://head:10001")):
        pass


def test_without_ray_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"python -m pip install 'lfb-lightning\[ray\]'"), joined(RayEngine()):
        pass


def test_the_store_of_our_own_cluster_is_sized_where_the_system_does_not_say_its_memory(monkeypatch):
    usual = _store_bytes()
    monkeypatch.delattr(os, "sysconf")  # as on Windows
    assert 0 < usual <= _store_bytes() == 2 << 30


@pytest.mark.parametrize(
    ("address", "said", "remedy"),
    [
        (None, "Ray: starting a cluster on this machine", "leave engine=ray out"),
        ("head:6379", "Ray: joining the cluster at head:6379", "`ray status`"),
    ],
)
def test_what_may_take_long_is_said_before_and_a_failure_says_what_to_do(address, said, remedy, monkeypatch, caplog):
    def init(**_):  # a Ray whose start fails cannot be had at will
        raise RuntimeError("timed out\nduring startup")

    stand_in = ModuleType("ray")
    stand_in.init = init
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    monkeypatch.setitem(sys.modules, "ray.data", ModuleType("ray.data"))
    with caplog.at_level(logging.INFO), pytest.raises(InputError) as error, joined(RayEngine(address=address)):
        pass
    assert said in caplog.text
    assert remedy in str(error.value)
    assert "timed out during startup" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_only_ray_s_own_handlers_are_kept_off_the_console():
    pytest.importorskip("ray", reason="lfb-lightning[ray] is not installed")
    logger, elsewhere = logging.getLogger("ray"), logging.StreamHandler()
    logger.addHandler(elsewhere)  # as pytest does, whose handler hears every logger
    try:
        _keep_off_console("ray")
        assert elsewhere.level == logging.NOTSET
        assert {handler.level for handler in logger.handlers if type(handler).__name__ == "PlainRayHandler"} == {
            logging.CRITICAL
        }
    finally:
        logger.removeHandler(elsewhere)


@pytest.mark.parametrize("persons", [0, 5])
def test_a_record_comes_back_as_it_was_and_clips_are_not_copied(persons):
    pytest.importorskip("pyarrow", reason="lfb-lightning[ray] is not installed")
    generator = torch.Generator().manual_seed(1)
    clips = torch.randint(0, 256, (2, 3, 4, 8, 10), dtype=torch.uint8, generator=generator)
    rois = torch.rand(persons, 5, generator=generator)
    table = to_table(Record("a|b", 7, {"clips": clips, "rois": rois}))
    found = from_table(table)
    assert (found.video_id, found.number, found.failure, found.is_fault) == ("a|b", 7, "", False)
    assert found.tensors.keys() == {"clips", "rois"}
    torch.testing.assert_close(found.tensors["clips"], clips, rtol=0, atol=0)
    torch.testing.assert_close(found.tensors["rois"], rois, rtol=0, atol=0)
    assert found.tensors["clips"].data_ptr() == clips.data_ptr()
    assert from_table(table.slice(0, 0)) is None


def test_tables_of_batches_and_of_failures_have_one_schema():
    pytest.importorskip("pyarrow", reason="lfb-lightning[ray] is not installed")
    batch = to_table(Record("a", 0, {"features": torch.rand(3, 4)}))
    failure = to_table(Record("a", 1, {}, failure="it was cut off"))
    assert batch.schema == failure.schema
    assert from_table(failure).failure == "it was cut off"
