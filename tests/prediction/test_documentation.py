"""`docs/predict.md`: its Python runs as it stands, and its JSON has the fields that are written."""

import json
import re
import shutil
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "predict.md").read_text()


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def fields(content):
    """All fields of a document, as paths; those of scores by action id have one name."""
    if isinstance(content, list):
        return set().union(*map(fields, content)) if content else set()
    if not isinstance(content, dict):
        return set()
    content = {"id" if name.isdigit() else name: value for name, value in content.items()}
    return set(content) | {f"{name}.{below}" for name, value in content.items() for below in fields(value)}


def test_python_runs_and_the_json_is_the_documented_one(checkpoint, video, tmp_path, monkeypatch, capsys):
    for name, fbo in (("nl", "nl"), ("baseline", "none")):
        path = tmp_path / "runs" / name / "checkpoints" / "best.ckpt"
        path.parent.mkdir(parents=True)
        shutil.copy(checkpoint(fbo, seed=1), path)
    shutil.copy(video, tmp_path / "walk.mp4")
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks("python"):
        exec(block, names)
    assert len(capsys.readouterr().out.splitlines()) == 20
    assert names["page"] == Path("shown/page.html")
    assert names["picture"].shape == names["frame"].shape
    assert (names["picture"] != names["frame"]).any()
    for name in ("walk.csv", "shown/video.mp4", "shown/overlay.mp4", "why.png"):
        assert Path(name).stat().st_size > 1000
    (documented,) = map(json.loads, blocks("json"))
    written = json.loads(Path("walk.json").read_text())
    assert (documented["format"], documented["version"]) == (written["format"], written["version"])
    compared = {"moments.persons.without", "moments.persons.without.id"}  # nothing is compared here
    assert fields(documented) - compared == fields(written)
    described = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE.split("```")[-1], re.MULTILINE))))
    below = {
        path for path in fields(documented) if path.split(".")[0] in ("video", "window", "actions") and "." in path
    }
    named = {path.split(".")[-1] for path in fields(documented) - below}
    assert named - {"persons", "id"} == described
