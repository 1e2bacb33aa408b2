"""`python -m benchmarks.reference_models`: SlowOnly R50 LFB-NL against the reference implementation's modules, rebuilt from their description.

The reference implementation's model here is plain torch: the same Conv3d/BatchNorm3d backbone, RoIAlign on the time average, and FBO-NL on
1x1x1 convolutions over a padded window per person. Both are given equal weights, their outputs are compared, and forward
passes and training steps are timed in turn, so that a drifting machine drifts for both.
"""

from __future__ import annotations

from functools import partial
from statistics import median

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import roi_align

from benchmarks.timing import in_turn, ratios
from lfb_lightning.models import FBONonLocal, MultiLabelLoss, ResNet3d, RoIFeatures, assemble_detector
from lfb_lightning.structures import BankWindow

CLIPS, PERSONS, SECONDS, PER_SECOND = 2, 3, 60, 5


class ReferenceConvBN(nn.Module):
    def __init__(self, conv_bn: nn.Module) -> None:
        super().__init__()
        self.conv, self.bn = conv_bn.conv, conv_bn.bn
        self.activate = nn.ReLU(inplace=True) if isinstance(conv_bn.relu, nn.ReLU) else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn(self.conv(x))
        return x if self.activate is None else self.activate(x)


class ReferenceBlock(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (ReferenceConvBN(part) for part in (block.conv1, block.conv2, block.conv3))
        self.downsample = None if isinstance(block.downsample, nn.Identity) else ReferenceConvBN(block.downsample)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        return self.relu(self.conv3(self.conv2(self.conv1(x))) + identity)


def conv_of(linear: nn.Linear) -> nn.Conv3d:
    conv = nn.Conv3d(linear.in_features, linear.out_features, 1)
    conv.weight = nn.Parameter(linear.weight.detach().view(*linear.weight.shape, 1, 1, 1).clone())
    conv.bias = nn.Parameter(linear.bias.detach().clone())
    return conv


class ReferenceLayer(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.theta, self.phi, self.g, self.out = (
            conv_of(part) for part in (layer.query, layer.key, layer.value, layer.out)
        )
        self.norm = nn.LayerNorm([self.out.in_channels, 1, 1, 1])
        self.dropout = layer.dropout

    def forward(self, short: torch.Tensor, long: torch.Tensor) -> torch.Tensor:
        theta = self.theta(short).flatten(2).transpose(1, 2)  # [R, 1, D]
        phi, g = self.phi(long).flatten(2), self.g(long).flatten(2)  # [R, D, S]
        weights = torch.softmax(theta @ phi / theta.shape[2] ** 0.5, dim=2)
        found = (g @ weights.transpose(1, 2)).view_as(short)
        return self.dropout(self.out(F.relu(self.norm(found))))


class Reference(nn.Module):
    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        backbone, fbo = detector.backbone, detector.fbo
        self.stem, self.pool, self.scale = ReferenceConvBN(backbone.stem), backbone.pool, 1 / backbone.stride
        self.layers = nn.Sequential(*(nn.Sequential(*map(ReferenceBlock, stage)) for stage in backbone.stages))
        self.short, self.long = conv_of(fbo.short_term_projection), conv_of(fbo.long_term_projection)
        self.nonlocals = nn.ModuleList(map(ReferenceLayer, fbo.layers))
        self.dropout, self.head_dropout = nn.Dropout(0.2), detector.dropout
        self.head = nn.Linear(detector.head.in_features, detector.head.out_features)
        self.head.load_state_dict(detector.head.state_dict())

    def forward(self, clips: torch.Tensor, rois: torch.Tensor, window: BankWindow) -> torch.Tensor:
        mean = self.layers(self.pool(self.stem(clips))).mean(2)
        roi = roi_align(mean, rois, 8, self.scale, 0, True).amax((2, 3))[:, :, None, None, None]
        bank = window.features[rois[:, 0].long()].transpose(1, 2)[..., None, None].contiguous()
        short, long = self.dropout(self.short(roi)), self.dropout(self.long(bank))
        for layer in self.nonlocals:
            short = short + layer(short, long)
        return self.head(self.head_dropout(torch.cat([roi, short], 1).flatten(1)))


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(2)
    ours = assemble_detector(
        backbone=ResNet3d(depth=50),
        roi_features=RoIFeatures(),
        fbo=lambda channels: FBONonLocal(channels=channels),
        num_classes=81,
        dropout=0.5,
    )
    for layer in ours.fbo.layers:
        nn.init.normal_(layer.out.weight, std=0.02)
    reference = Reference(ours)
    clips = torch.randn(CLIPS, 3, 4, 256, 340)
    rois = torch.tensor([[i, 20.0 + 30 * p, 20, 150 + 30 * p, 240] for i in range(CLIPS) for p in range(PERSONS)])
    filled = torch.rand(CLIPS, SECONDS * PER_SECOND) < 0.46  # 2.3 of 5 persons a second
    window = BankWindow(features=torch.randn(CLIPS, SECONDS * PER_SECOND, 2048) * filled[:, :, None], mask=filled)
    labels = (torch.rand(len(rois), 81) < 0.05).float()
    models = {"ours": ours, "reference": reference}

    def forward(model: nn.Module) -> torch.Tensor:
        with torch.inference_mode():
            return model(clips, rois, window)

    def step(model: nn.Module) -> None:
        model.zero_grad(set_to_none=True)
        MultiLabelLoss()(model(clips, rois, window), labels).backward()

    for model in models.values():
        model.eval()
    difference = (forward(ours) - forward(reference)).abs().max().item()
    print(f"largest difference of logits: {difference:.1e}\n")
    print("| 2 clips x 3 persons, 4 x 256 x 340, fp32, two cores | ours, s | reference, s | ratio (median of pairs) |")
    print("|---|---|---|---|")
    for name, work, repeats in (("forward", forward, 7), ("training step (forward, loss, backward)", step, 5)):
        for model in models.values():
            model.train(work is step)
        times = in_turn({key: partial(work, model) for key, model in models.items()}, rounds=repeats)
        print(
            f"| {name} | {median(times['ours']):.2f} | {median(times['reference']):.2f} | {median(ratios(times, 'ours', 'reference')):.2f} |"
        )


if __name__ == "__main__":
    main()
