"""`lfb-data`: downloads from a real server, cuts of real video, other tools' annotations; mistakes are one line."""

import numpy as np
import pytest

from lfb_lightning.ava.downloading import ANNOTATION_FILES, fetch
from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.video import FrameFolder, VideoFile
from lfb_lightning.video.cutting import extract_frames
from tests.cli.in_process import run
from tests.scripts.test_data_scripts import CVAT
from tests.video.test_frames import constant, read_number, write_video

CONTENT = bytes(range(256)) * 10


def test_downloads_go_on_where_they_broke_off(server, tmp_path):
    (tmp_path / "site" / "trainval" / "a.mp4").write_bytes(CONTENT)
    (tmp_path / "names.txt").write_text("a.mp4\n")
    (tmp_path / "data" / "movies").mkdir(parents=True)
    (tmp_path / "data" / "movies" / ".a.mp4.part").write_bytes(CONTENT[:1024])
    arguments = ["download", "what=videos", "names=names.txt", f"base={server.address}", "to=data"]
    done = run("data", *arguments, folder=tmp_path)
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-2:] == [
        "next: lfb-data cut movies=data/movies to=data/videos",
        "or, to read the whole movies: data.video_dir=data/movies data.origin_second=0 in every command",
    ]
    assert (tmp_path / "data" / "movies" / "a.mp4").read_bytes() == CONTENT
    assert run("data", *arguments, folder=tmp_path).status == 0
    assert server.begins == [1024]  # the second run asked for nothing


def test_what_had_come_whole_needs_its_name_only_and_what_is_too_long_begins_anew(server, tmp_path):
    (tmp_path / "site" / "a").write_bytes(CONTENT)
    part = tmp_path / ".a.part"
    part.write_bytes(CONTENT)
    assert fetch(f"{server.address}/a", tmp_path / "a") is None
    assert (tmp_path / "a").read_bytes() == CONTENT
    (tmp_path / "a").unlink()
    part.write_bytes(CONTENT + b"of another file")
    assert "run again" in fetch(f"{server.address}/a", tmp_path / "a")
    assert fetch(f"{server.address}/a", tmp_path / "a") is None
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_file_that_breaks_off_or_is_missing_gets_no_name_and_fails_the_command(server, tmp_path):
    (tmp_path / "site" / "trainval" / "a.mp4").write_bytes(CONTENT)
    (tmp_path / "names.txt").write_text("a.mp4\nmissing.mp4\n")
    server.stop = 1000
    arguments = ["download", "what=videos", "names=names.txt", f"base={server.address}", "to=data"]
    done = run("data", *arguments, folder=tmp_path)
    assert done.status == 1
    assert "[1/2] a.mp4: " in done.stdout
    assert "run again to go on" in done.stdout
    assert "[2/2] missing.mp4: HTTP Error 404" in done.stdout
    assert not list((tmp_path / "data" / "movies").glob("[!.]*"))
    server.stop = None
    (tmp_path / "site" / "trainval" / "missing.mp4").write_bytes(b"there")
    assert run("data", *arguments, folder=tmp_path).status == 0
    assert (tmp_path / "data" / "movies" / "a.mp4").read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "a/b.mp4", ".hidden", "a b.mp4?x=1"])
def test_a_list_names_files_of_its_folder_only(name, server, tmp_path):
    (tmp_path / "names.txt").write_text(f"a.mp4\n{name}\n")
    done = run("data", "download", "what=videos", "names=names.txt", f"base={server.address}", "to=d", folder=tmp_path)
    assert done.status == 1
    assert "expected a file name per line" in done.message
    assert server.begins == []


def test_addresses_are_printed_and_a_list_that_cannot_be_had_is_one_line(server, tmp_path):
    done = run("data", "download", "what=annotations", "list=true", folder=tmp_path)
    assert done.stdout.split() == list(ANNOTATION_FILES)
    assert len(ANNOTATION_FILES) == 13
    assert list(tmp_path.iterdir()) == [tmp_path / "site"]
    done = run("data", "download", "what=videos", f"base={server.address}", folder=tmp_path)
    assert (done.status, done.stderr.count("\n")) == (1, 1)
    assert "HTTP Error 404" in done.message


