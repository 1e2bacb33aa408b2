"""Pictures of a report from videos in an object store: from a URL that the user types, never from one that a file holds."""

import obstore
import pytest
from obstore.store import from_url

from lfb_lightning.errors import InputError
from lfb_lightning.reporting import write_report
from lfb_lightning.reporting.sources import sources_of_run
from tests.reporting import example


@pytest.fixture
def files(tmp_path):
    example.write_files(tmp_path)
    example.write_videos(tmp_path / "videos")
    return tmp_path


def pictures(run, page, **sources):
    """The pictures of the video `v`, by their seconds, and why one is not there."""
    write_report(page, runs=[run], sources=sources, pictures=10)
    data = example.data_of(page)
    cards = {
        card["second"]: data["pictures"][card["picture"]] for card in data["frames"][0]["best"] if card["video"] == "v"
    }
    assert cards.keys() == {902.0, 910.0}
    return cards


def test_a_typed_url_shows_what_a_folder_shows(files, moto, monkeypatch, tmp_path):
    for name, value in {**moto.environment(), "LFB_CACHE_DIR": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    obstore.put(from_url("s3://bucket/clips", client_options={"allow_http": True}), "v.avi", files / "videos" / "v.avi")
    run = example.write_test_run(files / "run", files, example.FIRST)
    local = pictures(run, files / "local.html")
    assert pictures(run, files / "far.html", videos="s3://bucket/clips") == local
    assert all(one["jpeg"] is not None for one in local.values())
    lost = pictures(run, files / "lost.html", videos="s3://bucket/elsewhere")
    assert all("s3://bucket/elsewhere/v: no object with one of the endings" in one["why"] for one in lost.values())


@pytest.mark.parametrize(("source", "key"), [("video", "video_dir"), ("cache", "cache_dir")])
def test_a_stored_url_makes_no_connection(files, server, monkeypatch, source, key):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.address)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    run = example.write_test_run(files / "run", files, example.FIRST, **{"source": source, key: "s3://bucket/clips"})
    shown = pictures(run, files / "page.html")
    said = "the run had its videos at 's3://bucket/clips'; a report looks there only if you say videos=URL."
    assert {one["why"] for one in shown.values()} == {said}
    assert server.begins == []


@pytest.mark.parametrize("url", ["http://place/videos", "s3://key:secret@bucket/videos"])
def test_another_url_is_refused_in_a_line(files, url):
    run = example.write_test_run(files / "run", files, example.FIRST)
    with pytest.raises(InputError, match=r"^video (http|s3)://\.\.\.: ") as refused:
        write_report(files / "page.html", runs=[run], sources={"videos": url})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(("typed", "source"), [("s3://bucket/frames", "cache"), ("s3://bucket/videos", "video")])
def test_a_cache_is_read_as_one_only_where_the_run_had_it(typed, source):
    stored = sources_of_run({"data": {"source": "cache", "cache_dir": "s3://bucket/frames"}})
    assert stored.overlaid({"videos": typed}).library("v").source == source
