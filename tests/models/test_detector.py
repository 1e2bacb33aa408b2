"""The detector: shapes by value, frozen parts, checkpoints that rebuild, and learning on eight samples."""

from functools import partial

import pytest
import torch
from torch import nn

from lfb_lightning.errors import InputError
from lfb_lightning.models import (
    FBOMax,
    FBONone,
    FBONonLocal,
    MultiLabelLoss,
    ResNet3d,
    RoIFeatures,
    assemble_detector,
    build_detector,
    load_detector,
    state_digest,
)
from lfb_lightning.models.loading import start_from
from lfb_lightning.models.losses import labeled
from lfb_lightning.structures import BankWindow

SPEC = {
    "_target_": "lfb_lightning.models.assemble_detector",
    "backbone": {
        "_target_": "lfb_lightning.models.ResNet3d",
        "stage_blocks": [1, 1],
        "base_channels": 4,
        "spatial_strides": [1, 2],
        "temporal_kernels": [1, 3],
    },
    "roi_features": {"_target_": "lfb_lightning.models.RoIFeatures", "output_size": 3},
    "fbo": {"_target_": "lfb_lightning.models.FBONone", "_partial_": True},
    "num_classes": 6,
}


NO_BANK = partial(FBONone)


def tiny(fbo=NO_BANK, **options):
    torch.manual_seed(0)
    backbone = ResNet3d(stage_blocks=(1, 1), base_channels=4, spatial_strides=(1, 2), temporal_kernels=(1, 3))
    return assemble_detector(
        backbone=backbone, roi_features=RoIFeatures(output_size=3), fbo=fbo, num_classes=6, **options
    )


def save(path, detector, spec=SPEC):
    import yaml

    weights = {f"detector.{key}": value for key, value in detector.state_dict().items()}
    torch.save({"state_dict": weights, "hyper_parameters": {"config": yaml.safe_dump({"model": spec})}}, path)


CLIPS = torch.randn(2, 3, 4, 32, 48, generator=torch.Generator().manual_seed(1))
ROIS = torch.tensor([[0, 2.0, 3, 20, 30], [1, 0, 0, 48, 32], [1, 30, 5, 47, 31]])


def test_slowonly_r50_has_the_layout_of_the_literature():
    backbone = ResNet3d(depth=50)
    assert (backbone.out_channels, backbone.stride) == (2048, 16)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 31_634_496
    kernels = [stage[0].conv1.conv.kernel_size[0] for stage in backbone.stages]
    assert kernels == [1, 1, 3, 3]


def test_backbone_keeps_time_and_strides_space():
    backbone = tiny().backbone.eval()
    assert backbone(CLIPS).shape == (2, 32, 4, 4, 6)


def test_persons_of_a_clip_do_not_see_other_clips():
    detector = tiny().eval()
    both = detector(CLIPS, ROIS)
    alone = detector(CLIPS[1:], torch.cat([torch.zeros(2, 1), ROIS[1:, 1:]], dim=1))
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=1e-5)


def test_roi_feature_is_the_maximum_of_the_time_average_on_a_flat_map():
    feature_map = torch.zeros(1, 1, 2, 4, 4)
    feature_map[0, 0, 0], feature_map[0, 0, 1] = 1.0, 4.0
    assert RoIFeatures(output_size=2)(
        feature_map, torch.tensor([[0, 8.0, 8, 24, 24]]), stride=8
    ).item() == pytest.approx(2.5)


def test_no_persons_is_normal():
    detector = tiny()
    logits = detector(CLIPS, torch.zeros(0, 5))
    assert logits.shape == (0, 6)
    MultiLabelLoss()(logits, torch.zeros(0, 6)).backward()
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in detector.parameters())


