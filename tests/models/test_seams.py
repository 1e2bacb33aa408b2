"""A backbone, region features and an FBO of a stranger: trained, saved, rebuilt; what they lack is named in a line."""

import sys
from functools import partial

import pytest
import torch
import yaml
from torch import nn

from lfb_lightning.errors import InputError
from lfb_lightning.models import (
    FBO,
    ActionDetector,
    Backbone,
    FBOMax,
    FBONone,
    FBONonLocal,
    GlobalMean,
    LayeredBackbone,
    RegionFeatures,
    ResNet3d,
    RoIFeatures,
    assemble_detector,
    load_detector,
)
from lfb_lightning.structures import BankWindow
from tests.models.test_detector import CLIPS, ROIS, tiny

PARTS = '''
import torch
from torch import nn


class Patches(nn.Module):
    """A backbone of one convolution."""

    def __init__(self, *, width=5):
        super().__init__()
        self.out_channels = width
        self.stride = 8
        self.embed = nn.Conv3d(3, width, (2, 8, 8), stride=(2, 8, 8))

    def forward(self, clips):
        return self.embed(clips)


class Corner(nn.Module):
    """Region features: the map's first cell, times a learned scale."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, feature_map, rois, *, stride):
        return self.scale * feature_map[rois[:, 0].long(), :, 0, 0, 0]


class Sum(nn.Module):
    """An FBO that adds its window up, of any width."""

    def __init__(self, channels, bank_channels=None):
        super().__init__()
        self.out_channels = 2
        self.project = nn.Linear(bank_channels or channels, 2)

    def forward(self, short_term, window, clip_of_roi):
        return self.project(window.padded(short_term.dtype).sum(dim=1))[clip_of_roi]
'''
MODEL = {
    "_target_": "lfb_lightning.models.assemble_detector",
    "backbone": {"_target_": "own_parts.Patches", "width": 4},
    "roi_features": {"_target_": "own_parts.Corner"},
    "fbo": {"_target_": "own_parts.Sum", "_partial_": True},
    "num_classes": 3,
    "bank_channels": 6,
}
WINDOW = BankWindow(features=torch.arange(36.0).view(2, 3, 6), mask=torch.ones(2, 3, dtype=torch.bool))


@pytest.fixture
def parts(tmp_path, monkeypatch):
    (tmp_path / "own_parts.py").write_text(PARTS)
    monkeypatch.syspath_prepend(tmp_path)
    import own_parts

    yield own_parts
    del sys.modules["own_parts"]


def test_a_strangers_parts_train_are_saved_and_are_rebuilt(parts, tmp_path):
    torch.manual_seed(0)
    detector = assemble_detector(
        backbone=parts.Patches(width=4), roi_features=parts.Corner(), fbo=parts.Sum, num_classes=3, bank_channels=6
    )
    assert (detector.channels, detector.bank_channels, detector.stride) == (4, 6, 8)
    assert detector.reads_bank  # it does not say so
    assert not detector.needs_bank_statistics
    assert detector.describe_backbone() == "Patches"
    optimizer = torch.optim.SGD(detector.parameters(), lr=0.1)
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    detector(CLIPS, ROIS, WINDOW).square().sum().backward()
    optimizer.step()
    assert [name for name, value in detector.state_dict().items() if torch.equal(value, before[name])] == []
    weights = {f"detector.{name}": value for name, value in detector.state_dict().items()}
    config = yaml.safe_dump({"model": MODEL})
    torch.save({"state_dict": weights, "hyper_parameters": {"config": config}}, tmp_path / "own.ckpt")
    rebuilt = load_detector(tmp_path / "own.ckpt", trusted_packages=["own_parts"])
    torch.testing.assert_close(rebuilt(CLIPS, ROIS, WINDOW), detector.eval()(CLIPS, ROIS, WINDOW))
    with pytest.raises(InputError, match=r"trusted_packages=\[own_parts\]"):
        load_detector(tmp_path / "own.ckpt")


