"""How features are stored: fp32, or fp16, which halves the bank and moves a logit by less than 0.01."""

from __future__ import annotations

from typing import Literal

import torch

from lfb_lightning.errors import InputError

Precision = Literal["fp32", "fp16"]

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16}
_FP16_MAX = torch.finfo(torch.float16).max


def stored_dtype(precision: str) -> torch.dtype:
    """The dtype of a precision's name; raises InputError for an unknown one."""
    if precision not in _DTYPES:
        raise InputError(f"bank.precision is {precision!r}, expected one of {', '.join(_DTYPES)}.")
    return _DTYPES[precision]


def encode(features: torch.Tensor, precision: str) -> torch.Tensor:
    """Features in their stored form; fp16 saturates instead of becoming infinite."""
    dtype = stored_dtype(precision)
    if dtype == torch.float16:
        features = features.clamp(-_FP16_MAX, _FP16_MAX)
    return features.to(dtype).contiguous()
