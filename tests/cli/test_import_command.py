"""`lfb-import` as a user runs it."""

import pytest
import torch

from lfb_lightning.bank import FeatureBank
from lfb_lightning.models import FBOAvg, FBOMax, load_detector
from tests.cli.in_process import run
from tests.models import golden
from tests.models.imports.test_layouts import SLOWONLY, detector, slowfast_name

pytestmark = pytest.mark.slow


def test_import_writes_a_checkpoint_and_reports(here, tmp_path):
    source = golden.GOLDEN / "checkpoints" / "tiny_c4_1x_epoch_0.pth"
    done = here("import_weights", f"src={source}", f"out={tmp_path / 'deep' / 'model.ckpt'}")
    assert "mmaction2: 320 renamed" in done.stdout
    assert load_detector(tmp_path / "deep" / "model.ckpt").num_classes == 81
    assert not list(here.folder.glob("*.log"))


def test_a_checkpoint_of_mmaction2_writes_a_bank_directly(here, mini_dir, tmp_path):
    source = golden.GOLDEN / "checkpoints" / "tiny_c4_0x_epoch_1.pth"
    arguments = [
        "split=val",
        "experiment=mini_ava",
        f"paths.data_dir={mini_dir}",
        f"bank.dir={tmp_path}",
        f"ckpt_path={source}",
    ]
    here("extract", *arguments, "data.last_second=905", "data.num_workers=0", f"hydra.run.dir={tmp_path / 'run'}")
    bank = FeatureBank.open(tmp_path / "val")
    assert (bank.channels, bank.manifest.num_videos) == (128, 3)
    assert bank.manifest.num_rows > 10


def test_import_says_what_is_wrong(here, tmp_path):
    assert "src is not set" in here("import_weights", fails=True).stderr
    torch.save({"state_dict": {"encoder.weight": torch.zeros(2)}}, tmp_path / "other.pth")
    failed = here("import_weights", f"src={tmp_path / 'other.pth'}", f"out={tmp_path / 'x.ckpt'}", fails=True)
    assert "no known layout" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "x.ckpt").exists()


@pytest.mark.parametrize(("options", "aligned"), [((), True), (("aligned=false",), False)])
def test_the_form_of_roi_align_that_no_file_says_can_be_given(options, aligned, tmp_path):
    baseline = detector(SLOWONLY, {"_target_": "lfb_lightning.models.FBONone", "_partial_": True})
    weights = {slowfast_name(key): value for key, value in baseline.state_dict().items()}
    torch.save({"model_state": weights}, tmp_path / "their.pyth")
    done = run("import_weights", "src=their.pyth", "out=model.ckpt", *options, folder=tmp_path)
    assert done.status == 0, done.stderr
    assert load_detector(tmp_path / "model.ckpt").roi_features.aligned is aligned


@pytest.fixture
def pooled(tmp_path):
    """An LFB-max or -avg detector with PySlowFast's names, which do not say which of them it is."""
    maximum = {"_target_": "lfb_lightning.models.FBOMax", "_partial_": True}
    made = detector(SLOWONLY, maximum)
    weights = {slowfast_name(key): value for key, value in made.state_dict().items()}
    torch.save({"model_state": weights}, tmp_path / "pooled.pyth")
    return tmp_path / "pooled.pyth"


@pytest.mark.parametrize(("option", "kind"), [("max", FBOMax), ("avg", FBOAvg)])
def test_the_operator_that_a_file_does_not_say_is_given_as_the_help_says(option, kind, pooled, tmp_path):
    done = run("import_weights", f"src={pooled}", "out=model.ckpt", f"fbo={option}", folder=tmp_path)
    assert done.status == 0, done.stderr
    assert isinstance(load_detector(tmp_path / "model.ckpt").fbo, kind)


@pytest.mark.parametrize(
    ("options", "told"),
    [((), "add fbo=max or fbo=avg."), (("fbo=nl",), "fbo is nl, expected max or avg"), (("fbo=null",), "add fbo=max")],
)
def test_it_is_asked_for_where_it_is_needed(options, told, pooled, tmp_path):
    done = run("import_weights", f"src={pooled}", "out=model.ckpt", *options, folder=tmp_path)
    assert (done.status, done.message.count("\n")) == (1, 0)
    assert told in done.message
    assert not (tmp_path / "model.ckpt").exists()
