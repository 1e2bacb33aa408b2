"""Video Swin: torchvision's own model pools our map to its classes; other sizes, layer numbers."""

import pytest
import torch
from torchvision.models.video import swin3d_t

from lfb_lightning.models import Backbone, LayeredBackbone, Swin3d
from tests.models.golden import generator

TINY = {"embed_dims": 8, "depths": (1, 2, 1), "num_heads": (1, 2, 4), "window_size": (2, 3, 3)}


def test_torchvisions_classes_come_from_its_map():
    torch.manual_seed(0)
    theirs = swin3d_t(num_classes=5).eval()
    ours = Swin3d().eval()
    state = {name: value for name, value in theirs.state_dict().items() if not name.startswith("head.")}
    ours.load_state_dict(state)
    clips = torch.randn(1, 3, 4, 64, 96, generator=generator("clips", 0))
    with torch.inference_mode():
        torch.testing.assert_close(theirs.head(ours(clips).mean(dim=(2, 3, 4))), theirs(clips), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("frames", "size"), [(4, (32, 32)), (4, (48, 80)), (6, (50, 33))])
def test_any_size_gives_a_map_of_its_stride(frames, size):
    made = Swin3d(**TINY).eval()
    assert isinstance(made, Backbone)
    assert isinstance(made, LayeredBackbone)
    feature_map = made(torch.randn(2, 3, frames, *size, generator=generator("clips", 0)))
    assert feature_map.shape == (2, 32, frames // 2, *(-(-side // 16) for side in size))


def test_recomputing_changes_no_gradient():
    clips = torch.randn(2, 3, 4, 32, 48, generator=generator("clips", 1))
    gradients = []
    for recomputes in (False, True):
        torch.manual_seed(0)
        made = Swin3d(**TINY, drop_path_rate=0.0, gradient_checkpointing=recomputes)
        made(clips).square().mean().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in made.parameters()]))
    assert gradients[0].abs().sum() > 0
    torch.testing.assert_close(gradients[1], gradients[0])


def test_layers_are_numbered_from_the_clip():
    made = Swin3d(**TINY)
    numbers = {name: made.layer_of(name) for name, _ in made.named_parameters()}
    assert numbers["patch_embed.proj.weight"] == 0
    places = ["0.0.norm1", "1.norm", "2.0.norm1", "2.1.norm1", "3.norm", "4.0.norm1"]
    assert [numbers[f"features.{place}.weight"] for place in places] == [1, 2, 2, 3, 4, 4]
    assert numbers["norm.weight"] == 5


@pytest.mark.parametrize("wrong", [{"depths": (1, 1)}, {"window_size": (2, 2)}, {"drop_path_rate": -0.1}])
def test_numbers_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Swin3d(**{**TINY, **wrong})
