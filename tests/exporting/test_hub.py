"""The hub's own client against a hub on loopback: what is uploaded comes back bit for bit, and every fault is one line."""

import importlib
import subprocess
import sys
from types import SimpleNamespace

import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.models import ActionDetector, load_detector, state_digest
from lfb_lightning.models.cards import is_edited
from lfb_lightning.models.hub import reason, require_hub
from tests.cli.in_process import run
from tests.conftest import ROOT
from tests.hub_server import TOKEN, Hub, speaking_to_it

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the client's, of its own upload
NAME = "organization/walkers"
HERE = """
import sys
from pathlib import Path
from lfb_lightning.models import ActionDetector, load_detector
from tests.cli.in_process import run
checkpoint, folder = map(Path, sys.argv[1:])
done = run("export", f"ckpt_path={checkpoint}", "push=organization/nl", "push_private=true", "license=mit", folder=folder)
print(done.stdout, done.stderr)
assert ActionDetector.from_pretrained("organization/nl").digest() == load_detector(checkpoint).digest()
"""


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub, to which this process's huggingface_hub speaks, with a token that may write."""
    with speaking_to_it(monkeypatch, tmp_path) as server:
        yield server


@pytest.mark.slow
def test_the_command_uploads_and_anyone_fetches(checkpoints, tmp_path):
    """In a process of its own, in which HF_ENDPOINT alone says where the hub is."""
    hub = Hub()
    environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "127.0.0.1"}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": "/usr/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", HERE, str(checkpoints["nl"]), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert hub.unknown == []
    assert f"uploaded to organization/nl: {hub.url}/organization/nl/commit/" in done.stdout
    assert 'to load it: ActionDetector.from_pretrained("organization/nl")' in done.stdout
    files = hub.repositories["organization/nl"]
    assert set(files) == {"README.md", "config.json", "model.safetensors"}
    assert hub.private == {"organization/nl": "private"}
    assert b'ActionDetector.from_pretrained("organization/nl")' in files["README.md"]
    assert files["README.md"].startswith(b"---\nlicense: mit\n")
    assert b"/home/" not in b"".join(files.values())
    assert not (tmp_path / "detector").exists()
    hub.shutdown()
    hub.server_close()


def test_from_python_with_all_arguments(checkpoints, hub, tmp_path, monkeypatch):
    detector = load_detector(checkpoints["none"])
    monkeypatch.delenv("HF_TOKEN")
    address = detector.push_to_hub(NAME, token=TOKEN, private=False, commit_message="The first", create_pr=False)
    assert address == f"{hub.url}/{NAME}/commit/{hub.revision(NAME)}"
    assert hub.commits == ["The first"]
    assert state_digest(ActionDetector.from_pretrained(NAME)) == state_digest(detector)
    folder = detector.save_pretrained(tmp_path / "walkers")
    for name in ("config.json", "model.safetensors"):
        assert hub.repositories[NAME][name] == (folder / name).read_bytes()
    detector.stored_config = None
    with pytest.raises(ValueError, match="was built and not loaded"):
        detector.push_to_hub(NAME, token=TOKEN)


def test_a_card_that_was_edited_there_stays_there(checkpoints, hub):
    detector = load_detector(checkpoints["none"])
    detector.push_to_hub(NAME)
    generated = hub.repositories[NAME]["README.md"]
    detector.push_to_hub(NAME)  # into what is there already
    assert hub.repositories[NAME]["README.md"] == generated
    edited = hub.repositories[NAME]["README.md"] = generated + b"\nTried on 3 cameras.\n"
    load_detector(checkpoints["avg"]).push_to_hub(NAME)
    assert hub.repositories[NAME]["README.md"] == edited
    assert state_digest(ActionDetector.from_pretrained(NAME)) == state_digest(load_detector(checkpoints["avg"]))
    detector.push_to_hub(NAME, overwrite_card=True)
    assert hub.repositories[NAME]["README.md"] == generated


