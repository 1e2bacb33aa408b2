"""FBOs equal naive loops over persons and slots; empty slots, order and batching behave as stated."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lfb_lightning.models import FBOAvg, FBOMax, FBONone, FBONonLocal
from lfb_lightning.structures import BankWindow

C, D = 6, 8
WIDE = 9


def make_case(seed, clips=3, slots=7, persons=5, fill=0.6, width=C):
    g = torch.Generator().manual_seed(seed)
    mask = torch.rand(clips, slots, generator=g) < fill
    features = torch.randn(clips, slots, width, generator=g) * mask[:, :, None]
    short_term = torch.randn(persons, C, generator=g)
    clip_of_roi = torch.randint(0, clips, (persons,), generator=g)
    return short_term, BankWindow(features=features, mask=mask), clip_of_roi


def make_nl(seed=0, **options):
    torch.manual_seed(seed)
    fbo = FBONonLocal(channels=C, latent_channels=D, num_layers=2, dropout=0.2, **options).eval()
    for parameter in fbo.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return fbo


def naive_nl(fbo, short_term, window, clip_of_roi, *, pre_act=True):
    """Section 3.3 of the paper, person by person and slot by slot."""

    def norm(layer, x):
        return F.layer_norm(x, (D,), layer.weight.double(), layer.bias.double(), layer.eps)

    outputs, looked, at_empty = [], [], []
    for person, clip in zip(short_term, clip_of_roi.tolist(), strict=True):
        slots = [(window.features[clip, s].double(), bool(window.mask[clip, s])) for s in range(window.mask.shape[1])]
        if fbo.mask_padding:
            slots = [slot for slot in slots if slot[1]]

        def linear(layer, x):
            return layer.weight.double() @ x + layer.bias.double()

        def standard(x, filled=True):
            as_bank = fbo.norm_inputs and filled and len(x) == len(fbo.mean)
            return (x - fbo.mean.double()) / fbo.std.double() if as_bank else x

        memory = [linear(fbo.long_term_projection, standard(value, filled)) for value, filled in slots]
        x = linear(fbo.short_term_projection, standard(person.double()))
        attention = torch.zeros(len(fbo.layers), window.mask.shape[1])
        empty = torch.zeros(len(fbo.layers))
        for number, layer in enumerate(fbo.layers):
            if not memory:
                x = x if pre_act else F.relu(x)
                continue
            logits = torch.stack([linear(layer.query, x) @ linear(layer.key, m) / math.sqrt(D) for m in memory])
            weights = torch.softmax(logits, 0)
            of_slots = iter(weights.tolist())
            for s in range(window.mask.shape[1]):
                if window.mask[clip, s]:
                    attention[number, s] = next(of_slots)
                elif not fbo.mask_padding:
                    empty[number] += next(of_slots)
            found = sum(w * linear(layer.value, m) for w, m in zip(weights, memory, strict=True))
            if pre_act:
                x = x + linear(layer.out, F.relu(norm(layer.norm, found)))
            else:
                x = F.relu(x + norm(layer.norm, linear(layer.out, found)))
        outputs.append(x)
        looked.append(attention)
        at_empty.append(empty)
    if not outputs:
        layers = len(fbo.layers)
        return torch.zeros(0, D), torch.zeros(0, layers, window.mask.shape[1]), torch.zeros(0, layers)
    return torch.stack(outputs).float(), torch.stack(looked), torch.stack(at_empty)


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    mask_padding=st.booleans(),
    norm_inputs=st.booleans(),
    persons=st.integers(0, 6),
    fill=st.sampled_from([0.0, 0.3, 1.0]),
    pre_act=st.booleans(),
    width=st.sampled_from([C, WIDE]),
    slots=st.sampled_from([0, 1, 7]),
    form=st.sampled_from(["packed", "dense"]),
)
def test_nl_and_its_attention_equal_the_naive_double_loop(
    seed, mask_padding, norm_inputs, persons, fill, pre_act, width, slots, form
):
    case = make_case(seed, persons=persons, fill=fill, width=width, slots=slots)
    options = {"mask_padding": mask_padding, "norm_inputs": norm_inputs, "pre_act": pre_act}
    fbo = make_nl(seed, bank_channels=None if width == C else width, **options)
    fbo.set_statistics(torch.linspace(-1, 1, width), torch.linspace(0.5, 2, width))
    fbo.form = form
    expected, weights, empty = naive_nl(fbo, *case, pre_act=pre_act)
    features, attention = fbo(*case, return_attention=True)
    torch.testing.assert_close(features, expected, atol=2e-5, rtol=2e-5)
    torch.testing.assert_close(attention.weights, weights, atol=2e-5, rtol=2e-5)
    torch.testing.assert_close(attention.empty, empty, atol=2e-5, rtol=2e-5)
    assert torch.equal(fbo(*case), features)


def test_post_activation_by_hand():
    # One slot, so y = g(l) = (3, 1), W_o = 1: LN(y) = (1, -1), s = (-2, 0.5): relu((-1, -0.5)) and then relu(LN + that).
    fbo = FBONonLocal(channels=2, bank_channels=3, latent_channels=2, num_layers=2, pre_act=False).eval()
    for linear in (
        fbo.short_term_projection,
        *(layer.out for layer in fbo.layers),
        *(layer.value for layer in fbo.layers),
    ):
        torch.nn.init.eye_(linear.weight)
    torch.nn.init.eye_(fbo.long_term_projection.weight)  # of the bank's three channels the first two
    window = BankWindow(features=torch.tensor([[[3.0, 1.0, 7.0]]]), mask=torch.ones(1, 1, dtype=torch.bool))
    found = fbo(torch.tensor([[-2.0, 0.5]]), window, torch.zeros(1, dtype=torch.long))
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.0]]), atol=1e-4, rtol=0)


def test_a_new_post_activation_layer_is_a_relu():
    fbo = FBONonLocal(channels=C, latent_channels=D, num_layers=2, pre_act=False).eval()
    short_term, window, clip_of_roi = make_case(3)
    expected = fbo.short_term_projection(short_term).relu()
    torch.testing.assert_close(fbo(short_term, window, clip_of_roi), expected)


@pytest.mark.parametrize("cls", [FBOAvg, FBOMax])
def test_pooling_has_the_banks_width(cls):
    fbo = cls(channels=C, bank_channels=WIDE, mask_padding=True)
    short_term, window, clip_of_roi = make_case(6, width=WIDE, fill=1.0)
    pooled = window.features.mean(dim=1) if cls is FBOAvg else window.features.amax(dim=1)
    assert fbo.out_channels == WIDE
    torch.testing.assert_close(fbo(short_term, window, clip_of_roi), pooled[clip_of_roi])


@pytest.mark.parametrize("mask_padding", [True, False])
@pytest.mark.parametrize("make", [make_nl, lambda **o: FBOAvg(channels=C, **o), lambda **o: FBOMax(channels=C, **o)])
def test_order_of_slots_changes_nothing(make, mask_padding):
    fbo = make(mask_padding=mask_padding)
    short_term, window, clip_of_roi = make_case(1)
    order = torch.randperm(window.mask.shape[1])
    shuffled = BankWindow(features=window.features[:, order], mask=window.mask[:, order])
    torch.testing.assert_close(fbo(short_term, shuffled, clip_of_roi), fbo(short_term, window, clip_of_roi))


@pytest.mark.parametrize("make", [make_nl, lambda **o: FBOAvg(channels=C, **o), lambda **o: FBOMax(channels=C, **o)])
def test_masked_slots_change_nothing(make):
    fbo = make(mask_padding=True)
    short_term, window, clip_of_roi = make_case(2)
    more = BankWindow(features=F.pad(window.features, (0, 0, 0, 4)), mask=F.pad(window.mask, (0, 4), value=False))
    torch.testing.assert_close(fbo(short_term, more, clip_of_roi), fbo(short_term, window, clip_of_roi))


def test_avg_and_max_by_hand():
    features = torch.tensor([[[-1.0, 4.0], [-3.0, 2.0], [0.0, 0.0]]])
    window = BankWindow(features=features, mask=torch.tensor([[True, True, False]]))
    one = torch.zeros(1, 2), window, torch.zeros(1, dtype=torch.long)
    assert FBOAvg(channels=2, mask_padding=True)(*one).tolist() == [[-2.0, 3.0]]
    assert FBOMax(channels=2, mask_padding=True)(*one).tolist() == [[-1.0, 4.0]]
    torch.testing.assert_close(FBOAvg(channels=2)(*one), torch.tensor([[-4 / 3, 2.0]]))
    assert FBOMax(channels=2)(*one).tolist() == [[0.0, 4.0]]


@pytest.mark.parametrize("cls", [FBOAvg, FBOMax])
def test_empty_window_pools_to_zero(cls):
    window = BankWindow(features=torch.zeros(1, 3, C), mask=torch.zeros(1, 3, dtype=torch.bool))
    assert not cls(channels=C, mask_padding=True)(torch.ones(2, C), window, torch.zeros(2, dtype=torch.long)).any()


def test_new_nl_layer_adds_nothing():
    fbo = FBONonLocal(channels=C, latent_channels=D, num_layers=3).eval()
    short_term, window, clip_of_roi = make_case(3)
    torch.testing.assert_close(fbo(short_term, window, clip_of_roi), fbo.short_term_projection(short_term))


def test_every_nl_parameter_gets_a_gradient_without_persons_and_without_features():
    for case in (make_case(4, persons=0), make_case(4, fill=0.0)):
        for mask_padding in (True, False):
            fbo = make_nl(mask_padding=mask_padding).train()
            fbo(*case).sum().backward()
            assert [name for name, parameter in fbo.named_parameters() if parameter.grad is None] == []


def test_half_precision_bank_is_read():
    short_term, window, clip_of_roi = make_case(5)
    half = BankWindow(features=window.features.half(), mask=window.mask)
    fbo = make_nl()
    torch.testing.assert_close(
        fbo(short_term, half, clip_of_roi), fbo(short_term, window, clip_of_roi), atol=0.02, rtol=0.02
    )


def test_none_has_no_channels():
    assert FBONone()(torch.ones(3, C), None, torch.zeros(3, dtype=torch.long)).shape == (3, 0)


def test_missing_window_is_an_error():
    with pytest.raises(ValueError, match="no window"):
        FBOAvg(channels=C)(torch.ones(1, C), None, torch.zeros(1, dtype=torch.long))


def test_int8_window_stands_for_its_rows_times_their_scales():
    short_term, window, clip_of_roi = make_case(9)
    rows = (window.features * 20).round().to(torch.int8)
    scales = torch.rand(window.mask.shape) * window.mask
    int8 = BankWindow(features=rows, mask=window.mask, scales=scales)
    plain = BankWindow(features=rows.float() * scales[:, :, None], mask=window.mask)
    for fbo in (FBOAvg(channels=C), FBOMax(channels=C), make_nl()):
        torch.testing.assert_close(fbo(short_term, int8, clip_of_roi), fbo(short_term, plain, clip_of_roi))
