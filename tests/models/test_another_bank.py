"""An FBO that reads another bank than the detector's own: its short-term features have statistics of their own."""

import logging
from functools import partial
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from torch import nn

from lfb_lightning.cli.several_banks import give_statistics
from lfb_lightning.errors import InputError
from lfb_lightning.lightning import ActionDataModule
from lfb_lightning.models import FBOCrossAttention, FBOMax, FBONonLocal, load_detector
from lfb_lightning.structures import BankWindow, BankWindows
from tests.models.test_detector import CLIPS, ROIS, SPEC, save, tiny

LATER = ("short_term_mean", "short_term_std")
OWN = {f"fbo.{name}" for name in LATER}
WINDOW = torch.tensor([[[4.0, 2, 9], [0, 6, 9]]])
MASK = torch.ones(1, 2, dtype=torch.bool)
TO_ONE = torch.zeros(1, dtype=torch.long)


def fill(module):
    generator = torch.Generator().manual_seed(3)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4, generator=generator)


@pytest.mark.parametrize("kind", [FBONonLocal, partial(FBOCrossAttention, num_heads=2)])
def test_the_window_has_the_statistics_of_its_bank_and_the_short_term_feature_its_own_by_hand(kind):
    fbo, plain = (
        kind(channels=2, bank_channels=3, latent_channels=4, norm_inputs=norm).eval() for norm in (True, False)
    )
    fbo.read_another_bank()
    plain.read_another_bank()
    for one in (fbo, plain):
        fill(one)
    fbo.set_statistics(torch.tensor([2.0, 4, 9]), torch.tensor([2.0, 1, 0]))
    standardized = BankWindow(torch.tensor([[[1.0, -2, 0], [-1, 2, 0]]]), MASK)

    def both(short_term, expected):
        found = fbo(torch.tensor([short_term]), BankWindow(WINDOW, MASK), TO_ONE)
        torch.testing.assert_close(found, plain(torch.tensor([expected]), standardized, TO_ONE))

    both([5.0, 7.0], [5.0, 7.0])  # no bank of its own: as it is
    fbo.set_short_term_statistics(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 0.0]))
    both([5.0, 7.0], [2.0, 3.0])  # (5 - 1) / 2, and a constant channel that stays unscaled
    assert (fbo.needs_short_term_statistics, plain.needs_short_term_statistics) == (True, False)


def test_only_a_detector_that_standardizes_and_reads_another_bank_has_more_in_its_state():
    norm, raw = (partial(FBONonLocal, latent_channels=4, norm_inputs=norm) for norm in (True, False))
    more = [{*tiny(norm, bank_name="theirs").state_dict()} - {*tiny(norm).state_dict()}]
    more += [{*tiny(fbo, bank_name=name).state_dict()} & OWN for fbo, name in ((norm, None), (raw, "theirs"))]
    assert more == [OWN, set(), set()]
    assert not tiny(FBOMax, bank_name="theirs").needs_short_term_statistics


def written(path, detector, without, **model):
    """Write a checkpoint as an earlier version did: without what it did not have."""
    save(path, detector, {**SPEC, **model})
    content = torch.load(path)
    content["state_dict"] = {name: value for name, value in content["state_dict"].items() if not name.endswith(without)}
    torch.save(content, path)
    return path


FBO = {"_target_": "lfb_lightning.models.FBONonLocal", "_partial_": True, "latent_channels": 4, "norm_inputs": True}


def with_statistics(detector, *fbos):
    """Give weights and statistics to a detector that computes as every one did: all by the statistics of what it reads."""
    fill(detector)
    for fbo in fbos:
        width = len(fbo.mean)
        fbo.set_statistics(torch.linspace(-1, 1, width), torch.linspace(0.5, 2, width))
    return detector.eval()


@pytest.mark.parametrize("width", [32, 6])
def test_a_checkpoint_of_an_earlier_version_scores_as_it_did(width, tmp_path):
    earlier = tiny(partial(FBONonLocal, latent_channels=4, norm_inputs=True), bank_channels=width)  # as its own bank's
    with_statistics(earlier, earlier.fbo)
    said = {"fbo": FBO, "bank_name": "theirs", "bank_channels": width}
    detector = load_detector(written(tmp_path / "earlier.ckpt", earlier, LATER, **said))
    window = BankWindow(torch.rand(2, 5, width), torch.ones(2, 5, dtype=torch.bool))
    assert detector.bank_name == "theirs"
    assert torch.equal(detector(CLIPS, ROIS, window), earlier(CLIPS, ROIS, window))
    again = load_detector(written(tmp_path / "again.ckpt", detector, "nothing", **said))  # now with all names
    assert torch.equal(again(CLIPS, ROIS, window), earlier(CLIPS, ROIS, window))
    half = written(tmp_path / "half.ckpt", detector, "short_term_mean", **said)
    with pytest.raises(InputError, match=r"half\.ckpt.*short_term_mean"):
        load_detector(half)


def test_so_does_one_of_several_banks(tmp_path):
    names = {"main": 32, "theirs": 32}
    detector = tiny(partial(FBONonLocal, latent_channels=4, norm_inputs=True, banks=names))
    with_statistics(detector, *(detector.fbo.part(name) for name in names))
    spec = {"fbo": {**FBO, "banks": names}}
    loaded = load_detector(written(tmp_path / "earlier.ckpt", detector, LATER, **spec))
    each = {name: BankWindow(torch.rand(2, 5, 32), torch.ones(2, 5, dtype=torch.bool)) for name in names}
    features, clip_of_roi = torch.rand(3, 32), ROIS[:, 0].long()
    found = loaded.fbo(features, BankWindows.of(each), clip_of_roi)
    expected = []
    for name in names:  # an FBO that was never told of another bank
        alone = FBONonLocal(channels=32, latent_channels=4, norm_inputs=True).eval()
        stored = detector.fbo.part(name).state_dict()
        alone.load_state_dict({key: value for key, value in stored.items() if key not in LATER})
        expected.append(alone(features, each[name], clip_of_roi))
    assert torch.equal(found, torch.cat(expected, dim=1))


def test_without_a_bank_of_its_own_a_line_says_so_and_the_feature_stays_as_it_is(caplog):
    detector = tiny(partial(FBONonLocal, latent_channels=4, norm_inputs=True), bank_name="theirs")
    theirs = SimpleNamespace(manifest=SimpleNamespace(mean=[2.0] * 32, std=[3.0] * 32))

    def missing(split):
        raise InputError("bank banks/fp16/train: does not exist")

    datamodule = Mock(spec=ActionDataModule)
    datamodule.banks = SimpleNamespace(read=lambda split: {None: theirs}, own=missing)
    with caplog.at_level(logging.INFO):
        give_statistics(detector, datamodule)
    (said,) = caplog.messages
    assert "the short-term feature is not standardized" in said
    assert "banks/fp16/train: does not exist" in said
    assert (detector.fbo.mean[0].item(), detector.fbo.std[0].item()) == (2.0, 3.0)
    assert (detector.fbo.short_term_mean.any().item(), detector.fbo.short_term_std.unique().tolist()) == (False, [1.0])
