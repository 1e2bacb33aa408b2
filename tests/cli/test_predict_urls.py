"""`lfb-predict` on videos in S3 (moto): known by their URL and version, fetched once, and results only where `out` says."""

import json
import os

import obstore
import pytest
from obstore.store import from_url

from lfb_lightning.cli.predict_videos import find_videos, result_folders, video_id
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import place_of
from tests import moto_server
from tests.cli.in_process import run

URL = "s3://bucket/predicted"


@pytest.fixture
def line(moto, monkeypatch, tmp_path):
    """A line to the server that counts what comes from it."""
    counted = moto_server.Line(moto.port)
    for name, value in moto.environment(counted.address).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LFB_CACHE_DIR", str(tmp_path / "cache"))
    yield counted
    counted.close()


@pytest.fixture
def put(line):
    store = from_url(URL, client_options={"allow_http": True})

    def put(name, content):
        obstore.put(store, name, content)
        return f"{URL}/{name}"

    return put


@pytest.fixture
def predict(pipeline, tmp_path):
    """Runs the command on the whole frame of a video, without pictures."""

    def predict(*arguments):
        options = [f"ckpt_path={pipeline.checkpoint}", "persons=none", "overlay=false", "page=false"]
        done = run("predict", *options, *arguments, folder=tmp_path)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return predict


@pytest.fixture
def videos(pipeline):
    return sorted((pipeline.mini_dir / "videos").glob("mini-val-*"))


def copies(tmp_path):
    return list((tmp_path / "cache" / "fetched").rglob("*"))


def test_a_finished_video_is_known_by_its_url_and_a_replaced_one_is_predicted_anew(
    put, line, predict, videos, tmp_path, monkeypatch
):
    for name, video in zip("ab", videos, strict=False):
        assert predict(f"video={video}", f"out={name}").status == 0
    url = put("v.mp4", videos[0])
    assert predict(f"video={url}", "out=there").status == 0
    files = {name: (tmp_path / "there" / name) for name in ("detections.csv", "detections.json", "prediction.json")}
    tables = [
        (tmp_path / name / "detections.csv").read_text().replace(video.stem, "v")
        for name, video in zip("ab", videos, strict=False)
    ]
    assert tables[0] != tables[1]
    assert files["detections.csv"].read_text() == tables[0]
    assert json.loads(files["detections.json"].read_text())["video"]["file"] == url
    assert json.loads(files["prediction.json"].read_text())["video"] == url
    assert copies(tmp_path) == []
    monkeypatch.setenv("LFB_CACHE_DIR", str(tmp_path / "on another machine"))
    line.mend()
    again = predict(f"video={url}", "out=there")
    assert "there: was there" in again.stdout
    assert 0 < line.received < 5_000 < videos[0].stat().st_size  # its size and version alone
    put("v.mp4", videos[1])
    assert "was there" not in predict(f"video={url}", "out=there").stdout
    assert files["detections.csv"].read_text() == tables[1]
    other = predict(f"video={put('other.mp4', videos[0])}", "out=there")
    assert f"there holds the results of {url}: choose another out for {URL}/other.mp4" in other.message


def test_what_was_seen_of_a_url_is_taken_on_another_machine(put, predict, videos, tmp_path, monkeypatch):
    """The journal of a command whose results could not be written goes on where the copy has another path."""
    url = put("journal.mp4", videos[0])
    (tmp_path / "kept" / "detections.csv").mkdir(parents=True)
    assert "detections.csv: cannot be written" in predict(f"video={url}", "out=kept").message
    assert copies(tmp_path) == []
    (stretch,) = (tmp_path / "kept" / ".unfinished").iterdir()
    (tmp_path / "kept" / "detections.csv").rmdir()
    os.utime(stretch, (5, 5))
    monkeypatch.setenv("LFB_CACHE_DIR", str(tmp_path / "elsewhere"))
    (tmp_path / "kept" / "detections.json").mkdir()  # so that the journal is looked at before it goes
    assert "detections.json: cannot be written" in predict(f"video={url}", "out=kept").message
    assert stretch.stat().st_mtime == 5


