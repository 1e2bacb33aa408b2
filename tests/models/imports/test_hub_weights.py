"""Weights by their name on the hub: what is fetched, what is read without a connection, and each fault in one line."""

import importlib
import json

import pytest
import torch
from safetensors.torch import save

from lfb_lightning.errors import InputError
from lfb_lightning.models import VisionTransformer, load_detector
from lfb_lightning.models.cards.origins import origins_of, sentence
from lfb_lightning.models.hub_weights import license_of_card
from lfb_lightning.models.imports import import_weights
from lfb_lightning.models.loading import load_backbone, read_any
from lfb_lightning.models.portable import portable
from tests.cli.in_process import run
from tests.cli.test_config import compose
from tests.hub_server import TOKEN, speaking_to_it
from tests.models.backbones import test_vit
from tests.models.backbones.test_vit import TINY
from tests.models.imports.test_modern_layouts import hugging_face

NAME = "organization/videomae-tiny"
FORM = {**TINY, "num_frames": 4}
CARD = b"---\nlanguage: en\nlicense: apache-2.0\ntags:\n- video\n---\n# VideoMAE\nlicense: mit\n"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with speaking_to_it(monkeypatch, tmp_path) as server:
        yield server


@pytest.fixture(scope="module")
def theirs():
    """A small VideoMAE under Hugging Face's names."""
    weights = hugging_face(test_vit.detector(**FORM).state_dict(), published=True)
    return {name: value.contiguous() for name, value in weights.items()}


def torch_file(weights, path):
    torch.save(weights, path)
    return path.read_bytes()


def two_parts(weights, kind, make):
    names = sorted(weights)
    files = {f"{kind}-00001-of-00002": names[::2], f"{kind}-00002-of-00002": names[1::2]}
    ending = "safetensors" if kind == "model" else "bin"
    index = {"metadata": {}, "weight_map": {name: f"{file}.{ending}" for file, own in files.items() for name in own}}
    parts = {f"{file}.{ending}": make({name: weights[name] for name in own}) for file, own in files.items()}
    return {f"{kind}.{ending}.index.json": json.dumps(index).encode(), **parts}


def assert_loaded(name, theirs):
    backbone = VisionTransformer(**FORM)
    start = load_backbone(backbone, name)
    key = "videomae.encoder.layer.2.attention.attention.value.weight"
    assert torch.equal(backbone.blocks[2].attn.qkv.weight[96:], theirs[key])
    return start


def offline(monkeypatch):
    monkeypatch.setattr(importlib.import_module("huggingface_hub.constants"), "HF_HUB_OFFLINE", True)


def test_safetensors_come_first_and_the_cards_license_counts(hub, theirs, monkeypatch):
    hub.repositories[NAME] = {"config.json": b'{"model_type": "videomae"}', "README.md": CARD}
    hub.repositories[NAME] |= {"model.safetensors": save(theirs), "pytorch_model.bin": b"never read"}
    start = assert_loaded(f"hf:{NAME}", theirs)
    assert start.text.endswith("license of the weights: apache-2.0 (as its card says)")
    commit = hub.revision(NAME)[:12]
    assert start.origins == [
        {
            "file": f"hf:{NAME}",
            "layout": "Hugging Face (VideoMAE)",
            "license": "apache-2.0 (as its card says)",
            "imported_from": f"hf:{NAME} (commit {commit})",
        }
    ]
    assert set(hub.tokens) == {f"Bearer {TOKEN}"}
    asked = len(hub.log)
    assert not any(path.endswith("bin") for _, path in hub.log)
    offline(monkeypatch)
    assert assert_loaded(f"hf:{NAME}", theirs) == start
    assert len(hub.log) == asked
    with pytest.raises(
        InputError, match=r"^checkpoint hf:organization/other: the hub cannot be reached, and the cache"
    ):
        load_backbone(VisionTransformer(**FORM), "hf:organization/other")


