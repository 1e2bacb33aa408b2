"""Commands read videos in an object store as they read files."""

import obstore
import pytest
from obstore.store import from_url

from tests import moto_server
from tests.bank.packed_banks import files

pytestmark = pytest.mark.slow


@pytest.fixture
def videos(pipeline, tmp_path, monkeypatch):
    """mini-AVA's videos below a URL."""
    monkeypatch.setenv("LFB_CACHE_DIR", str(tmp_path / "cache"))
    with moto_server.serving() as server:
        server.make_bucket("bucket")
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        store = from_url("s3://bucket/videos", client_options={"allow_http": True})
        for path in (pipeline.mini_dir / "videos").iterdir():
            obstore.put(store, path.name, path)
        yield "s3://bucket/videos"


def test_extraction_from_a_url_writes_the_same_bank(pipeline, here, videos, tmp_path):
    extract = [*pipeline.overrides[:2], *pipeline.overrides[3:], "split=val", f"ckpt_path={pipeline.checkpoint}"]
    here("extract", *extract, f"data.video_dir={videos}", f"bank.dir={tmp_path}", f"hydra.run.dir={tmp_path / 'run'}")
    assert files(tmp_path / "val") == files(pipeline.bank_dir / "val")


@pytest.mark.thorough
def test_loader_workers_read_a_url(pipeline, console, videos, tmp_path):
    common = [*pipeline.overrides[:2], pipeline.overrides[3], f"data.video_dir={videos}", "data.num_workers=2"]
    extract = [*common, "split=val", f"ckpt_path={pipeline.checkpoint}", f"bank.dir={tmp_path}"]
    console("extract", *extract, f"hydra.run.dir={tmp_path / 'run'}")
    assert files(tmp_path / "val") == files(pipeline.bank_dir / "val")
    train = [*common, "fbo=none", "trainer.max_epochs=1", f"hydra.run.dir={tmp_path / 'train'}"]
    console("train", *train)
    assert (tmp_path / "train" / "metrics.json").is_file()