def test_a_card_that_was_edited_here_goes_there(checkpoints, hub, tmp_path):
    def export(*arguments):
        done = run("export", *arguments, folder=tmp_path)
        assert done.status == 0, done.stderr
        return done.stdout

    assert "wrote exported: README.md, config.json, model.safetensors" in export(
        f"ckpt_path={checkpoints['none']}", "out=exported"
    )
    card = tmp_path / "exported" / "README.md"
    card.write_text(card.read_text().replace("## Limits", "## Known limits"))
    said = export("ckpt_path=exported", f"push={NAME}")
    assert "note: README.md has been edited by hand and is kept as it is; card=replace" in said
    assert hub.repositories[NAME]["README.md"] == card.read_bytes()
    said = export(f"ckpt_path={checkpoints['none']}", f"push={NAME}")
    assert f"note: the README.md of {NAME} has been edited by hand and is kept" in said
    assert hub.repositories[NAME]["README.md"] == card.read_bytes()
    said = export("ckpt_path=exported", "out=exported_again", f"push={NAME}", "card=replace")
    assert "note:" not in said
    assert not is_edited(tmp_path / "exported_again" / "README.md")
    assert hub.repositories[NAME]["README.md"] == (tmp_path / "exported_again" / "README.md").read_bytes()
    export("ckpt_path=exported", "out=bare", "card=none")
    assert sorted(path.name for path in (tmp_path / "bare").iterdir()) == ["config.json", "model.safetensors"]


def fault(*arguments, folder):
    done = run("export", *arguments, folder=folder)
    assert done.status == 1
    assert done.message.count("\n") == 0
    assert "Traceback" not in done.stderr
    return done.message


def test_faults_are_told_before_anything_is_loaded(hub, tmp_path, monkeypatch):
    assert "push=walkers: is no name of the hub" in fault("ckpt_path=none.ckpt", "push=walkers", folder=tmp_path)
    for name in ("", "a/b/c", "../up", "organization/", "https://x.y/z", "a/..", "organization/wal kers", "a/b\n"):
        with pytest.raises(InputError, match="is no name of the hub"):
            require_hub(name)
    assert "is for format=safetensors" in fault("ckpt_path=none.ckpt", f"push={NAME}", "format=onnx", folder=tmp_path)
    assert "out is not set" in fault("ckpt_path=none.ckpt", folder=tmp_path)
    monkeypatch.delenv("HF_TOKEN")
    assert "there is no token of the hub here; type `hf auth login`, or set the variable HF_TOKEN" in fault(
        "ckpt_path=none.ckpt", f"push={NAME}", folder=tmp_path
    )
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install 'lfb-lightning[hub]'" in fault("ckpt_path=none.ckpt", f"push={NAME}", folder=tmp_path)
    assert hub.log == []


def test_what_the_hub_refuses_is_one_line(checkpoints, hub, monkeypatch):
    detector = load_detector(checkpoints["none"])
    with pytest.raises(
        InputError, match=r"^repo_id=others/walkers: could not be uploaded .*the token may not write there"
    ):
        detector.push_to_hub("others/walkers")
    with pytest.raises(InputError, match="the token is not valid"):
        detector.push_to_hub(NAME, token="hf_wrong")
    with pytest.raises(InputError, match=r"could not be uploaded .*HFValidationError") as raised:
        detector.push_to_hub("organization/wal--kers")
    assert "\n" not in str(raised.value)
    monkeypatch.setattr(importlib.import_module("huggingface_hub.constants"), "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"could not be uploaded to the hub \(no connection; ") as raised:
        detector.push_to_hub(NAME)
    assert TOKEN not in str(raised.value)
    assert hub.repositories == {}


@pytest.mark.parametrize("told", ["Illegal header value b'Bearer hf_secret\\x7f'", "of hf_secret: no"])
def test_a_token_stands_in_no_message(told):
    assert "secret" not in reason(ValueError(told))


def test_the_mixin_of_the_installed_version_has_these_arguments():
    import inspect

    from huggingface_hub import ModelHubMixin

    theirs = inspect.signature(ModelHubMixin.push_to_hub).parameters
    ours = inspect.signature(ActionDetector.push_to_hub).parameters
    own = {"checkpoint", "overwrite_card"}
    assert set(ours) - set(theirs) == own
    assert SimpleNamespace(**{name: theirs[name].default for name in ("private", "token", "branch", "create_pr")}) == (
        SimpleNamespace(**{name: ours[name].default for name in ("private", "token", "branch", "create_pr")})
    )