def test_frozen_backbone_stays_as_loaded():
    detector = tiny(partial(FBOMax), frozen_backbone=True)
    assert not detector.backbone.training  # as made, before anyone calls train()
    before = state_digest(detector.backbone)
    window = BankWindow(features=torch.ones(2, 3, 32), mask=torch.ones(2, 3, dtype=torch.bool))
    loss = MultiLabelLoss()(detector(CLIPS, ROIS, window), torch.ones(3, 6))
    loss.backward()
    assert all(parameter.grad is None for parameter in detector.backbone.parameters())
    assert detector.head.weight.grad is not None
    assert state_digest(detector.backbone) == before


def test_frozen_batch_norm_keeps_statistics():
    backbone = ResNet3d(
        stage_blocks=(1,), base_channels=4, spatial_strides=(1,), temporal_kernels=(1,), freeze_batch_norm=True
    )
    before = backbone.stem.bn.running_mean.clone()
    assert not backbone.stem.bn.training  # as made, before anyone calls train()
    backbone(CLIPS)
    backbone.train()(CLIPS)
    assert torch.equal(backbone.stem.bn.running_mean, before)
    synchronized = nn.SyncBatchNorm.convert_sync_batchnorm(backbone)  # as trainer.sync_batchnorm=true does
    assert isinstance(synchronized.stem.bn, nn.SyncBatchNorm)
    assert not synchronized.train().stem.bn.training


def test_loss_by_hand():
    # The mean over 2 actions of softplus(-2) and softplus(-1): background and the row without action carry nothing.
    logits = torch.tensor([[5.0, 2.0, -1.0], [9.0, 9.0, 9.0]])
    labels = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert MultiLabelLoss()(logits, labels).item() == pytest.approx((0.126928 + 0.313262) / 2, abs=1e-6)
    assert labeled(labels).tolist() == [True, False]
    assert MultiLabelLoss()(logits, torch.zeros(2, 3)).item() == 0.0


def test_loss_falls_on_eight_samples():
    torch.manual_seed(3)
    detector = tiny(partial(FBONonLocal, latent_channels=8), dropout=0.0).train()
    clips, rois = torch.randn(8, 3, 4, 32, 32), torch.tensor([[i, 4.0, 4, 28, 28] for i in range(8)])
    window = BankWindow(features=torch.randn(8, 5, 32), mask=torch.rand(8, 5) < 0.7)
    labels = torch.zeros(8, 6)
    labels[torch.arange(8), torch.arange(8) % 5 + 1] = 1.0
    optimizer = torch.optim.AdamW(detector.parameters(), lr=1e-2)
    losses = []
    for _ in range(80):
        loss = MultiLabelLoss()(detector(clips, rois, window), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_checkpoint_rebuilds_the_detector(tmp_path):
    detector = tiny().eval()
    save(tmp_path / "model.ckpt", detector)
    torch.testing.assert_close(load_detector(tmp_path / "model.ckpt")(CLIPS, ROIS), detector(CLIPS, ROIS))


def test_configuration_cannot_call_anything_else():
    with pytest.raises(InputError, match=r"os\.system.*not part of"):
        build_detector({"_target_": "os.system", "command": "true"})
    with pytest.raises(InputError, match="not part of"):
        build_detector({**SPEC, "backbone": {"_target_": "lfb_lightning.bank.BankWriter"}})


def test_malicious_checkpoint_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "pwned"), "w"))

    torch.save({"state_dict": {}, "hyper_parameters": Evil()}, tmp_path / "evil.ckpt")
    with pytest.raises(InputError, match="no known layout"):
        load_detector(tmp_path / "evil.ckpt")
    assert not (tmp_path / "pwned").exists()


def test_missing_and_foreign_checkpoints_say_what_to_do(tmp_path):
    with pytest.raises(InputError, match="lfb-train fbo=none"):
        load_detector(tmp_path / "none.ckpt")
    torch.save({"weights": torch.zeros(1)}, tmp_path / "foreign.ckpt")
    with pytest.raises(InputError, match="no known layout"):
        load_detector(tmp_path / "foreign.ckpt")


