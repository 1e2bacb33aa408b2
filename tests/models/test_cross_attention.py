"""Cross-attention equals a naive loop over persons, heads and slots; time, empty windows and padding behave as stated."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lfb_lightning.errors import InputError
from lfb_lightning.models import FBO, FBOCrossAttention
from lfb_lightning.structures import BankWindow
from tests.models.test_fbo import WIDE, C, D, make_case

HEADS, CELLS, PER_CELL = 2, 3, 2
SLOTS = CELLS * PER_CELL


def make(seed=0, **options):
    torch.manual_seed(seed)
    made = FBOCrossAttention(
        **{"channels": C, "latent_channels": D, "num_heads": HEADS, "slots_per_cell": PER_CELL, **options}
    )
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made.eval()


def norm(layer, x):
    return F.layer_norm(x, x.shape, layer.weight.double(), layer.bias.double(), layer.eps)


def linear(layer, x):
    return layer.weight.double() @ x + layer.bias.double()


def with_identity(case, seed=0, known=0.7):
    """Let the window say, at random, which filled slots show the same person; of some persons it is not known."""
    short_term, window, clip_of_roi = case
    random = torch.Generator().manual_seed(seed)
    same = window.mask[clip_of_roi] & (torch.rand(len(short_term), window.mask.shape[1], generator=random) < 0.5)
    same &= torch.rand(len(short_term), 1, generator=random) < known
    return short_term, replace(window, same_person=same), clip_of_roi


def naive(fbo, short_term, window, clip_of_roi):
    """Person by person, head by head, slot by slot."""
    outputs, looked, nothing = [], [], []
    width = D // HEADS
    for region, (person, clip) in enumerate(zip(short_term.double(), clip_of_roi.tolist(), strict=True)):
        filled = [s for s in range(window.mask.shape[1]) if window.mask[clip, s]]
        memory = [norm(fbo.memory_norm, fbo.nothing.double())]
        for slot in filled:
            row = window.features[clip, slot].double()
            if fbo.needs_statistics:
                row = (row - fbo.mean.double()) / fbo.std.double()
            memory.append(norm(fbo.memory_norm, linear(fbo.long_term_projection, row)))
        if fbo.standardizes_short_term:
            person = (person - fbo.mean.double()) / fbo.std.double()
        x = linear(fbo.short_term_projection, person)
        shares = torch.zeros(len(fbo.layers), 1 + window.mask.shape[1], dtype=torch.float64)
        for number, layer in enumerate(fbo.layers):
            query = linear(layer.query, norm(layer.norm, x))
            pairs = [linear(layer.key_value, entry) for entry in memory]
            found = []
            for head in range(HEADS):
                part = slice(head * width, (head + 1) * width)
                keys = [pair[:D][part] for pair in pairs]
                own = [slot for slot in filled if layer.same is not None and window.same_person[region, slot]]
                for slot in own:
                    keys[1 + filled.index(slot)] = keys[1 + filled.index(slot)] + layer.same_key[head].double()
                logits = [query[part] @ key / math.sqrt(width) for key in keys]
                for slot in own:
                    bias = layer.same[head, slot // PER_CELL if layer.time is not None else 0]
                    logits[1 + filled.index(slot)] = logits[1 + filled.index(slot)] + bias.double()
                if layer.time is not None:
                    for place, slot in enumerate(filled, start=1):
                        logits[place] = logits[place] + layer.time[head, slot // PER_CELL].double()
                weights = torch.softmax(torch.stack(logits), 0)
                found.append(sum(w * pair[D:][part] for w, pair in zip(weights, pairs, strict=True)))
                for place, weight in zip([0, *(slot + 1 for slot in filled)], weights, strict=True):
                    shares[number, place] += weight.detach() / HEADS
            x = x + linear(layer.out, torch.cat(found))
        outputs.append(x)
        looked.append(shares[:, 1:])
        nothing.append(shares[:, 0])
    return torch.stack(outputs).float(), torch.stack(looked).float(), torch.stack(nothing).float()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    persons=st.integers(1, 6),
    fill=st.sampled_from([0.0, 0.3, 1.0]),
    timed=st.booleans(),
    norm_inputs=st.booleans(),
    width=st.sampled_from([C, WIDE]),
    identity=st.booleans(),
)
def test_it_equals_the_naive_loop(seed, persons, fill, timed, norm_inputs, width, identity):
    case = make_case(seed, persons=persons, fill=fill, width=width, slots=SLOTS)
    case = with_identity(case, seed) if identity else case
    fbo = make(seed, bank_channels=width, norm_inputs=norm_inputs, cells=CELLS if timed else None, identity=identity)
    fbo.set_statistics(torch.linspace(-1, 1, width), torch.linspace(0.5, 2, width))
    expected, weights, nothing = naive(fbo, *case)
    features, attention = fbo(*case, return_attention=True)
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(attention.weights, weights, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(attention.empty, nothing, atol=1e-5, rtol=1e-4)
    assert torch.equal(features, fbo(*case))


def test_what_an_empty_slot_holds_changes_nothing():
    short_term, window, clip_of_roi = make_case(1, slots=SLOTS)
    noise = torch.where(window.mask[:, :, None], window.features, torch.full_like(window.features, 9.0))
    fbo = make(cells=CELLS)
    other = fbo(short_term, BankWindow(noise, window.mask), clip_of_roi)
    torch.testing.assert_close(other, fbo(short_term, window, clip_of_roi))


def test_a_bias_for_one_moment_draws_every_persons_eyes_to_it():
    short_term, window, clip_of_roi = make_case(2, slots=SLOTS, fill=1.0)
    fbo = make(cells=CELLS)
    with torch.no_grad():
        for layer in fbo.layers:
            layer.time.zero_()[:, 1] = 40.0
    _, attention = fbo(short_term, window, clip_of_roi, return_attention=True)
    assert (attention.weights[:, :, PER_CELL : 2 * PER_CELL].sum(dim=2) > 0.99).all()


def test_a_new_one_adds_nothing_to_the_projected_feature():
    fbo = FBOCrossAttention(channels=C, latent_channels=D, num_heads=HEADS, norm_inputs=False).eval()
    short_term, window, clip_of_roi = make_case(3)
    assert torch.equal(fbo(short_term, window, clip_of_roi), fbo.short_term_projection(short_term))


def test_nobody_and_no_slot_are_normal():
    fbo = make()
    _, window, _ = make_case(0, slots=SLOTS)
    assert fbo(torch.zeros(0, C), window, torch.zeros(0, dtype=torch.long)).shape == (0, D)
    _, attention = fbo(*make_case(0, slots=0), return_attention=True)
    torch.testing.assert_close(attention.empty, torch.ones_like(attention.empty))


def test_gradients_reach_every_parameter_and_half_precision_stays_close():
    case = with_identity(make_case(3, slots=SLOTS, fill=0.8))
    fbo = make(cells=CELLS, identity=True)
    exact = fbo(*case)
    exact.square().sum().backward()
    assert all(
        parameter.grad.abs().sum() > 0 for name, parameter in fbo.named_parameters() if "key_value.bias" not in name
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded, attention = fbo(*case, return_attention=True)
    torch.testing.assert_close(rounded.float(), exact, atol=0.3, rtol=0.05)
    assert attention.weights.dtype == torch.float32


def test_without_a_person_every_parameter_has_a_gradient_all_the_same():
    """In DDP, the ranks that have persons wait for the gradients of one that has none."""
    fbo = make(cells=CELLS, identity=True)
    nobody = (torch.zeros(0, C), make_case(0, slots=SLOTS)[1], torch.zeros(0, dtype=torch.long))
    fbo(*with_identity(nobody)).sum().backward()
    assert all(parameter.grad is not None for parameter in fbo.parameters())


def test_another_window_and_numbers_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"a window of 6 slots; the bank's window has 7"):
        make(cells=CELLS)(*make_case(0, slots=7))
    with pytest.raises(ValueError, match="latent_channels is 8, expected a multiple of num_heads"):
        FBOCrossAttention(channels=C, latent_channels=8, num_heads=3)
    with pytest.raises(ValueError, match="must be at least 1"):
        FBOCrossAttention(channels=C, cells=0)
    assert isinstance(make(), FBO)


@pytest.mark.parametrize("identity", [False, True])
def test_torch_export_follows_it(identity):
    short_term, window, clip_of_roi = with_identity(make_case(4, slots=SLOTS))
    fbo = make(cells=CELLS, identity=identity)

    class Flat(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fbo = fbo

        def forward(self, short_term, features, mask, clip_of_roi, same_person):
            return self.fbo(short_term, BankWindow(features, mask, same_person=same_person), clip_of_roi)

    inputs = (short_term, window.features, window.mask, clip_of_roi, window.same_person)
    some = {0: torch.export.Dim("persons", min=2)}
    program = torch.export.export(Flat(), inputs, dynamic_shapes=(some, None, None, some, some))
    fewer = (short_term[:3], window.features, window.mask, clip_of_roi[:3], window.same_person[:3])
    window = replace(window, same_person=window.same_person[:3])
    torch.testing.assert_close(program.module()(*fewer), fbo(short_term[:3], window, clip_of_roi[:3]))


def test_identity_changes_nothing_before_it_is_learned_nor_where_it_is_not_known():
    case = with_identity(make_case(5, slots=SLOTS))
    plain, new = (
        FBOCrossAttention(
            channels=C, latent_channels=D, num_heads=HEADS, cells=CELLS, slots_per_cell=PER_CELL, identity=one
        )
        for one in (False, True)
    )
    assert set(new.state_dict()) - set(plain.state_dict()) == {
        f"layers.{n}.{k}" for n in (0, 1) for k in ("same", "same_key")
    }
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    assert new.load_state_dict(plain.state_dict(), strict=False).unexpected_keys == []
    expected = plain.eval()(*case)
    assert torch.equal(new.eval()(*case), expected)
    assert torch.equal(plain(case[0], replace(case[1], same_person=None), case[2]), expected)
    learned = make(7, cells=CELLS, identity=True)
    without = make(7, cells=CELLS, identity=True)
    with torch.no_grad():
        for layer in without.layers:
            layer.same.zero_()
            layer.same_key.zero_()
    unknown = ~case[1].same_person.any(dim=1)
    assert unknown.any()
    assert not unknown.all()
    torch.testing.assert_close(learned(*case)[unknown], without(*case)[unknown])
    assert not torch.isclose(learned(*case)[~unknown], without(*case)[~unknown]).all(dim=1).any()


def test_without_identity_its_weights_have_the_names_that_they_always_had():
    linear = [f"{name}.{kind}" for name in ("norm", "query", "key_value", "out") for kind in ("weight", "bias")]
    expected = {f"layers.{number}.{name}" for number in (0, 1) for name in [*linear, "time"]}
    expected |= {f"{end}_term_projection.{kind}" for end in ("short", "long") for kind in ("weight", "bias")}
    expected |= {"nothing", "memory_norm.weight", "memory_norm.bias", "mean", "std"}
    assert set(make(cells=CELLS).state_dict()) == expected


def test_a_bias_for_the_same_person_draws_the_eyes_to_it():
    case = with_identity(make_case(2, slots=SLOTS, fill=1.0), known=1.0)
    fbo = make(cells=CELLS, identity=True)
    with torch.no_grad():
        for layer in fbo.layers:
            layer.same.fill_(60.0)
    _, attention = fbo(*case, return_attention=True)
    same = case[1].same_person
    assert same.any(dim=1).all()
    assert ((attention.weights * same[:, None]).sum(dim=2) > 0.99).all()


def test_a_window_that_does_not_say_who_is_who_is_refused():
    with pytest.raises(InputError, match=r"fbo.identity is true, but the window does not say .* False everywhere"):
        make(identity=True)(*make_case(0, slots=SLOTS))
    moved = with_identity(make_case(0, slots=SLOTS))[1].to("meta")
    assert moved.same_person.device.type == "meta"
