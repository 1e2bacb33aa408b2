"""A packed bank is written to S3 and to Google's storage (moto) and read from there, and a broken upload is never a bank."""

import os
import subprocess
import sys
from datetime import timedelta

import obstore
import pytest
from obstore.store import from_url

from lfb_lightning.bank import FeatureBank
from lfb_lightning.bank.packed.packing import pack, unpack
from lfb_lightning.bank.verify import verify
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects import store
from lfb_lightning.files.objects.url import place_of
from tests import moto_server
from tests.bank.packed_banks import IDS, files, random_bank
from tests.bank.test_packed import TINY, same_windows


@pytest.fixture
def set_address(moto, tmp_path, monkeypatch):
    """Points the environment at an address; moto's to begin with."""

    def use(address=None):
        for name, value in moto.environment(address).items():
            monkeypatch.setenv(name, value)

    soon = {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=2)}
    monkeypatch.setattr(store, "RETRIES", {"max_retries": 1, "backoff": soon})
    monkeypatch.setenv("LFB_CACHE_DIR", str(tmp_path / "cache"))
    use()
    return use


@pytest.fixture
def set_google(set_address, moto, tmp_path, monkeypatch):
    """The environment in which gs:// is the same server."""
    for name, value in moto.google_environment(tmp_path).items():
        monkeypatch.setenv(name, value)


def objects(url):
    opened = from_url(url, client_options={"allow_http": True})
    names = [entry["path"] for part in obstore.list(opened) for entry in part]
    return {name: bytes(obstore.get(opened, name).bytes()) for name in names}


def refused(act, place, why):
    with pytest.raises(InputError, match=why) as error:
        act(place)
    assert "\n" not in str(error.value)
    assert "secret-of-the-test" not in str(error.value)


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_bank_packed_to_a_url_is_the_one_packed_to_a_folder(set_google, tmp_path, scheme):
    bank, url = random_bank(tmp_path / "folder", failed={"lost": "no such file"}), f"{scheme}://bucket/new_{scheme}/val"
    pack(bank, tmp_path / "packed", shard_mb=TINY)
    pack(bank, place_of(url), shard_mb=TINY)
    assert objects(url) == files(tmp_path / "packed")
    there = FeatureBank.open(url)
    same_windows(bank, there)
    assert [entry for entry in verify(there) if entry.problem] == []
    unpack(there, tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "folder")


@pytest.mark.parametrize("scheme", ["s3", "gs", "file"])
def test_packing_again_replaces_the_bank_and_leaves_others_alone(set_google, tmp_path, scheme):
    bank = random_bank(tmp_path / "folder")
    above = (tmp_path / "there").as_uri() if scheme == "file" else f"{scheme}://bucket/again_{scheme}"
    url = place_of(above)
    pack(bank, url / "deeper", shard_mb=TINY)
    pack(bank, url, shard_mb=TINY)
    before = objects(above)
    pack(bank, url, shard_mb=100)
    after = objects(above)
    pack(bank, tmp_path / "packed", shard_mb=100)
    deeper = {name for name in before if name.startswith("deeper/")}
    assert deeper
    assert {name: after[name] for name in deeper} == {name: before[name] for name in deeper}
    assert {name: content for name, content in after.items() if name not in deeper} == files(tmp_path / "packed")
    more = random_bank(tmp_path / "more", ids=[*IDS, "zz"])
    pack(more, url, shard_mb=TINY)  # these videos and another one
    same_windows(more, FeatureBank.open(url))
    with pytest.raises(InputError, match="holds 1 other videos, such as zz"):
        pack(bank, url, shard_mb=TINY)
    with pytest.raises(InputError, match="is another bank"):
        pack(random_bank(tmp_path / "other", channels=7), url, shard_mb=TINY)


def test_an_upload_that_breaks_off_is_no_bank_and_goes_on(set_address, moto, tmp_path):
    bank, url = random_bank(tmp_path / "folder", channels=2000), place_of("s3://bucket/broken/val")
    line = moto_server.Line(moto.port)
    set_address(line.address)
    pack(bank, place_of("s3://bucket/whole/val"), shard_mb=TINY)
    whole, lines = line.sent, list[str]()
    for _ in range(20):
        line.mend()
        line.cut_after(whole // 3)
        try:
            pack(bank, url, shard_mb=TINY)
        except InputError as error:
            lines.append(str(error))
        else:
            break
        set_address()
        if "manifest.json" not in objects(url.text):
            with pytest.raises(InputError, match=r"has no manifest\.json"):
                FeatureBank.open(url)
        else:  # only its end, removing strays, was missing
            same_windows(bank, FeatureBank.open(url))
        set_address(line.address)
    assert 3 <= len(lines) < 20  # what had arrived was not sent again
    assert all("(no whole answer came from" in text and "\n" not in text for text in lines)
    line.close()
    set_address()
    assert objects(url.text) == objects("s3://bucket/whole/val")


def test_each_failure_of_a_store_is_one_line(set_address, moto, tmp_path):
    bank = random_bank(tmp_path / "folder")
    here, nowhere = place_of("s3://bucket/lines/val"), place_of("s3://nobucket/val")
    for act in (lambda place: pack(bank, place), FeatureBank.open):
        refused(act, nowhere, r"s3://nobucket/val.*there is no such bucket: 404.*make it, or correct the URL")
        moto.check_keys_after(0)
        refused(act, here, r"refuses the key: 403.*check the keys in the environment")
        moto.check_keys_after(1e9)
        set_address("http://127.0.0.1:9")
        refused(act, here, r"no whole answer came from http://127.0.0.1:9\); check the connection")
        set_address()
    refused(FeatureBank.open, "file:///not/there", r"cannot be opened \(there is no such folder\); correct the path")


def test_a_video_that_is_gone_while_it_is_packed_is_named_and_nothing_arrives(tmp_path):
    bank, there = random_bank(tmp_path / "folder"), tmp_path / "there"
    (tmp_path / "folder" / "z.safetensors").unlink()
    refused(lambda place: pack(bank, place, shard_mb=TINY), place_of(there.as_uri()), r"z\.safetensors")
    assert not (there / "manifest.json").exists()


LIMITED = """
import resource, signal, sys
from lfb_lightning.bank import FeatureBank
from lfb_lightning.bank.packed.packing import pack
from lfb_lightning.files.objects.url import place_of
bank = FeatureBank.open(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
pack(bank, place_of(sys.argv[2]))
"""


def test_a_full_temporary_folder_is_named(tmp_path):
    random_bank(tmp_path / "folder")
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "folder"), (tmp_path / "there").as_uri()]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("lfb_lightning.errors.InputError")]
    assert f": {tmp_path / 'temporary'}" in line
    assert line.endswith("cannot be written (File too large); set TMPDIR.")
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path / "there" / "manifest.json").exists()