@pytest.mark.parametrize("kind", ["model", "pytorch_model", "bin"])
def test_parts_and_torch_files_are_read(kind, hub, theirs, tmp_path):
    if kind == "bin":
        hub.repositories[NAME] = {"pytorch_model.bin": torch_file(theirs, tmp_path / "one.bin")}
    else:
        make = save if kind == "model" else lambda part: torch_file(part, tmp_path / "part.bin")
        hub.repositories[NAME] = two_parts(theirs, kind, make)
    start = assert_loaded(f"hf:{NAME}", theirs)
    assert start.license.startswith("CC-BY-NC-4.0")  # there is no card: the layout's


def test_a_revision_and_a_file_are_taken_as_named(hub, theirs, tmp_path):
    original = {"module": {f"encoder.{name}": value for name, value in original_weights().items()}}
    hub.repositories[NAME] = {"README.md": b"# no head", "k400/vit_s.pth": torch_file(original, tmp_path / "vit.pth")}
    hub.tags.add("v1.0")
    for name in (f"hf:{NAME}/k400/vit_s.pth", f"hf:{NAME}@v1.0/k400/vit_s.pth"):
        imported = import_weights(name)
        assert (imported.report.layout, imported.license[:12]) == ("VideoMAE", "CC-BY-NC-4.0")
        assert imported.source == f"{name} (commit {hub.revision(NAME)[:12]})"
    assert ("GET", f"/{NAME}/resolve/v1.0/k400/vit_s.pth") in hub.log


def test_the_command_imports_by_name(hub, theirs, tmp_path):
    hub.repositories[NAME] = {"model.safetensors": save(theirs), "README.md": CARD}
    hub.tags.add("v1.0")
    done = run("import_weights", f"src=hf:{NAME}@v1.0", "out=our.ckpt", folder=tmp_path)
    assert done.status == 0, done.stderr
    assert "license of the weights: apache-2.0 (as its card says)" in done.stdout
    assert TOKEN not in done.stdout + done.stderr
    stored = read_any(tmp_path / "our.ckpt")[0]
    assert stored["imported_from"] == f"hf:{NAME}@v1.0 (commit {hub.revision(NAME)[:12]})"
    assert "its card states `apache-2.0`" in sentence(origins_of(portable(stored))[0])
    typed = compose("train", "backbone=vit_b", f"backbone.weights=hf:{NAME}@v1.0/k400/vit_s.pth")
    assert typed["model"]["backbone_weights"] == f"hf:{NAME}@v1.0/k400/vit_s.pth"


def original_weights():
    state = VisionTransformer(**FORM).state_dict()
    assert "norm.weight" in state
    return state


def test_a_detector_of_this_package_is_loaded_whole(hub, tmp_path):
    detector = test_vit.detector(**FORM)
    made = import_like_ours(tmp_path)
    folder = load_detector(made).save_pretrained(tmp_path / "ours")
    hub.repositories[NAME] = {path.name: path.read_bytes() for path in folder.iterdir()}
    loaded = load_detector(f"hf:{NAME}")
    assert torch.equal(loaded.backbone.blocks[0].attn.q_bias, detector.backbone.blocks[0].attn.q_bias)
    with pytest.raises(InputError, match=r"is a detector of this package and needs no import"):
        import_weights(f"hf:{NAME}")


def import_like_ours(folder):
    path = folder / "mmaction2.pth"
    weights = {test_vit.theirs(name): value for name, value in test_vit.detector(**FORM).state_dict().items()}
    torch.save({"state_dict": weights}, path)
    import_weights(path).save(folder / "ours.ckpt", source="mmaction2.pth")
    return folder / "ours.ckpt"