def test_weights_that_do_not_fit_are_named(tmp_path):
    save(tmp_path / "model.ckpt", tiny(), {**SPEC, "num_classes": 9})
    with pytest.raises(InputError, match=r"of another shape \['head.bias', 'head.weight'\]"):
        load_detector(tmp_path / "model.ckpt")


def test_lfb_detector_starts_as_the_baseline(tmp_path):
    baseline = tiny()
    torch.nn.init.normal_(baseline.head.weight)
    save(tmp_path / "baseline.ckpt", baseline)
    torch.manual_seed(9)
    detector = tiny(partial(FBOMax)).eval()
    torch.nn.init.zeros_(detector.head.weight)
    start_from(detector, tmp_path / "baseline.ckpt")
    window = BankWindow(features=torch.ones(2, 3, 32), mask=torch.ones(2, 3, dtype=torch.bool))
    torch.testing.assert_close(detector(CLIPS, ROIS, window), baseline.eval()(CLIPS, ROIS))


def test_i3d_nl_halves_time_and_keeps_stride_sixteen():
    torch.manual_seed(0)
    backbone = ResNet3d(
        depth=50,
        base_channels=4,
        stem_temporal_kernel=5,
        temporal_kernels=(3, (3, 1, 3, 1), (3, 1, 3, 1, 3, 1), (1, 3, 1)),
        nonlocal_after=((), (1, 3), (1, 3, 5), ()),
        nonlocal_group_frames=4,
        spatial_dilations=(1, 1, 1, 2),
        halve_time=True,
    ).eval()
    clips = torch.randn(1, 3, 16, 64, 64)
    assert backbone(clips).shape == (1, 128, 8, 4, 4)
    assert sorted(backbone.nonlocals) == ["1_1", "1_3", "2_1", "2_3", "2_5"]


def test_new_nonlocal_block_is_the_identity_and_attends_in_groups():
    from lfb_lightning.models.backbones.nonlocal3d import NonLocal3d

    torch.manual_seed(0)
    block = NonLocal3d(8, group_frames=2).eval()
    x = torch.randn(2, 8, 4, 4, 4)
    torch.testing.assert_close(block(x), x)
    torch.nn.init.normal_(block.out.weight)
    changed = x.clone()
    changed[:, :, 3] += 1  # the second group
    before, after = block(x), block(changed)
    torch.testing.assert_close(after[:, :, :2], before[:, :, :2])
    assert not torch.allclose(after[:, :, 2], before[:, :, 2])
    with pytest.raises(ValueError, match="groups of 2"):
        block(x[:, :, :3])


@pytest.mark.parametrize("freeze", [False, True])
def test_gradient_checkpointing_changes_no_bit(freeze):
    def trained(**options):
        torch.manual_seed(0)
        backbone = ResNet3d(
            stage_blocks=(2, 1),
            base_channels=4,
            spatial_strides=(1, 2),
            temporal_kernels=(1, 3),
            nonlocal_after=((0,), ()),
            halve_time=True,
            freeze_batch_norm=freeze,
            **options,
        )
        for name, parameter in backbone.named_parameters():
            torch.nn.init.normal_(parameter, std=0.5) if name.endswith("out.weight") else None
        for _ in range(2):
            backbone(CLIPS).square().sum().backward()
        gradients = {name: parameter.grad for name, parameter in backbone.named_parameters()}
        return gradients, backbone.state_dict()

    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.nbytes) or tensor, lambda t: t):
        plain = trained()
        most, kept[:] = sum(kept), []
        recomputed = trained(gradient_checkpointing=True)
    for one, other in zip(recomputed, plain, strict=True):
        assert list(one) == list(other)
        for name, value in one.items():
            assert value is None if other[name] is None else torch.equal(value, other[name]), name
    assert plain[1]["stem.bn.num_batches_tracked"] == (0 if freeze else 2)
    assert sum(kept) < most / 2
