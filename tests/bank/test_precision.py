"""Every precision keeps the error bound that it states."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lfb_lightning.bank.precision import decode, encode, stored_dtype
from lfb_lightning.errors import InputError

magnitudes = st.floats(-(2.0**100), 2.0**100, width=32).filter(lambda x: x == 0 or abs(x) > 2.0**-100)
rows = arrays(np.float32, st.tuples(st.integers(0, 4), st.integers(1, 9)), elements=magnitudes)


@settings(max_examples=200, deadline=None)
@given(values=rows)
def test_fp32_is_exact(values):
    features = torch.from_numpy(values)
    assert torch.equal(decode(*encode(features, "fp32")), features)


@settings(max_examples=200, deadline=None)
@given(values=rows)
def test_fp16_is_within_its_bound_and_saturates(values):
    got = decode(*encode(torch.from_numpy(values), "fp16")).numpy().astype(np.float64)
    expected = np.clip(values.astype(np.float64), -65504, 65504)
    assert (np.abs(got - expected) <= np.maximum(np.abs(expected) * 2.0**-11, 2.0**-25)).all()


@settings(max_examples=200, deadline=None)
@given(values=rows)
def test_bf16_is_within_its_bound(values):
    got = decode(*encode(torch.from_numpy(values), "bf16")).numpy().astype(np.float64)
    assert (np.abs(got - values.astype(np.float64)) <= np.abs(values.astype(np.float64)) * 2.0**-8).all()


@settings(max_examples=200, deadline=None)
@given(values=rows)
def test_int8_is_within_half_a_step_of_the_row(values):
    encoded = encode(torch.from_numpy(values), "int8")
    assert encoded.rows.dtype == torch.int8
    assert encoded.scales is not None
    error = np.abs(decode(*encoded).numpy().astype(np.float64) - values.astype(np.float64))
    largest = np.abs(values.astype(np.float64)).max(axis=1, keepdims=True)
    assert (error <= largest / 254 * (1 + 1e-5)).all()


def test_int8_keeps_the_largest_of_a_row_and_zero():
    encoded = encode(torch.tensor([[0.0, -3.0, 1.5], [0.0, 0.0, 0.0], [1e-44, 0.0, 0.0]]), "int8")
    assert encoded.rows.tolist()[:2] == [[0, -127, 64], [0, 0, 0]]
    assert torch.isfinite(decode(*encoded)).all()
    assert decode(*encoded)[0, 1] == pytest.approx(-3.0, rel=1e-6)


def test_unknown_precision_is_refused_by_name():
    with pytest.raises(InputError, match=r"bank\.precision is 'fp8', expected one of fp32, fp16, bf16, int8"):
        stored_dtype("fp8")
