"""Means and standard deviations are of pixels in 0..1; those of 0..255, as mmaction2 has them, are refused with a remedy."""

import pytest

from lfb_lightning.clips import ClipSettings
from lfb_lightning.errors import InputError

DIVIDE = "; divide those of pixels in 0..255 by 255."


@pytest.mark.parametrize(
    ("name", "values", "remedy"),
    [
        ("mean", [123.675, 116.28, 103.53], DIVIDE),
        ("mean", [0.4, 0.4, 1.5], DIVIDE),
        ("std", [58.395, 57.12, 57.375], DIVIDE),
        ("mean", [-0.1, 0.4, 0.4], "."),
        ("mean", [float("nan"), 0.4, 0.4], "."),
        ("mean", [1e39, 0.4, 0.4], "."),
        ("std", [0.0, 1.0, 1.0], "."),
        ("mean", [0.4, 0.4], "."),
    ],
)
def test_what_cannot_be_of_pixels_in_0_to_1_is_refused(name, values, remedy):
    with pytest.raises(InputError) as refused:
        ClipSettings(**{name: values})
    assert str(refused.value) == f"data.{name} is {values}, expected three numbers, of R, G and B in 0..1{remedy}"


@pytest.mark.parametrize(("mean", "std"), [([0.0] * 3, [1.0] * 3), ([1.0] * 3, [0.001] * 3), ([0.5] * 3, [0.5] * 3)])
def test_the_ends_of_the_range_are_allowed(mean, std):
    assert ClipSettings(mean=mean, std=std).describe()["std"] == std
