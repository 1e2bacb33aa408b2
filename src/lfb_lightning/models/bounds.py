"""Checks of a part's numbers, some of which would take memory before its first weight is there: a file may hold any."""

from __future__ import annotations

MOST_BLOCKS, MOST_STAGES = 1000, 8  # published ones have at most 48 blocks and 4 stages


def require_at_most(most: int, **numbers: int) -> None:
    """Raise ValueError for the first number that is larger.

    Args:
        most: What each may be.
        **numbers: By the names of their keys.
    """
    for name, number in numbers.items():
        if number > most:
            raise ValueError(f"{name} is {number!r:.40}, expected at most {most}")


def require_multiple(name: str, value: int, divisor_name: str, divisor: int) -> None:
    """Raise ValueError unless a number is a multiple of another one."""
    if value % divisor:
        raise ValueError(f"{name} is {value}, expected a multiple of {divisor_name} ({divisor})")


def require_drop_rate(drop_path_rate: float) -> None:
    """Raise ValueError unless drop path keeps some branches: the rate is at least 0 and less than 1."""
    if not 0 <= drop_path_rate < 1:
        raise ValueError(f"drop_path_rate is {drop_path_rate}, expected at least 0 and less than 1")
