"""How features are stored, and how far a stored feature can be from the computed one.

fp32  exact
fp16  half the bytes; relative error <= 2^-11 (absolute 2^-25 below 2^-14); saturates at 65504
bf16  half the bytes; relative error <= 2^-8, any magnitude
int8  a quarter of the bytes; one scale per row, absolute error <= (largest magnitude of the row) / 254
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float, Float32, Shaped
from torch import Tensor

from lfb_lightning.errors import InputError

Precision = Literal["fp32", "fp16", "bf16", "int8"]

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "int8": torch.int8}
_FP16_MAX = torch.finfo(torch.float16).max
_INT8_MAX = 127
assert tuple(_DTYPES) == get_args(Precision)


class Encoded(NamedTuple):
    """Rows in their stored form; with `scales`, a row stands for `rows * scale`."""

    rows: Shaped[Tensor, "N C"]
    scales: Float32[Tensor, " N"] | None


def stored_dtype(precision: str) -> torch.dtype:
    """Give the dtype of a precision.

    Raises:
        InputError: There is no precision of this name.
    """
    if precision not in _DTYPES:
        raise InputError(f"bank.precision is {precision!r}, expected one of {', '.join(_DTYPES)}.")
    return _DTYPES[precision]


def encode(features: Float[Tensor, "N C"], precision: str) -> Encoded:
    """Bring features into their stored form; fp16 saturates instead of becoming infinite."""
    dtype = stored_dtype(precision)
    if dtype == torch.int8:
        exact = features.float()
        largest = exact.abs().amax(dim=1) if exact.shape[1] else exact.new_zeros(len(exact))
        scales = (largest / _INT8_MAX).clamp(min=torch.finfo(torch.float32).tiny)
        return Encoded((exact / scales[:, None]).round().clamp(-_INT8_MAX, _INT8_MAX).to(dtype), scales)
    if dtype == torch.float16:
        features = features.clamp(-_FP16_MAX, _FP16_MAX)
    return Encoded(features.to(dtype).contiguous(), None)


def decode(rows: Shaped[Tensor, "N C"], scales: Float32[Tensor, " N"] | None) -> Float32[Tensor, "N C"]:
    """Compute the features that stored rows stand for, in fp32."""
    return rows.float() if scales is None else rows.float() * scales[:, None]