class Bare(nn.Module):
    def __init__(self, **attributes):
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)


@pytest.mark.parametrize(
    ("backbone", "fbo", "message"),
    [
        (
            Bare(stride=8),
            FBONone(),
            r"^model\.backbone: Bare has no out_channels, expected a whole number of at least 1",
        ),
        (Bare(out_channels=4), FBONone(), r"^model\.backbone: Bare has no stride, expected"),
        (Bare(out_channels=4, stride=0.5), FBONone(), r"^model\.backbone: Bare has 0\.5 as stride"),
        (Bare(out_channels=0, stride=8), FBONone(), r"^model\.backbone: Bare has 0 as out_channels"),
        (Bare(out_channels=4, stride=8), Bare(), r"^model\.fbo: Bare has no out_channels, expected .* at least 0"),
    ],
)
def test_what_a_part_lacks_is_named(backbone, fbo, message):
    for make in (
        partial(assemble_detector, fbo=lambda channels: fbo),
        partial(ActionDetector, fbo=fbo),
    ):
        with pytest.raises(InputError, match=message):
            make(backbone=backbone, roi_features=GlobalMean(), num_classes=2)


def test_an_fbo_of_channels_only_works_until_a_width_is_asked_of_it():
    assert tiny(lambda channels: FBOMax(channels=channels)).bank_channels == 32
    with pytest.raises(TypeError, match="bank_channels"):
        tiny(lambda channels: FBOMax(channels=channels), bank_channels=6)
    with pytest.raises(InputError, match=r"model\.bank_channels is 0"):
        tiny(bank_channels=0)


def test_statistics_go_to_the_fbo_that_wants_them():
    mean, std = torch.arange(32.0), torch.full((32,), 2.0)
    wanting = tiny(partial(FBONonLocal, latent_channels=4, norm_inputs=True))
    indifferent = tiny(partial(FBONonLocal, latent_channels=4))
    for detector in (wanting, indifferent, tiny()):
        detector.set_bank_statistics(mean, std)
    assert (wanting.needs_bank_statistics, indifferent.needs_bank_statistics) == (True, False)
    assert torch.equal(wanting.fbo.mean, mean)
    assert not indifferent.fbo.mean.any()
    silent = Bare(out_channels=1)
    given = []
    silent.set_statistics = lambda *both: given.append(both)
    tiny(lambda channels: silent).set_bank_statistics(mean, std)
    assert given == [(mean, std)]


def test_our_parts_keep_their_protocols():
    backbone = ResNet3d(stage_blocks=(1, 1), base_channels=1, spatial_strides=(1, 1), temporal_kernels=(1, 1))
    assert isinstance(backbone, Backbone)
    assert isinstance(backbone, LayeredBackbone)
    assert isinstance(FBONonLocal(channels=4, latent_channels=4), FBO)
    assert isinstance(FBONone(), FBO)
    assert isinstance(GlobalMean(), RegionFeatures)
    assert isinstance(RoIFeatures(), RegionFeatures)
    assert (tiny().reads_bank, tiny(FBOMax).reads_bank) == (False, True)


def test_a_banks_line_about_the_backbone_never_changes():
    assert tiny().describe_backbone() == "ResNet3d, stages of 1, 1 blocks"  # in the digest of every bank made with it


def test_global_mean_by_hand():
    feature_map = torch.zeros(2, 1, 2, 2, 2)
    feature_map[1, 0] = torch.tensor([[[1.0, 2], [3, 4]], [[5, 6], [7, 16]]])
    rois = torch.tensor([[1, 0.0, 0, 1, 1], [0, 0, 0, 8, 8], [1, 0, 0, 8, 8]])
    assert GlobalMean()(feature_map, rois, stride=8).tolist() == [[5.5], [0.0], [5.5]]
    assert GlobalMean()(feature_map, torch.zeros(0, 5), stride=8).shape == (0, 1)
