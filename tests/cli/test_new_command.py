"""`lfb-new`: a project folder that composes and is read, from nothing and from another tool's export."""

import hashlib
import json
import re
import shlex

import pytest

from lfb_lightning.ava.annotations import read_annotations
from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.structures import Keyframe
from tests.cli.in_process import run

CSV = "video_id,second,x1,y1,x2,y2,action,person\n"


def new(folder, *arguments, status=0):
    done = run("new", *arguments, folder=folder)
    assert done.status == status, done.stdout + done.stderr
    return done


def rows_of(folder, split):
    annotations = folder / "annotations"
    return read_annotations(annotations / f"{split}.csv", read_label_map(annotations / "action_list.pbtxt"))


def test_ten_example_rows_are_read_and_every_box_is_a_proposal(tmp_path):
    done = new(tmp_path, "fencing")
    assert done.stdout.splitlines()[-1] == "next: cd fencing && lfb-check --config-dir conf data=fencing"
    folder = tmp_path / "fencing"
    tables = {split: rows_of(folder, split) for split in ("train", "val")}
    assert sum(len(table.rows) for table in tables.values()) == 10
    for split, table in tables.items():
        persons = read_proposals(folder / "annotations" / f"{split}_persons.csv")
        assert persons.keyframes == table.keyframes
        for keyframe in table.keyframes:
            found = persons.above(keyframe, 0.99)
            assert found.boxes.tolist() == table[keyframe].boxes.tolist()
    assert (folder / "fencing_modules" / "__init__.py").read_text().startswith('"""')


def test_example_rows_are_among_the_used_seconds_of_another_origin(tmp_path):
    new(tmp_path, "fencing", "origin_second=900.5")
    assert "first_second: 901 " in (tmp_path / "fencing/conf/data/fencing.yaml").read_text()
    seconds = sorted({keyframe.timestamp for keyframe in rows_of(tmp_path / "fencing", "train").keyframes})
    assert seconds == [903, 904, 905, 906, 907]


@pytest.mark.parametrize("name", ["on", "No"])
def test_a_name_that_configurations_cannot_be_chosen_by_is_refused(name, tmp_path):
    assert "YAML" in new(tmp_path, name, status=1).stderr
    assert not (tmp_path / name).exists()


def test_its_commands_compose_in_its_folder(tmp_path):
    new(tmp_path, "fencing")
    folder = tmp_path / "fencing"
    blocks = re.findall(r"```bash\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    commands = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert [command[0] for command in commands[:6]] == [
        "lfb-check", "lfb-train", "lfb-extract", "lfb-extract", "lfb-train", "lfb-test",
    ]  # fmt: skip
    for name, *arguments in commands[:2]:  # tests/test_your_data.py runs all of them
        done = run(name.removeprefix("lfb-"), *arguments, "--cfg", "job", "--resolve", folder=folder)
        assert done.status == 0, done.stderr
        assert "annotations: annotations/{split}.csv" in done.stdout
    assert "- fencing_modules" in done.stdout


def test_a_module_of_the_project_is_found(tmp_path):
    new(tmp_path, "fencing")
    folder = tmp_path / "fencing"
    (folder / "fencing_modules" / "__init__.py").write_text("class Nothing:\n    pass\n")
    done = run(
        "train", "--config-dir", "conf", "experiment=fencing", "fbo._target_=fencing_modules.Nothing", folder=folder
    )
    assert done.status == 1
    assert "Nothing has no 'latent_channels'" in done.message  # it was imported: its signature is what does not fit


@pytest.fixture
def clips(tmp_path, mini_dir):
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a", "b", "c", "d", "e", "f"):
        (folder / f"{name}.mp4").symlink_to(mini_dir / "videos" / "mini-val-000.mp4")
    return folder


