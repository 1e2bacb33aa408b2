"""A packed bank in an object store has the folder's windows, or says in one line why not."""

import pickle
from datetime import timedelta

import pytest

from lfb_lightning.bank import BankWriter, FeatureBank, WindowSpec
from lfb_lightning.bank.packed import remote
from lfb_lightning.bank.packed.packing import pack, unpack
from lfb_lightning.bank.verify import verify
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects import block_cache, store
from lfb_lightning.structures import Keyframe
from tests.bank.packed_banks import IDS, files, random_bank
from tests.bank.range_server import serving
from tests.bank.test_packed import TINY, same_windows
from tests.bank.test_window import provenance

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LFB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(block_cache, "BLOCK", 512)
    monkeypatch.setattr(remote, "BLOCK", 512)
    return tmp_path / "cache"


@pytest.fixture
def served(tmp_path, cache, monkeypatch):
    """The folder's bank, the objects of the packed one, and its URL."""
    bank = random_bank(tmp_path / "folder")
    pack(bank, tmp_path / "packed", shard_mb=TINY)
    with serving({f"banks/val/{name}": content for name, content in files(tmp_path / "packed").items()}) as (
        objects,
        address,
    ):
        for name, value in {
            "AWS_ENDPOINT_URL": address,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        soon = {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=2)}
        monkeypatch.setattr(store, "RETRIES", {"max_retries": 1, "backoff": soon})
        yield bank, objects, "s3://bucket/banks/val"


@pytest.mark.parametrize("gigabytes", ["0", "1"])
def test_windows_from_a_server_are_those_of_the_folder(served, gigabytes, monkeypatch):
    monkeypatch.setenv("LFB_CACHE_GB", gigabytes)
    bank, objects, url = served
    there = FeatureBank.open(url)
    same_windows(bank, there)
    same_windows(bank, pickle.loads(pickle.dumps(there)))
    assert there.videos == bank.videos
    before = len(objects.requests)
    same_windows(bank, FeatureBank.open(url))
    again = [name.rpartition("/")[2] for name, _ in objects.requests[before:]]
    if gigabytes == "1":
        assert again == ["manifest.json"]  # all else is in the cache
    else:
        assert not any(name.endswith(".idx") for name in again)


def test_a_window_is_one_request_and_those_of_a_batch_are_made_at_once(served, monkeypatch):
    monkeypatch.setenv("LFB_CACHE_GB", "0")
    _, objects, url = served
    there = FeatureBank.open(url)
    keyframes = [Keyframe(video_id, 910) for video_id in IDS if video_id != "empty"]
    there.windows(keyframes, WindowSpec.of_seconds(6, 2))
    objects.requests.clear()
    objects.delay, objects.most_at_once = 0.2, 0
    window = there.windows(keyframes, WindowSpec.of_seconds(6, 2))
    filled = int(window.mask.any(dim=1).sum())
    assert filled > 2
    assert len(objects.requests) == filled
    assert objects.most_at_once == filled


def test_a_broken_connection_is_tried_again_and_then_one_line(served, monkeypatch):
    monkeypatch.setenv("LFB_CACHE_GB", "0")
    bank, objects, url = served
    there = FeatureBank.open(url)
    objects.faults = ["drop", "error", "drop"]
    same_windows(bank, there)
    assert objects.faults == []
    objects.faults = ["drop"] * 1000
    at = Keyframe("z", 910)
    with pytest.raises(InputError, match=r"bank shard s3://bucket/banks/val/0.*shard, video z: cannot be read") as told:
        there.window(at, WindowSpec())
    assert "\n" not in str(told.value)
    assert len(objects.faults) > 900  # a limit
    objects.faults = []
    objects.content = {name: content for name, content in objects.content.items() if not name.endswith(".shard")}
    with pytest.raises(InputError, match="video z: cannot be read"):
        there.window(at, WindowSpec())


