"""Which seconds a file may name: one bound for every table, keyframe key and bank row.

A second is packed in several ways: beside a video's number (keyframe keys, 33 bits), as microseconds (evaluation, 44 bits)
and as an int32 (bank rows). Whatever is within the bound fits in each of them, the int32 even with 268 ticks per second.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

SECOND_LIMIT = 8_000_000  # 92 days; a second lies above minus this and below this


def are_whole_seconds(values: Float[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
    """Which numbers are whole and within the bound."""
    return (values == np.trunc(values)) & (np.abs(values) < SECOND_LIMIT)


def expected_second(value: float) -> str:
    """What was expected in place of a number that is no such second, and what to do, to end a message with."""
    if not abs(value) < SECOND_LIMIT:  # NaN too
        return f"expected a second of a video, less than {SECOND_LIMIT:,}"
    return (
        "expected a whole second: a fraction is read by lfb-eval, but not for training, extraction and testing yet; cut the "
        "videos so that key frames fall on whole seconds, and write those"
    )


def whole_second(value: object) -> int:
    """The second that a number or a text names; raises ValueError, saying what was expected, for anything else."""
    text = str(value)
    number = float("nan") if "_" in text else float(text)  # Python reads 9_02 as 902
    if not abs(number) < SECOND_LIMIT or number % 1:
        raise ValueError(f"second {text[:40]!r}, {expected_second(number)}")
    return int(number)
