"""Plain values against annotations."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from lfb_lightning.cli.hints import describe, fits
from lfb_lightning.errors import InputError
from lfb_lightning.models import ResNet3d
from tests.cli.in_process import load


class Theirs(Enum):
    A = "a"


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (int, [0, -3], [1.0, True, "1", None]),
        (float, [0, 1.5], [True, "1.5", None, []]),
        (bool, [True, False], [1, 0, "yes", None]),
        (str, ["", "a"], [1, None, True]),
        (int | None, [None, 2], ["x"]),
        (str | Sequence[int] | None, ["x", [1], [], None], [["x"], 1]),
        (Literal["a", 32], ["a", 32], ["b", 32.0, True]),
        (Sequence[Sequence[int]], [[[1], []]], [[1], "12"]),
        (Mapping[str, Sequence[int]], [{}, {"a": [1]}], [{"a": 1}, [1]]),
        (Annotated[int, 1], [1, 9], [0, -1, "1", 1.5]),
        (ResNet3d, [], ["i3d", 5, None]),
        (Callable[..., Any], [], ["adam", 1]),
        (Any, [1, "x", None], []),
        (Theirs, ["a"], []),
        (Path, ["a/b"], []),
        ("TheirOwnName", [1, None], []),
    ],
)
def test_a_plain_value_fits_or_not(hint, good, bad):
    assert [value for value in good if not fits(value, hint)] == []
    assert [value for value in bad if fits(value, hint)] == []


def test_what_is_expected_in_words():
    assert describe(int | float | None) == "a number or null"
    assert describe(Literal["32", 32, "bf16-mixed"]) == "one of 32, bf16-mixed"
    assert describe(Annotated[int, 1] | None) == "a whole number of at least 1 or null"
    assert describe(Sequence[int]) == "a list [...] of which each is a whole number"
    assert describe(ResNet3d) == "a section whose _target_ makes it (ResNet3d)"


def test_a_target_of_any_make_is_checked_as_far_as_it_says():
    check = load("checking").check_arguments

    def theirs(size: int = None, fields: "NotHere" = 3, **more: str):  # noqa: RUF013, F821
        pass

    check("x", {"size": None, "fields": "any", "other": 5, "_target_": "x.y"}, theirs)
    with pytest.raises(InputError, match=r"x\.size is 1\.5"):
        check("x", {"size": 1.5}, with_size)
    check("x", {"whatever": 1}, dict)


def with_size(size: int):
    pass