def test_a_csv_is_split_by_the_hash_of_its_videos(tmp_path, clips):
    rows = [
        f"{name}.mp4,{second},0.1,0.1,0.5,0.9,{action},7\n"
        for name in "abcdef"
        for second, action in ((1, "sit"), (2, "run"))
    ]
    (tmp_path / "rows.csv").write_text(CSV + "".join(rows))
    done = new(tmp_path, "gym", "from=csv", "annotations=rows.csv", f"videos={clips}")
    expected = min("abcdef", key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    folder = tmp_path / "gym"
    assert {keyframe.video_id for keyframe in rows_of(folder, "val").keyframes} == {expected}
    assert len(rows_of(folder, "train").keyframes) == 10
    assert read_label_map(folder / "annotations" / "action_list.pbtxt").names == {1: "run", 2: "sit"}
    assert f"val: 2 rows in {expected}\n" in done.stdout
    checked = run("check", "--config-dir", "conf", "data=gym", folder=folder)
    assert checked.status == 0, checked.stdout
    assert json.loads((folder / "check" / "check.json").read_text())["splits"]["train"]["videos_found"] == 5


def test_avas_own_csv_keeps_its_ids_and_timestamps(tmp_path):
    (tmp_path / "ava.csv").write_text("v,0902,0.1,0.1,0.5,0.9,12,0\nv,0903,0.1,0.1,0.5,0.9,11,0\nw,0902,0,0,1,1,12,3\n")
    labels = 'item { name: "stand" id: 12 } item { name: "sit" id: 11 }'
    (tmp_path / "labels.pbtxt").write_text(labels)
    new(tmp_path, "film", "from=csv", "annotations=ava.csv", "label_map=labels.pbtxt", "origin_second=900")
    folder = tmp_path / "film"
    keyframes = [keyframe for split in ("train", "val") for keyframe in rows_of(folder, split).keyframes]
    assert sorted(keyframes) == [Keyframe("v", 902), Keyframe("v", 903), Keyframe("w", 902)]
    assert read_label_map(folder / "annotations" / "action_list.pbtxt").names == {11: "sit", 12: "stand"}
    text = (folder / "conf" / "data" / "film.yaml").read_text()
    assert "\norigin_second: 900.0 " in text
    assert "\nfirst_second: 902 " in text
    assert "\nlast_second: 903 " in text


def test_one_video_is_split_by_time(tmp_path):
    (tmp_path / "rows.csv").write_text(CSV + "".join(f"v,{second},0,0,1,1,sit,1\n" for second in range(10)))
    done = new(tmp_path, "one", "from=csv", "annotations=rows.csv")
    assert [keyframe.timestamp for keyframe in rows_of(tmp_path / "one", "val").keyframes] == [8, 9]
    assert "note: all rows are of one video" in done.stdout


CVAT = """<?xml version="1.0"?><annotations><version>1.1</version><meta><task><name>t</name><size>60</size>
<original_size><width>100</width><height>50</height></original_size><source>v.mp4</source></task></meta>
<track id="0" label="run"><box frame="25" xtl="10" ytl="5" xbr="50" ybr="45" outside="0" occluded="0" keyframe="1"/>
<box frame="50" xtl="10" ytl="5" xbr="50" ybr="45" outside="0" occluded="0" keyframe="1"/></track></annotations>"""


def test_cvat_asks_for_the_rate_in_this_commands_words(tmp_path):
    (tmp_path / "export.xml").write_text(CVAT)
    done = new(tmp_path, "gym", "from=cvat", "annotations=export.xml", status=1)
    assert re.fullmatch(r"lfb-new: export.xml.* per second with fps=\.", done.message)
    assert not (tmp_path / "gym").exists()
    new(tmp_path, "gym", "from=cvat", "annotations=export.xml", "fps=25")
    train = rows_of(tmp_path / "gym", "train")
    assert train.keyframes == [Keyframe("v", 1)]
    assert train[Keyframe("v", 1)].boxes.tolist() == [[0.1, 0.1, 0.5, 0.9]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no name given"),
        (["2nd"], "name is '2nd', expected a letter"),
        (["a/b"], "name is 'a/b'"),
        (["mini_ava"], "data=mini_ava is this package's own"),
        (["gym", "from=excel"], "from is 'excel', expected one of cvat, coco, labelstudio, via, csv"),
        (["gym", "from=csv"], "annotations=FILE"),
        (["gym", "annotations=rows.csv"], "from=cvat|coco"),
        (["gym", "from=csv", "annotations=none.csv"], "none.csv: no such file"),
        (["gym", "from=coco", "annotations=rows.csv"], "rows.csv"),
        (["gym", "from=csv", "annotations=rows.csv", "videos=nowhere"], "videos=nowhere: no such folder"),
        (["gym", "from=csv", "annotations=rows.csv", "videos=."], "no file with one of the endings"),
        (["gym", "from=csv", "annotations=pixels.csv"], "size=WIDTHxHEIGHT"),
        (["gym", "from=csv", "annotations=bare.csv"], "no column 'action'"),
        (["gym", "out=taken"], "taken: is there already"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line_and_leaves_nothing(arguments, message, tmp_path):
    (tmp_path / "rows.csv").write_text(CSV + "v,1,0.1,0.1,0.5,0.9,sit,1\nv,2,0.1,0.1,0.5,0.9,sit,1\n")
    (tmp_path / "pixels.csv").write_text(CSV + "v,1,10,10,50,90,sit,1\n")
    (tmp_path / "bare.csv").write_text("video_id,second,x1,y1,x2,y2\nv,1,0,0,1,1\n")
    (tmp_path / "taken").mkdir()
    before = sorted(tmp_path.rglob("*"))
    done = new(tmp_path, *arguments, status=1)
    assert message in done.message
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_finished_project_is_never_overwritten(tmp_path):
    new(tmp_path, "gym")
    (tmp_path / "gym" / "annotations" / "train.csv").write_text("mine")
    assert "is there already" in new(tmp_path, "gym", status=1).message
    assert (tmp_path / "gym" / "annotations" / "train.csv").read_text() == "mine"