def test_a_bad_object_is_named_by_its_url_and_leaves_no_copy(put, predict, videos, tmp_path):
    url = put("cut.mp4", videos[0].read_bytes()[:5000])
    done = predict(f"video={url}", "out=cut")
    assert done.status == 1
    assert f"video {url}: " in done.message
    assert "fetched" not in done.message
    assert copies(tmp_path) == []


def test_a_video_is_not_written_over_by_its_file_url(predict, videos, line, tmp_path):
    (tmp_path / "a b").mkdir()
    video = tmp_path / "a b" / "overlay.mp4"
    video.write_bytes(videos[0].read_bytes())
    done = predict(f"video={video.as_uri()}", f"out={tmp_path / 'a b'}", "overlay=true")
    assert "the results would be written over it" in done.message
    assert video.read_bytes() == videos[0].read_bytes()


def test_objects_whose_names_are_no_folders_write_nothing_outside_of_out(put, predict, videos, tmp_path):
    names = ["good.mp4", "...mp4", "._good.mp4", "a\\..\\..\\up.mp4", "C:drive.mp4", "class/c.mp4"]
    for name in names:
        put(f"names/{name}", videos[0])
    done = predict(f"video={URL}/names", "out=deep/er/shown")
    assert done.status == 1
    assert "1 of 3 videos predicted" in done.stdout
    assert (
        "video s3://bucket/predicted/names/a\\..\\..\\up.mp4: its name, a\\..\\..\\up.mp4, cannot be that of a folder"
        in (done.stdout)
    )
    assert sorted(path.name for path in (tmp_path / "deep" / "er" / "shown").iterdir()) == ["good"]
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["shown"]
    alone = predict(f"video={URL}/names/...mp4")
    assert "its name, ...mp4, cannot be that of a folder of results; rename it" in alone.message
    assert not (tmp_path / "prediction.json").exists()
    assert not (tmp_path / "predictions").exists()


def test_hidden_objects_of_a_prefix_are_left_out(put):
    for name in ("._a.mp4", "a.mp4", "...mp4"):
        put(f"hidden/{name}", b"x")
    assert list(map(str, find_videos(f"{URL}/hidden"))) == [f"{URL}/hidden/a.mp4"]


@pytest.mark.parametrize("name", ["...mp4", "a\\b.mp4", "..\\b.mp4", "C:x.mp4"])
def test_a_name_that_is_no_folder_is_refused(name):
    video = place_of(f"s3://bucket/v/{name}", "video")
    folder = result_folders([video], "out")[video]
    with pytest.raises(InputError, match="rename it"):
        video_id(video, folder)


@pytest.mark.parametrize("secret", ["", "key:word@"])
@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("predict", ["video=v.mp4", "out"]),
        ("predict", ["video=v.mp4", "bank.dir"]),
        ("predict", ["source=live.mp4", "out"]),
        ("detect", ["videos=.", "out"]),
        ("export", ["ckpt_path=a.ckpt", "out"]),
        ("import_weights", ["src=a.pth", "out"]),
        ("report", ["out"]),
        ("check", ["out"]),
        ("eval", ["out"]),
        ("eval", ["curves"]),
        ("new", ["name=mine", "out"]),
        ("bank inspect", ["folder=.", "out"]),
        ("data download", ["to"]),
        ("data cut", ["movies=.", "to"]),
        ("data cut", ["movies=.", "to=here", "frames"]),
        ("train", ["experiment=mini_ava", "hydra.run.dir"]),
    ],
)
def test_what_is_written_here_is_not_given_as_a_url(command, arguments, secret, tmp_path):
    *before, key = arguments
    program, *action = command.split()
    done = run(program, *action, *before, f"{key}=s3://{secret}bucket/there", folder=tmp_path)
    assert done.status == 1
    assert f"{key} is s3://...: that is no folder or file on this machine; give a path here" in done.message
    assert len(done.message.splitlines()) == 1
    assert "word" not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