def test_a_spoilt_or_full_cache_changes_no_window(served, cache, monkeypatch):
    bank, _, url = served
    monkeypatch.setenv("LFB_CACHE_GB", "0.000004")
    same_windows(bank, FeatureBank.open(url))
    kept = list(cache.rglob("*.shard"))
    assert sum(512 * path.stat().st_blocks for path in kept) <= 2 * 4096 + 4000
    monkeypatch.setenv("LFB_CACHE_GB", "1")
    same_windows(bank, FeatureBank.open(url))
    for path in cache.rglob("*.shard"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    for path in list(cache.rglob("*.blocks"))[:1]:
        path.write_bytes(path.read_bytes()[:-3])
    same_windows(bank, FeatureBank.open(url))


@pytest.mark.parametrize("spoil", [lambda text: text[:-1] + bytes([text[-1] ^ 1]), lambda text: text[:-3]])
def test_a_damaged_index_in_the_cache_is_fetched_again(served, cache, spoil):
    bank, objects, url = served
    same_windows(bank, FeatureBank.open(url))
    (index,) = cache.rglob("*.idx")
    whole = index.read_bytes()
    index.write_bytes(spoil(whole))
    objects.requests.clear()
    there = FeatureBank.open(url)
    assert index.read_bytes() == whole
    assert there.videos == bank.videos
    assert "not there" not in there
    FeatureBank.open(url)
    assert [name for name, _ in objects.requests if name.endswith(".idx")] == [f"banks/val/{index.name}"]


def test_what_is_no_packed_bank_is_refused(served, cache):
    _, objects, _ = served
    with pytest.raises(InputError, match=r"s3://bucket/else: has no manifest\.json"):
        FeatureBank.open("s3://bucket/else")
    with pytest.raises(InputError, match="expected a folder, or a URL of s3, gs, az, file"):
        FeatureBank.open("ftp://bucket/else")
    with pytest.raises(InputError, match="expected three slashes and an absolute path, such as file:///banks;"):
        FeatureBank.open("file://banks/fp16/val")
    with pytest.raises(InputError, match=r"s3://\.\.\.: holds more than a place") as told:
        FeatureBank.open("s3://user:secret@bucket/else")
    assert "secret" not in str(told.value)
    with pytest.raises(InputError, match=r"s3://\.\.\.: holds more than a place") as told:
        FeatureBank.open("s3://:secret@bucket/else")
    assert "secret" not in str(told.value)
    with pytest.raises(InputError, match=r"bank s3://\.\.\.: is no URL"):
        FeatureBank.open("s3://[bucket/else")
    objects.content["one/manifest.json"] = (cache.parent / "folder" / "manifest.json").read_bytes()
    with pytest.raises(InputError, match="needs a packed one: lfb-bank pack"):
        FeatureBank.open("s3://bucket/one/")
    with pytest.raises(InputError, match="is no folder; write the bank into one"):
        BankWriter("s3://bucket/new", provenance())
    name = next(name for name in objects.content if name.endswith(".idx"))
    index = objects.content[name]
    objects.content[name] = index[:-1] + b"?"
    with pytest.raises(InputError, match="has changed since it was written"):
        FeatureBank.open("s3://bucket/banks/val")
    objects.content[name] = index + bytes(1000)
    with pytest.raises(InputError, match=rf"idx: has {len(index) + 1000:,} bytes, expected {len(index):,} at most"):
        FeatureBank.open("s3://bucket/banks/val")


def test_files_as_an_object_store(tmp_path, cache):
    bank = random_bank(tmp_path / "folder", precision="int8")
    pack(bank, tmp_path / "packed", shard_mb=TINY)
    there = FeatureBank.open((tmp_path / "packed").as_uri())
    same_windows(bank, there)
    assert [entry for entry in verify(there) if entry.problem] == []
    unpack(there, tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "folder")
    next((tmp_path / "packed").glob("*.shard")).unlink()
    assert "it is missing" in {entry.problem for entry in verify(there)}


def test_the_login_of_an_endpoint_is_in_no_message(monkeypatch):
    monkeypatch.setattr(store, "RETRIES", {"max_retries": 0, "retry_timeout": timedelta(seconds=1)})
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "other", "AWS_REGION": "us-east-1"}
    for name, value in {
        "AWS_ENDPOINT_URL": "http://user:secret@127.0.0.1:9",
        "AWS_ALLOW_HTTP": "true",
        **keys,
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"no whole answer came from http://127\.0\.0\.1:9\)") as told:
        store.ObjectStore("s3://bucket/else").stated("v", what="video v")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "allows", "environment"),
    [
        ("s3://bucket/x", "AWS_ALLOW_HTTP", {"AWS_ENDPOINT_URL": NOWHERE, "AWS_REGION": "us-east-1"}),
        (
            "az://container/x",
            "AZURE_ALLOW_HTTP",
            {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ENDPOINT": NOWHERE},
        ),
    ],
)
def test_an_endpoint_without_encryption_is_asked_where_the_store_s_own_variable_allows_it(
    url, allows, environment, monkeypatch
):
    monkeypatch.setattr(store, "RETRIES", {"max_retries": 0, "retry_timeout": timedelta(seconds=1)})
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "other", "AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}
    for name, value in {**environment, **keys}.items():
        monkeypatch.setenv(name, value)
    for name in {"AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP"} - {allows}:
        monkeypatch.setenv(name, "true")  # another store's
    monkeypatch.delenv(allows, raising=False)
    with pytest.raises(
        InputError, match=rf"{NOWHERE} is not encrypted\); AWS_ALLOW_HTTP=true \(GOOGLE_ALLOW_HTTP, AZURE_"
    ):
        store.ObjectStore(url).stated("v", what="video v")
    monkeypatch.setenv(allows, "true")
    with pytest.raises(InputError, match=rf"no whole answer came from {NOWHERE}\)"):
        store.ObjectStore(url).stated("v", what="video v")
