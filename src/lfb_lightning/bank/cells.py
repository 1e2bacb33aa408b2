"""Divides windows longer than a minute into few cells, each of which takes as many features as a second would.

The edges of cells are exact seconds from the key frame. A cell holds the moments from its edge on up to the next one.
"""

from __future__ import annotations

from fractions import Fraction

from lfb_lightning.errors import InputError


def even_edges(before: Fraction | int, after: Fraction | int, cells: int) -> tuple[Fraction, ...]:
    """Divide a window into cells of equal length.

    Args:
        before: Seconds before the key frame at which the window begins.
        after: Seconds after it of the window's last second, which ends a second later.
        cells: How many.

    Returns:
        The `cells + 1` edges, ascending.

    Raises:
        InputError: There are fewer seconds than cells.
    """
    _refuse(before, after, cells, least=1)
    length = (Fraction(before) + after + 1) / cells
    return tuple(i * length - before for i in range(cells + 1))


def doubling_edges(before: Fraction | int, after: Fraction | int, cells: int) -> tuple[Fraction, ...]:
    """Divide a window into cells of a second near the key frame, and of 2, 4, 8, ... seconds away from it.

    Each side gets cells in proportion to its whole seconds; a key frame's own second is the first one after it. See
    `doubling_lengths`. What a side has of a fraction of a second belongs to its outermost cell.

    Args:
        before: As `even_edges`.
        after: As `even_edges`.
        cells: How many, on both sides together.

    Returns:
        The `cells + 1` edges, ascending.

    Raises:
        InputError: There are fewer seconds than cells, or a side without a cell.
    """
    whole_before, whole_after = int(before), int(after) + 1
    _refuse(before, after, cells, least=2 if whole_before else 1)
    cells_before = max(cells * whole_before // (whole_before + whole_after), min(whole_before, 1))
    earlier, later = [Fraction(0)], [Fraction(0)]
    for length in doubling_lengths(cells_before, whole_before):
        earlier.append(earlier[-1] - length)
    for length in doubling_lengths(cells - cells_before, whole_after):
        later.append(later[-1] + length)
    earlier[-1], later[-1] = -Fraction(before), Fraction(after) + 1
    # A side without a whole second has no cell: what there is of one belongs to the key frame's.
    return (*reversed(earlier[1:]), *later) if cells_before else (earlier[0], *later[1:])


def doubling_lengths(cells: int, seconds: int) -> list[int]:
    """Choose the lengths of one side's cells, nearest first: powers of two that add up to the side's length.

    There are as few different lengths 1, 2, 4, ... as can fill the side if each has as many cells; the shorter ones have
    one more where that does not divide. What that is too long is taken off by halving cells, longest first. Only where so few
    cells cannot fill the side by doubling once each, the outermost takes the rest.

    Args:
        cells: How many, at most `seconds`.
        seconds: The length of the side.
    """
    counts: list[int] = []
    excess = -seconds
    for levels in range(1, cells + 1):
        counts = [cells // levels + (level < cells % levels) for level in range(levels)]
        excess = sum(count << level for level, count in enumerate(counts)) - seconds
        if excess >= 0:
            break
    for level in range(len(counts) - 1, 0, -1):
        halved = max(min(counts[level], excess >> (level - 1)), 0)
        counts[level] -= halved
        counts[level - 1] += halved
        excess -= halved << (level - 1)
    lengths = [1 << level for level, count in enumerate(counts) for _ in range(count)]
    if lengths:
        lengths[-1] -= excess
    return lengths


def _refuse(before: Fraction | int, after: Fraction | int, cells: int, *, least: int) -> None:
    if before < 0 or after < 0:
        raise InputError(
            f"a bank window from {-before} s to {after} s of the key frame; bank.layout=strided and hierarchical need one "
            "that the key frame is in."
        )
    most = int(before) + int(after) + 1
    if not least <= cells <= most:
        raise InputError(
            f"bank.cells is {cells}, expected {least} to {most}, the window's seconds: bank.layout=strided and hierarchical "
            "have cells of a second or longer."
        )
