"""Several banks side by side: an FBO for each, against numbers by hand and against each FBO alone."""

from functools import partial

import pytest
import torch
from torch import nn

from lfb_lightning.errors import InputError
from lfb_lightning.models import FBOAvg, FBOMax, FBONone, FBONonLocal, build_detector, load_detector
from lfb_lightning.models.fbo.several import FBOSeveral
from lfb_lightning.models.loading import start_from
from lfb_lightning.structures import BankWindow, BankWindows
from tests.models.test_detector import CLIPS, ROIS, SPEC, save, tiny

OURS = BankWindow(torch.tensor([[[1.0, 2], [3, 6]], [[5, 5], [0, 0]]]), torch.tensor([[True, True], [True, False]]))
THEIRS = BankWindow(torch.tensor([[[7.0], [9]], [[0], [0]]]), torch.tensor([[True, True], [False, False]]))
BOTH = BankWindows.of({"main": OURS, "theirs": THEIRS})
CLIP_OF_ROI = torch.tensor([1, 0, 0])
NAMES = {"main": 32, "theirs": 6}


def windows(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return BankWindows.of(
        {
            name: BankWindow(torch.rand(2, 5, width, generator=generator), torch.ones(2, 5, dtype=torch.bool))
            for name, width in NAMES.items()
        }
    )


def test_features_are_those_of_each_bank_one_after_the_other_by_hand():
    parts = {"main": FBOAvg(channels=2, mask_padding=True), "theirs": FBOMax(channels=2, bank_channels=1)}
    several = FBOSeveral(parts=parts)
    assert several.out_channels == 3
    found = several(torch.zeros(3, 2), BOTH, CLIP_OF_ROI)
    assert found.tolist() == [[5.0, 5.0, 0.0], [2.0, 4.0, 9.0], [2.0, 4.0, 9.0]]
    assert several(torch.zeros(0, 2), BOTH, torch.zeros(0, dtype=torch.long)).shape == (0, 3)


def test_windows_travel_as_one_value():
    moved = BOTH.to("meta")
    assert moved.names == ("main", "theirs")
    assert {one.device.type for name in moved.names for one in (moved[name].features, moved[name].mask)} == {"meta"}
    assert torch.equal(BOTH["theirs"].mask, THEIRS.mask)
    with pytest.raises(KeyError):
        BOTH["nobodys"]


def test_a_detector_of_two_banks_is_each_fbo_alone_and_the_head_over_both():
    detector = tiny(partial(FBONonLocal, latent_channels=4, banks=NAMES)).eval()
    nn.init.normal_(detector.fbo.part("theirs").layers[0].out.weight)
    assert (detector.banks, detector.bank_channels, detector.bank_name) == (NAMES, 38, None)
    assert detector.head.in_features == 32 + 4 + 4
    names = {name.split(".")[1] for name in detector.state_dict() if name.startswith("fbo.")}
    assert names == {"bank_main", "bank_theirs"}
    both = windows()
    short_term, clip_of_roi = detector.short_term_features(CLIPS, ROIS), ROIS[:, 0].long()
    alone = [detector.fbo.part(name)(short_term, both[name], clip_of_roi) for name in NAMES]
    expected = torch.cat([short_term, *alone], dim=1) @ detector.head.weight.T + detector.head.bias
    torch.testing.assert_close(detector(CLIPS, ROIS, both), expected)
    logits, attention = detector(CLIPS, ROIS, both, return_attention=True)
    torch.testing.assert_close(logits, expected)
    for name in NAMES:
        theirs = detector.fbo.part(name)(short_term, both[name], clip_of_roi, True)[1]
        torch.testing.assert_close(attention[name].weights, theirs.weights)


def test_all_that_a_detector_asks_of_its_fbo_is_asked_of_each():
    detector = tiny(partial(FBONonLocal, latent_channels=4, norm_inputs=True, banks=NAMES))
    assert (detector.reads_bank, detector.attends, detector.needs_bank_statistics) == (True, True, True)
    for name, width in NAMES.items():
        detector.set_bank_statistics(torch.full((width,), float(width)), torch.full((width,), 2.0), name)
    assert [detector.fbo.part(name).mean[0].item() for name in NAMES] == [32.0, 6.0]
    assert [detector.fbo.part(name).standardizes_short_term for name in NAMES] == [True, True]
    assert detector.needs_short_term_statistics
    detector.fbo.set_short_term_statistics(torch.full((32,), 3.0), torch.full((32,), 4.0))
    assert detector.fbo.part("theirs").short_term_mean.tolist() == [3.0] * 32
    assert not hasattr(detector.fbo.part("main"), "short_term_mean")
    assert detector.window_slots is None
    parts = {"a": FBOMax(channels=1), "b": FBOAvg(channels=1)}
    parts["b"].window_slots, parts["b"].reads_identity = 40, True
    several = FBOSeveral(parts=parts)
    assert (several.window_slots, several.reads_identity, several.attends, several.needs_statistics) == (
        40,
        True,
        False,
        False,
    )
    assert not FBOSeveral(parts={"a": FBONone(), "b": FBONone()}).reads_bank


def test_windows_of_all_banks_are_needed():
    detector = tiny(partial(FBOMax, banks=NAMES))
    for window in (None, windows()["main"], BankWindows.of({"main": windows()["main"]})):
        with pytest.raises(ValueError, match="reads the banks main, theirs: give it BankWindows of all of them"):
            detector(CLIPS, ROIS, window)


def test_one_name_is_one_bank():
    listed = tiny(partial(FBOMax, banks={"theirs": 6}))
    assert (listed.banks, listed.bank_name, listed.bank_channels) == (None, "theirs", 6)
    assert listed.digest() == tiny(FBOMax, bank_name="theirs", bank_channels=6).digest()
    assert tiny(FBOMax, banks=["main"]).bank_name is None
    assert tiny(lambda channels: FBOMax(channels=channels), banks=["main", "a"]).banks == {"main": 32, "a": 32}


SEVERAL = {**SPEC, "fbo": {"_target_": "lfb_lightning.models.FBONonLocal", "_partial_": True, "latent_channels": 4}}


def test_a_checkpoint_rebuilds_it_and_starts_a_detector_of_other_banks(tmp_path):
    spec = {**SEVERAL, "fbo": {**SEVERAL["fbo"], "banks": NAMES}}
    detector = build_detector(spec).eval()
    nn.init.normal_(detector.head.bias)
    save(tmp_path / "several.ckpt", detector, spec)
    loaded = load_detector(tmp_path / "several.ckpt")
    assert loaded.banks == NAMES
    torch.testing.assert_close(loaded(CLIPS, ROIS, windows()), detector(CLIPS, ROIS, windows()))
    started = tiny(partial(FBONonLocal, latent_channels=2, banks=["main", "b", "c"]))
    start_from(started, tmp_path / "several.ckpt")
    assert torch.equal(started.head.weight[:, :32], detector.head.weight[:, :32])
    assert torch.equal(started.head.bias, detector.head.bias)
    saved = loaded.save_pretrained(tmp_path / "folder")
    assert type(loaded).from_pretrained(saved).digest() == loaded.digest()


@pytest.mark.parametrize(
    ("banks", "message"),
    [
        ({"../../etc": 4, "main": 4}, r"fbo\.banks names '\.\./\.\./etc', expected letters, digits"),
        ({"a.b": 4, "main": 4}, "expected letters, digits"),
        ({1: 4, "main": 4}, "fbo.banks names 1, expected letters"),
        ({"main": 32, "x": 1 << 40}, r"fbo\.banks\.x is 1099511627776, expected the width of its features, 1 to 65536"),
        ({"main": 32, "x": True}, "fbo.banks.x is True, expected the width"),
        ({"main": 32, "x": "6"}, "fbo.banks.x is '6', expected the width"),
        ([f"b{number}" for number in range(17)], "expected 1 to 16 names"),
        ([["main"], "x"], "expected the name of a bank"),
        ("main", "fbo.banks is 'main', expected 1 to 16 names"),
        (7, "fbo.banks is 7, expected 1 to 16 names"),
        ({"_target_": "os.system", "command": "true"}, "os.system"),
    ],
)
def test_a_files_list_of_banks_is_data(banks, message):
    with pytest.raises(InputError, match=message):
        build_detector({**SEVERAL, "fbo": {**SEVERAL["fbo"], "banks": banks}}, source="checkpoint x.ckpt")
