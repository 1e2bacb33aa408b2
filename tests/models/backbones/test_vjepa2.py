"""V-JEPA 2: transformers' own model on the square clips that it is right on; the positions of a token on any others."""

import pytest
import torch
import transformers

from lfb_lightning.errors import InputError
from lfb_lightning.models import VJEPA2, Backbone, LayeredBackbone
from lfb_lightning.models.backbones.vjepa2 import _places
from tests.models.golden import generator

TINY = {"embed_dims": 48, "depth": 2, "num_heads": 4}


def clips_of(*size):
    return torch.randn(2, 3, *size, generator=generator("clips", 0))


def test_square_clips_equal_transformers_own_model():
    config = transformers.VJEPA2Config(hidden_size=48, num_hidden_layers=2, num_attention_heads=4, crop_size=64)
    torch.manual_seed(0)
    theirs = transformers.VJEPA2Model(config).eval()
    ours = VJEPA2(**TINY).eval()
    encoder = {name: value for name, value in theirs.state_dict().items() if name.startswith("encoder.")}
    ours.load_state_dict(encoder)
    clips = clips_of(8, 64, 64)
    with torch.inference_mode():
        tokens = theirs(clips.transpose(1, 2), skip_predictor=True).last_hidden_state
        torch.testing.assert_close(ours(clips), tokens.transpose(1, 2).unflatten(2, (4, 4, 4)), atol=1e-5, rtol=1e-5)


def test_a_token_has_its_step_row_and_column_for_a_place():
    places = _places((2, 3, 5), torch.device("cpu"))[0]
    attention = VJEPA2(**TINY).encoder.layer[0].attention
    steps, rows, columns = attention.get_position_ids(torch.zeros(1, 30, 48), masks=places[None])
    expected = [(t, y, x) for t in range(2) for y in range(3) for x in range(5)]
    for found, wanted in zip((steps, rows, columns), zip(*expected, strict=True), strict=True):
        assert found.shape == (1, 4, 30)
        assert (found == torch.tensor(wanted)).all()


def test_any_size_gives_a_map_of_its_stride_and_recomputing_changes_no_gradient():
    gradients = []
    for recomputes in (False, True):
        torch.manual_seed(0)
        made = VJEPA2(**TINY, gradient_checkpointing=recomputes)
        assert isinstance(made, Backbone)
        assert isinstance(made, LayeredBackbone)
        feature_map = made(clips_of(5, 40, 70))
        assert feature_map.shape == (2, 48, 2, 2, 4)
        feature_map.square().mean().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in made.parameters()]))
    torch.testing.assert_close(gradients[1], gradients[0])


def test_layers_are_numbered_from_the_clip():
    made = VJEPA2(**TINY)
    numbers = {name: made.layer_of(name) for name, _ in made.named_parameters()}
    assert numbers["encoder.embeddings.patch_embeddings.proj.weight"] == 0
    assert [numbers[f"encoder.layer.{index}.norm1.weight"] for index in range(2)] == [1, 2]
    assert numbers["encoder.layernorm.weight"] == 3


def test_clips_that_are_too_small_or_too_large_are_refused():
    for size in ((1, 64, 64), (4, 15, 64), (2, 16, 16 * 257)):
        with pytest.raises(InputError, match="whole tubes of 2 frames and 16 x 16 pixels"):
            VJEPA2(**TINY)(clips_of(*size))