@pytest.mark.parametrize("jobs", [1, 2])
def test_cuts_and_frames_are_the_movies_frames(jobs, tmp_path):
    (tmp_path / "movies").mkdir()
    write_video(tmp_path / "movies" / "a.mkv", constant(25, 8))
    (tmp_path / "movies" / "broken.mp4").write_bytes(b"no video")
    arguments = ["cut", "movies=movies", "to=cuts", "start=2", "length=4", "frames=frames", "fps=10", f"jobs={jobs}"]
    done = run("data", *arguments, folder=tmp_path)
    assert done.status == 1
    assert done.stdout.splitlines()[0] == "[1/2] a: ok"
    assert done.stdout.splitlines()[1].startswith("[2/2] broken: video movies/broken.mp4: ")
    times = np.array([0.0, 1.0, 3.96])
    assert [read_number(frame) for frame in VideoFile(tmp_path / "cuts" / "a.mp4").clip(times)] == [50, 75, 149]
    folder = FrameFolder(tmp_path / "frames" / "a", fps=10.0)
    assert [read_number(frame) for frame in folder.clip(np.array([0.0, 1.0, 2.0]))] == [50, 75, 100]
    before = (tmp_path / "cuts" / "a.mp4").stat().st_mtime_ns
    run("data", *arguments, folder=tmp_path)
    assert (tmp_path / "cuts" / "a.mp4").stat().st_mtime_ns == before


def test_pictures_of_a_try_that_broke_off_are_not_those_of_the_next(tmp_path):
    write_video(tmp_path / "v.mp4", constant(25, 2))
    old = tmp_path / "frames" / ".v.part"
    old.mkdir(parents=True)
    (old / "v_000099.jpg").write_bytes(b"old")
    extract_frames(tmp_path / "v.mp4", tmp_path / "frames" / "v", 4.0)
    names = {path.name for path in (tmp_path / "frames" / "v").iterdir()}
    assert "v_000008.jpg" in names
    assert "v_000099.jpg" not in names


def test_a_movie_that_ends_before_the_cut_leaves_nothing(tmp_path):
    (tmp_path / "movies").mkdir()
    write_video(tmp_path / "movies" / "short.mkv", constant(25, 2))
    done = run("data", "cut", "movies=movies", "to=cuts", folder=tmp_path)
    assert "[1/1] short: movies/short.mkv: ends before second 900." in done.stdout
    assert list((tmp_path / "cuts").iterdir()) == []


def test_annotations_are_converted_and_ids_stay(tmp_path):
    (tmp_path / "a.xml").write_text(CVAT)
    (tmp_path / "b.xml").write_text(CVAT.replace("shop", "yard").replace(">stand<", ">bend<"))
    first = run("data", "convert", "from=cvat", "annotations=a.xml", "to=a", "fps=25", folder=tmp_path)
    assert first.status == 0, first.stderr
    assert "label_map=a/action_list.pbtxt" in first.stdout  # as it is typed here
    more = ["annotations=[a.xml,b.xml]", "label_map=a/action_list.pbtxt", "origin_second=10"]
    assert run("data", "convert", "from=cvat", *more, "to=b", "fps=25", folder=tmp_path).status == 0
    assert read_label_map(tmp_path / "b" / "action_list.pbtxt").names == {1: "stand", 2: "walk", 3: "bend"}
    rows = (tmp_path / "b" / "annotations.csv").read_text().splitlines()
    assert sorted(row.split(",")[0] + row.split(",")[6] for row in rows) == ["shop1", "shop2", "yard2", "yard3"]
    assert {row.split(",")[1] for row in rows} == {"0011"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no action, expected lfb-data download|cut|convert key=value"),
        (["downlod"], "unknown action 'downlod', did you mean download?"),
        (["download"], "what is not set; `lfb-data --help` shows"),
        (["download", "what=movies"], "what"),
        (["cut", "movies=none", "to=cuts"], "none: cannot be read"),
        (["cut", "movies=.", "to=cuts"], ".: no video files (.avi, .mkv, .mov, .mp4, .webm)"),
        (["cut", "movies=.", "to=cuts", "fps=0"], "fps is 0, expected a number above 0"),
        (["convert", "from=vott", "annotations=a", "to=b"], "from is 'vott', expected one of cvat, coco, labelstudio"),
        (["convert", "from=cvat", "annotations=[]", "to=b"], "annotations is empty"),
        (["convert", "from=cvat", "annotations=-no", "to=b", "fps=25"], "-no: no such file"),
        (["convert", "from=coco", "annotations=a.json", "to=b", "fps=x"], "fps="),
    ],
)
def test_a_mistake_is_one_line(arguments, said, tmp_path):
    (tmp_path / "a.json").write_text("{}")
    done = run("data", *arguments, folder=tmp_path)
    assert done.status == 1
    assert said in done.message
    assert done.stderr.count("\n") == 1
