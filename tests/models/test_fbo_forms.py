"""The dense form of FBO-NL equals the packed one, for any bank; attention adds up; an FBO without it says so."""

import dataclasses
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lfb_lightning.bank.precision import encode
from lfb_lightning.models import FBOMax, FBONonLocal
from lfb_lightning.structures import Attention, BankWindow
from tests.models.test_detector import CLIPS, ROIS, tiny
from tests.models.test_fbo import C, D, make_case, make_nl


def stored(window, precision):
    rows, scales = encode(window.features.flatten(0, 1), precision)
    scales = None if scales is None else (scales.view(window.mask.shape) * window.mask)
    return BankWindow(features=rows.view_as(window.features), mask=window.mask, scales=scales)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    clips=st.integers(0, 4),
    slots=st.integers(0, 9),
    persons=st.integers(0, 6),
    fill=st.sampled_from([0.0, 0.1, 0.6, 1.0]),
    mask_padding=st.booleans(),
    norm_inputs=st.booleans(),
    pre_act=st.booleans(),
    precision=st.sampled_from(["fp32", "fp16", "bf16", "int8"]),
)
def test_dense_equals_packed(seed, clips, slots, persons, fill, mask_padding, norm_inputs, pre_act, precision):
    short_term, window, clip_of_roi = make_case(
        seed, clips=max(clips, 1), slots=slots, persons=persons if clips else 0, fill=fill
    )
    window = stored(BankWindow(window.features[:clips], window.mask[:clips]), precision)
    fbo = make_nl(seed, mask_padding=mask_padding, norm_inputs=norm_inputs, pre_act=pre_act).double()
    fbo.set_statistics(torch.linspace(-1, 1, C), torch.linspace(0.5, 2, C))
    results = {}
    for form in ("packed", "dense"):
        fbo.form = form
        results[form] = fbo(short_term.double(), window, clip_of_roi, return_attention=True)
    (features, attention), (dense, dense_attention) = results["packed"], results["dense"]
    torch.testing.assert_close(dense, features, atol=1e-6, rtol=1e-5)
    for field in dataclasses.fields(attention):
        one, other = getattr(attention, field.name), getattr(dense_attention, field.name)
        torch.testing.assert_close(other, one, atol=1e-6, rtol=1e-5)
    takes_part = window.mask.any(dim=1) if mask_padding else torch.full((clips,), slots > 0)
    total = attention.weights.sum(dim=2) + attention.empty
    torch.testing.assert_close(total, takes_part[clip_of_roi].float()[:, None].expand_as(total))
    assert not attention.weights[~window.mask[clip_of_roi][:, None].expand_as(attention.weights)].any()
    assert not (mask_padding and attention.empty.any())


@pytest.mark.parametrize("form", ["packed", "dense"])
def test_gradients_reach_every_parameter_and_equal_the_other_forms(form):
    case = make_case(3)
    gradients = {}
    for chosen in ("packed", form):
        fbo = make_nl()
        fbo.form = chosen
        fbo(*case).square().sum().backward()
        gradients[chosen] = torch.cat([parameter.grad.flatten() for parameter in fbo.parameters()])
    torch.testing.assert_close(gradients[form], gradients["packed"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("form", ["packed", "dense"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_attention_is_fp32_and_adds_up_in_half_precision(form, dtype):
    short_term, window, clip_of_roi = make_case(1, slots=60, persons=9)
    fbo = make_nl()
    fbo.form = form
    _, exact = fbo(short_term, window, clip_of_roi, return_attention=True)
    with torch.autocast("cpu", dtype=dtype):
        _, autocast = fbo(short_term, window, clip_of_roi, return_attention=True)
    _, half = fbo.to(dtype)(short_term.to(dtype), window, clip_of_roi, return_attention=True)
    for attention in (autocast, half):
        assert attention.weights.dtype == attention.empty.dtype == torch.float32
        total = attention.weights.sum(dim=2) + attention.empty
        torch.testing.assert_close(total, torch.ones_like(total))
        torch.testing.assert_close(attention.weights, exact.weights, atol=0.2, rtol=0)


def test_a_form_that_does_not_exist_is_refused():
    fbo = make_nl()
    fbo.form = "sparse"
    with pytest.raises(ValueError, match="form is 'sparse'"):
        fbo(*make_case(0))


def test_the_form_is_no_part_of_a_checkpoint():
    fbo = make_nl()
    fbo.form = "dense"
    assert list(fbo.state_dict()) == list(make_nl().state_dict())


class Glance(nn.Module):
    """A stranger's FBO that looks at the first slot only."""

    out_channels = 1
    attends = True

    def __init__(self, *, channels):
        super().__init__()

    def forward(self, short_term, window, clip_of_roi, return_attention=False):
        features = window.features[clip_of_roi, 0, :1]
        weights = nn.functional.one_hot(
            torch.zeros(len(clip_of_roi), 1, dtype=torch.long), window.mask.shape[1]
        ).float()
        return (features, Attention(weights, torch.zeros(len(clip_of_roi), 1))) if return_attention else features


@pytest.mark.parametrize("fbo", [Glance, partial(FBONonLocal, latent_channels=D)])
def test_a_detector_hands_out_the_attention_of_any_fbo_that_has_it(fbo):
    detector = tiny(fbo).eval()
    window = make_case(0, clips=2, width=detector.bank_channels, fill=1.0)[1]
    assert detector.attends
    logits, attention = detector(CLIPS, ROIS, window, return_attention=True)
    assert torch.equal(logits, detector(CLIPS, ROIS, window))
    short_term, clip_of_roi = detector.short_term_features(CLIPS, ROIS), ROIS[:, 0].long()
    _, expected = detector.fbo(short_term, window, clip_of_roi, return_attention=True)
    assert torch.equal(attention.weights, expected.weights)
    assert attention.to("cpu").empty.shape == expected.weights.shape[:2]


def test_a_detector_without_attention_says_so():
    detector = tiny(FBOMax).eval()
    assert not detector.attends
    with pytest.raises(ValueError, match="FBOMax has no attention"):
        detector.classify(torch.zeros(1, 32), None, torch.zeros(1, dtype=torch.long), return_attention=True)
