"""A model card says what the run says, of exactly these weights, and nothing of the machine; and what is not known."""

import json
import re
from pathlib import Path

import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from lfb_lightning.errors import InputError
from lfb_lightning.lightning.callbacks.best_evaluation import BestEvaluation
from lfb_lightning.models import load_detector, state_digest
from lfb_lightning.models.cards import card_text, is_edited
from lfb_lightning.models.cards.origins import began_with, license_of, origins_of
from lfb_lightning.models.cards.run_facts import with_figures
from lfb_lightning.models.imports.layouts import LAYOUTS
from lfb_lightning.models.loading import load_backbone
from tests.conftest import ROOT

SUMMARY = {
    "main_figure": "mAP",
    "mAP": 0.4321,
    "groups": {"long_term": 0.25},
    "per_class": {"1": 0.5, "2": 0.125, "4": None},
    "names": {"1": "stand", "2": "sit <b>", "4": "answer phone"},
    "num_ground_truth": {"1": 7, "2": 11, "4": 0},
}
RUN = {
    "init_from": "/home/somebody/runs/baseline/best.ckpt",
    "optim": {
        "optimizer": {"_target_": "torch.optim.SGD", "_partial_": True, "momentum": 0.9},
        "lr": 0.075,
        "base_batch_size": 64,
        "milestones": [10, 15],
        "schedule": None,
    },
    "trainer": {"max_epochs": 20, "precision": "bf16-mixed", "default_root_dir": "/home/somebody/runs"},
    "data": {
        "_target_": "lfb_lightning.datasets.AvaDataset",
        "annotations": "/home/somebody/ava_{split}_v2.1.csv",
        "label_map": "C:\\Users\\somebody\\labels.pbtxt",
        "batch_size": 12,
        "num_frames": 4,
        "fps": 25.0,
    },
}


def evaluated(step, summary=SUMMARY):
    """What `BestEvaluation` leaves in a checkpoint, from the class itself."""
    callback = BestEvaluation(lambda: summary)
    callback.score, callback.epoch, callback.step, callback.summary = summary["mAP"], 2, step, summary
    return {callback.state_key: callback.state_dict()}


@pytest.fixture
def run(checkpoints, tmp_path):
    """Writes a checkpoint of a run: its configuration, its step, and the step of the best validation."""

    def make(name="best.ckpt", *, step=300, best_step=300, config=None, metrics=None):
        content = torch.load(checkpoints["nl"], weights_only=True)
        stored = yaml.safe_load(content["hyper_parameters"]["config"])
        content["hyper_parameters"] = {"config": yaml.safe_dump({**stored, **(RUN if config is None else config)})}
        path = tmp_path / "runs" / "nl" / "checkpoints" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if metrics is not None:
            (path.parent.parent / "metrics.json").write_text(json.dumps(metrics))
        more = {"global_step": step, "callbacks": evaluated(best_step), "pytorch-lightning_version": "2.6.6"}
        torch.save({**content, **more}, path)
        return path

    return make


def card(path, tmp_path, **config):
    detector = load_detector(path)
    folder = detector.save_pretrained(
        tmp_path / "made", config={**detector.stored_config, **config}, checkpoint=path, overwrite=True
    )
    return (folder / "README.md").read_text()


