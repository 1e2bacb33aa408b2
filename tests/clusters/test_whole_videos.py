"""`lfb-detect engine=ray` and `lfb-predict engine=ray`: whole videos on actors, and what one process makes of them."""

import shutil

import pytest

from lfb_lightning.mini_ava.drawing import SIZE
from tests.cli.in_process import run
from tests.persons.onnx_models import color_detector

pytestmark = pytest.mark.slow


@pytest.fixture
def videos(pipeline, tmp_path):
    """Three videos, and one that is none."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for path in sorted((pipeline.mini_dir / "videos").glob("mini-val-*"))[:3]:
        shutil.copy(path, folder)
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


def on(cluster):
    return ["engine=ray", f"engine.address={cluster.address}", "engine.actors=1"]


def test_persons_are_those_of_one_process(two_nodes, videos, tmp_path):
    weights = color_detector(tmp_path / "colors.onnx", height=SIZE, width=SIZE)
    given = [f"videos={videos}", "persons=onnx", f"persons.weights={weights}"]
    here = run("detect", *given, "out=here.csv", folder=tmp_path)
    there = run("detect", *given, "out=there.csv", *on(two_nodes), folder=tmp_path)
    assert here.status == there.status == 1  # of the broken one
    assert "Traceback" not in there.stderr, there.stderr
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    failed = [line for line in here.stdout.splitlines() if line.startswith("no proposals of broken")]
    assert failed
    assert failed[0] in there.stdout
    parts = [sorted(path.name for path in (tmp_path / f"{name}.csv.parts").iterdir()) for name in ("here", "there")]
    assert parts[0] == parts[1]


@pytest.mark.thorough
def test_predictions_are_those_of_one_process(two_nodes, pipeline, videos, tmp_path):
    proposals = pipeline.mini_dir / "mini_ava_val_proposals.csv"
    given = [f"video={videos}", f"ckpt_path={pipeline.checkpoint}", "persons=boxes", f"persons.proposals={proposals}"]
    given += ["persons.origin_second=900", "overlay=false", "page=false", "num_threads=1"]
    here = run("predict", *given, "out=here", f"bank.dir={tmp_path / 'bank_here'}", folder=tmp_path)
    more = [f"bank.dir={tmp_path / 'bank_there'}", *on(two_nodes)]
    there = run("predict", *given, "out=there", *more, folder=tmp_path)
    assert here.status == there.status == 1  # of the broken one
    assert "Traceback" not in there.stderr, there.stderr
    assert "3 of 4 videos predicted" in there.stdout
    reason = next(line for line in here.stdout.splitlines() if line.startswith("not predicted: "))
    assert reason in there.stdout
    names = sorted(path.relative_to(tmp_path / "here") for path in (tmp_path / "here").rglob("detections.*"))
    assert len(names) == 6
    for name in names:
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes(), name
    banks = [
        {path.name: path.read_bytes() for path in (tmp_path / name / "videos").iterdir()}
        for name in ("bank_here", "bank_there")
    ]
    assert banks[0] == banks[1]
    again = run("predict", *given, "out=there", *more, folder=tmp_path)
    assert again.stdout.count(": was there") == 3