def test_a_folder_of_their_kind_is_read_too(theirs, tmp_path):
    for name, content in {"config.json": b"{}", "README.md": CARD, "model.safetensors": save(theirs)}.items():
        (tmp_path / name).write_bytes(content)
    assert assert_loaded(tmp_path, theirs).license == "apache-2.0 (as its card says)"
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match="was not written by lfb-export"):
        read_any(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(InputError, match=r"a folder without config\.json and without model\.safetensors"):
        read_any(tmp_path)


@pytest.mark.parametrize(
    ("index", "told"),
    [
        ({"weight_map": {"a": "../../../etc/secrets.bin"}}, r"names '\.\./\.\./"),
        ({"weight_map": {"a": "parts/model.safetensors"}}, "expected a safetensors or bin file beside it"),
        ({"weight_map": {"a": "model.safetensors.index.json"}}, "expected a safetensors or bin file beside it"),
        ({"weight_map": {}}, "names 0 files of weights"),
        ({"weight_map": [1]}, "names 0 files of weights"),
        ({"weight_map": {"a": "model-1.safetensors"}}, "has no file 'model-1.safetensors'"),
    ],
)
def test_an_index_leads_nowhere_else(index, told, hub):
    hub.repositories[NAME] = {"model.safetensors.index.json": json.dumps(index).encode()}
    with pytest.raises(InputError, match=told):
        import_weights(f"hf:{NAME}")
    assert not any("secrets" in path for _, path in hub.log)


def test_each_fault_is_one_line_without_a_token(hub, theirs, monkeypatch, caplog):
    hub.repositories[NAME] = {"vit.pth": b"x", "README.md": CARD}
    hub.repositories["organization/gated"] = {"model.safetensors": save(theirs)}
    hub.gated.add("organization/gated")
    for name, told in {
        f"hf:{NAME}": rf"has no model\.safetensors, .*name the file that has the weights: hf:{NAME}/FILE\.",
        f"hf:{NAME}/k400.pth": "has no file 'k400.pth'",
        f"hf:{NAME}@v9/vit.pth": "has no revision v9, expected a branch, a tag or a commit",
        "hf:organization/none": "the hub has no organization/none, or it is private",
        "hf:organization/gated": "consent to terms first: give it on the repository's page, then `hf auth login`",
        f"hf:{NAME}/vit.pth": "cannot be read|not a|no readable|damaged",
    }.items():
        with pytest.raises(InputError, match=told) as raised:
            import_weights(name)
        assert str(raised.value).startswith("checkpoint ")
        assert "\n" not in str(raised.value)
        assert TOKEN not in str(raised.value)
    for name in (
        "hf:",
        "hf:a",
        "hf:a/b/../c",
        "hf:a/b/",
        "hf:a/b//c",
        "hf:a/b@",
        "hf:../b",
        "hf:a/b@x/..",
        "hf:a/b\\c",
    ):
        with pytest.raises(InputError, match="is no name of the hub, expected hf:organization/name"):
            import_weights(name)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between the client's attempts
    nowhere = "http://127.0.0.1:9/{repo_id}/{revision}/{filename}"
    monkeypatch.setattr(importlib.import_module("huggingface_hub.constants"), "HUGGINGFACE_CO_URL_TEMPLATE", nowhere)
    waits = []
    monkeypatch.setattr(importlib.import_module("huggingface_hub.utils._http").time, "sleep", waits.append)
    with pytest.raises(InputError, match=r"this machine does not have it \(no connection; ConnectError: .*refused"):
        import_weights("hf:organization/far")
    assert len(waits) <= 5  # of one file: the others are not asked for
    assert "Retrying" not in caplog.text


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("---\nlicense: cc-by-nc-4.0\n---\n", "cc-by-nc-4.0"),
        ("---\r\nlicense: mit\r\n---\r\n", "mit"),
        ("---\nlicense:\n- 'mit'\n---\n", "mit"),
        ("---\nlicense: [mit]\n---", "mit"),
        ("---\nlicense: other\nlicense_name: deed-of-cats\n---\n", "deed-of-cats"),
        ("---\nlicense: other\n---\n", "other"),
        ("---\nlicense_link: x\n---\nlicense: mit\n", ""),
        ("license: mit\n", ""),
        ("---\nlicense: mit\nno end", ""),
        ("---\nlicense: !!python/object:os.system x\n---\n", ""),
        ("", ""),
    ],
)
def test_the_license_is_read_off_the_cards_head(head, expected, tmp_path):
    (tmp_path / "README.md").write_bytes(head.encode())
    assert license_of_card(tmp_path / "README.md") == expected