def cells(text):
    """The rows of every table of a card, as a reader sees them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text.split("\n---\n", 1)[1])
    rows, inside = [], False
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
            inside = True
        elif token.type == "tr_close":
            inside = False
        elif token.type == "inline" and inside:
            rows[-1].append("".join(child.content for child in token.children))
    return rows


def test_the_facts_of_a_run(run, tmp_path):
    path = run()
    text = card(path, tmp_path, license="CC-BY-4.0", notes="first try")
    found = cells(text)
    for row in (
        ["annotations", "ava_{split}_v2.1.csv"],
        ["label_map", "labels.pbtxt"],
        ["score columns", "6"],
        ["clips.fps", "25"],
        ["data.batch_size", "12"],
        ["optimizer.name", "SGD"],
        ["optimizer.momentum", "0.9"],
        ["schedule.lr", "0.075"],
        ["schedule.milestones", "10, 15"],
        ["trainer.max_epochs", "20"],
        ["trainer.precision", "bf16-mixed"],
        ["mAP", "0.4321"],
        ["long_term", "0.2500"],
        ["stand", "0.5000", "7"],
        ["sit <b>", "0.1250", "11"],
    ):
        assert row in found
    assert not any(row[0] == "answer phone" for row in found)  # not annotated, so without a figure
    assert "Notes: first try" in text
    assert "epoch 2, step 300" in text
    assert f"`{state_digest(load_detector(path))}`" in text
    assert f"torch `{torch.__version__}`" in text
    assert "trained with pytorch-lightning `2.6.6`" in text
    assert "`best.ckpt`: its license is not known" in text
    data = ModelCard(text).data  # as the hub's own package reads it
    assert (data.license, data.library_name, data.pipeline_tag) == (
        "cc-by-4.0",
        "lfb-lightning",
        "video-classification",
    )
    assert data.datasets == ["ava_v2.1"]
    assert [(one.metric_type, one.metric_value, one.dataset_split) for one in data.eval_results] == [
        ("mAP", 0.4321, "val"),
        ("long_term", 0.25, "val"),
    ]


def test_files_without_a_name_name_no_data_set_and_all_batches_are_no_limit(run, tmp_path):
    own = {"data": {**RUN["data"], "annotations": "annotations/{split}.csv"}}
    text = card(run(config={**RUN, **own, "trainer": {"max_epochs": 2, "limit_train_batches": 1.0}}), tmp_path)
    assert ModelCard(text).data.datasets is None  # else the Hub would link a data set that is called as our class
    assert ["read by", "AvaDataset"] in cells(text)
    assert "limit_train_batches" not in text
    shortened = {**RUN, "trainer": {"limit_train_batches": 1}}
    assert ["trainer.limit_train_batches", "1"] in cells(card(run(config=shortened), tmp_path / "shortened"))


def test_nothing_of_the_machine(run, tmp_path):
    text = card(run(), tmp_path) + (tmp_path / "made" / "config.json").read_text()
    for word in ("/home", "somebody", "Users", "C:", str(tmp_path), "/tmp", str(Path.home())):
        assert word not in text, word


def test_a_detector_without_a_run_says_what_is_not_known(checkpoints, tmp_path):
    detector = load_detector(checkpoints["none"])
    folder = detector.save_pretrained(tmp_path / "bare", config={"model": detector.stored_config["model"]})
    text = (folder / "README.md").read_text()
    for sentence in (
        "On which data it was trained is not known.",
        "## Recipe\n\nNot known.",
        "None: nothing that was measured on these weights is known.",
        "What it began with is not known.",
        "their publisher has not said under which license",
        "How good it is was not measured, or is not known here.",
    ):
        assert sentence in text
    data = ModelCard(text).data.to_dict()
    assert set(data) == {"library_name", "pipeline_tag", "tags"}


def figures(path, **given):
    detector = load_detector(path)
    return with_figures(detector.stored_config, detector, path, **given).get("figures")


def test_no_figure_of_another_checkpoint(run, tmp_path):
    assert figures(run())["values"] == {"mAP": 0.4321, "long_term": 0.25}
    assert figures(run("last.ckpt", step=301)) is None  # the best one's is in it, and it went on
    last = {**SUMMARY, "mAP": 0.3, "groups": {}, "checkpoint": "/elsewhere/last.ckpt", "epoch": 3, "step": 450}
    last |= {"best_mAP": 0.4321, "best": {**SUMMARY, "epoch": 2, "step": 300}}
    found = figures(run("last.ckpt", step=450, metrics=last))
    assert (found["values"], found["epoch"], found["step"]) == ({"mAP": 0.3}, 3, 450)
    for changed in (
        {"checkpoint": None},
        {"checkpoint": "/elsewhere/best.ckpt"},
        {"step": 449},
        {"best_mAP": 0.4322},  # of another training in the same folder
        {"best": {**SUMMARY, "epoch": 2, "step": 150}},
        {"mAP": None},
    ):
        assert figures(run("last.ckpt", step=450, metrics={**last, **changed})) is None, changed


def test_the_figures_of_a_test(run, tmp_path):
    path, metrics = run("last.ckpt", step=301), tmp_path / "metrics.json"
    digest = state_digest(load_detector(path))
    metrics.write_text(json.dumps({**SUMMARY, "mAP": 0.2, "split": "test", "weights_digest": digest}))
    found = figures(path, metrics=metrics)
    assert (found["values"]["mAP"], found["split"], found["measured_by"]) == (0.2, "test", "lfb-test")
    for content, message in (
        ({**SUMMARY, "weights_digest": "0" * 64}, "is not of these weights"),
        (SUMMARY, "is not of these weights"),
        ({"weights_digest": digest}, "has no figure"),
    ):
        metrics.write_text(json.dumps(content))
        with pytest.raises(InputError, match=message):
            figures(path, metrics=metrics)


def test_weights_that_were_changed_lose_their_figures(run, tmp_path):
    path = run()
    folder = load_detector(path).save_pretrained(tmp_path / "a", checkpoint=path)
    detector = load_detector(folder)
    assert "| mAP | 0.4321 |" in (detector.save_pretrained(tmp_path / "b") / "README.md").read_text()  # they travel
    detector.head.bias.data += 1
    text = (detector.save_pretrained(tmp_path / "c") / "README.md").read_text()
    assert "0.4321" not in text
    assert "figures of other weights, which are left out" in text
    with pytest.raises(InputError, match=r"is not where this detector's weights are from \('head.bias' differs\)"):
        detector.save_pretrained(tmp_path / "d", checkpoint=path)


HOSTILE = (
    "x](http://evil.example) <script>alert(1)</script> ![i](http://evil.example/p.png) | ` ``` `` www.evil.example "
    "\n---\nlicense: mit\n---\n# Own\n<!-- & &lt; a@evil.example **b** _c_ ~~d~~ $e$ \u202e\x1b[31m"
)


def test_text_of_a_run_is_text(run, tmp_path):
    trained = {"actions": {1: HOSTILE, 2: "--- \n license: mit"}, "ticks_per_second": "2"}
    config = {**RUN, "trained_on": trained, "data": {**RUN["data"], "annotations": f"{HOSTILE}.csv"}}
    config["trainer"] = {"max_epochs": HOSTILE, "precision": [HOSTILE]}
    text = card(run(config=config), tmp_path, notes=HOSTILE, license=HOSTILE)
    data = ModelCard(text).data.to_dict()
    assert set(data) == {"license", "license_name", "library_name", "pipeline_tag", "tags", "datasets", "model-index"}
    assert data["license"] == "other"
    assert re.fullmatch(r"[\w.-]+", data["datasets"][0], re.ASCII)
    assert "\u202e" not in text
    assert "\x1b" not in text
    tokens = MarkdownIt("commonmark", {"linkify": False}).enable(["table", "strikethrough"]).parse(ModelCard(text).text)
    flat = [child for token in tokens for child in [token, *(token.children or [])]]
    assert {token.type for token in flat} & {"image", "html_inline", "s_open", "hr"} == set()
    assert [token.attrs["href"] for token in flat if token.type == "link_open"] == ["https://arxiv.org/abs/1812.05038"]
    blocks = {token.content.strip()[:12] for token in flat if token.type == "html_block"}
    assert blocks == {"<details><su", "</details>", "<!-- made by"}
    headings = [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings[0] == "made"
    assert len(headings) == 8
    assert all(len(row) in (2, 3) for row in cells(text))
    outside_code = re.sub(r"`[^`]*`", "", ModelCard(text).text.replace("https://arxiv.org", ""))
    assert re.search(r"https?:|www\.|\w@", outside_code) is None  # of which GitHub and the hub would make links
    shown = " ".join(token.content for token in flat if token.type == "text")
    assert "<script>alert(1)</script>" in shown
    assert "x](http://evil.example)" in shown


def test_its_lines_run(run, checkpoints, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("nl", "none", "xattn_identity"):  # the last reads windows of its own size only, which say who is who
        folder = load_detector(checkpoints[name]).save_pretrained(tmp_path / f"a {name}")
        (block,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
        names = {}
        exec(block, names)
        assert names["logits"].shape == (1, 6)
        assert state_digest(names["detector"]) == state_digest(load_detector(checkpoints[name]))


def test_what_somebody_has_edited_stays(run, tmp_path):
    path = run()
    detector, folder = load_detector(path), tmp_path / "made"
    readme = folder / "README.md"
    detector.save_pretrained(folder, checkpoint=path)
    assert not is_edited(readme)
    readme.write_bytes(readme.read_bytes().replace(b"\n", b"\r\n"))  # as git may check it out
    assert not is_edited(readme)
    detector.save_pretrained(folder, overwrite=True)  # without the checkpoint, so without figures
    assert "0.4321" not in readme.read_text()
    for edit in (lambda text: text.replace("## Limits", "## Known limits"), lambda text: text + "More.\n"):
        readme.write_text(edit(readme.read_text()))
        assert is_edited(readme)
        before = readme.read_bytes()
        detector.save_pretrained(folder, checkpoint=path, overwrite=True)
        assert readme.read_bytes() == before
        detector.save_pretrained(folder, checkpoint=path, overwrite=True, overwrite_card=True)
        assert not is_edited(readme)
        assert "0.4321" in readme.read_text()


def test_licenses_of_what_it_began_with(run, tmp_path):
    told = {"imported_layout": "mmaction2", "license": "Apache-2.0 (its own)"}
    (entry,) = began_with({"imported_from": "/home/a/k400.pth", **told}, "/x/k400.ckpt")
    assert entry == {
        "file": "k400.ckpt",
        "imported_from": "k400.pth",
        "layout": "mmaction2",
        "license": told["license"],
    }
    assert license_of(entry) == ("Apache-2.0", "its own")
    assert license_of({"file": "k400.pth", "license": "what I like"}) is None
    assert license_of({"file": "k400.pth"}) is None
    second = began_with({"trained_on": {"began_with": [entry]}}, "/runs/base/best.ckpt")
    assert second == [entry, {"file": "best.ckpt"}]
    assert origins_of({"trained_on": {"began_with": [5, {"file": "/a/b", "x": 1}, {}]}}) == [{"file": "b"}, {}]
    for layout in LAYOUTS:
        assert license_of({"license": layout.license}), layout.name
    trained = {"actions": {}, "began_with": [{**entry, "license": "CC-BY-NC-4.0 (VideoMAE's)"}]}
    text = card(run(config={**RUN, "trained_on": trained}), tmp_path, license="mit")
    assert "under CC-BY-NC-4.0" in text
    assert "of what it began with stays binding" in text
    inherited = {**RUN, "trained_on": trained, "license": "CC-BY-NC-4.0 (VideoMAE's)"}  # as lfb-train hands it on
    text = card(run(config=inherited), tmp_path)
    assert "their publisher has not said under which license" in text
    assert "as their publisher has said" not in text
    assert "license" not in text.split("---")[1]
    text = card(run(config={**RUN, "trained_on": {"began_with": []}}), tmp_path)
    assert "It began with random weights." in text


def test_what_a_training_begins_with_is_read_off_the_file_as_its_backbone_is():
    path = ROOT / "tests" / "golden" / "mmaction2" / "checkpoints" / "tiny_c4_1x_epoch_0.pth"
    (entry,) = load_backbone(load_detector(path).backbone, path).origins
    assert entry["layout"] == "mmaction2"
    assert entry["file"] == entry["imported_from"] == path.name
    assert license_of(entry) == ("Apache-2.0", "its repository's license")


SECTIONS = ("model", "trained_on", "training", "figures", "clips", "license", "notes", "trained_with", "imported_from")
SECTIONS += ("format", "optim", "data", "trainer", "imported_layout")


@pytest.mark.parametrize(
    "odd", [5, "x", [[1]], {"a": {"b": [None]}}, {"values": {"mAP": "?"}}, True, {"files": 3, "actions": 7}]
)
def test_a_card_is_written_of_any_configuration(run, odd, tmp_path):
    """What a stranger's folder holds is data here too."""
    path = run()
    whole = {**load_detector(path).stored_config, "training": {"files": {}}, "trained_with": {}}
    for name in SECTIONS:
        text = card_text({**whole, name: odd}, name="x", weights_digest="0" * 64)
        assert isinstance(ModelCard(text).data.to_dict(), dict)
        if isinstance(odd, dict):
            inner = {
                "weights_digest": "0" * 64,
                "values": {"mAP": 0.5},
                "classes": [odd, [odd, 0.5, odd]],
                "split": odd,
            }
            assert "0.5000" in card_text({**whole, "figures": inner}, name="x", weights_digest="0" * 64)
