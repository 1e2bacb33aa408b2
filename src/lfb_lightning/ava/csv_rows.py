"""AVA's headerless csv files as checked columns.

pandas parses the whole file at once (seconds for millions of rows); only when something is wrong is the offending row
looked for, so that the message can name it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lfb_lightning.errors import InputError


def read_csv_rows(path: str | Path, columns: list[str], *, what: str, optional: int = 0) -> pd.DataFrame:
    """Read a headerless csv as text columns.

    The last `optional` columns may be missing from a row, and are then NaN. Raises InputError, naming the file and the
    row, for a missing file or a row of another width.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{what} {path}: no such file.")
    if path.stat().st_size == 0:
        return pd.DataFrame({column: pd.Series(dtype=str) for column in columns})
    try:
        table = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, names=columns, index_col=False)
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{what} {path}: not a csv of {len(columns)} columns ({error}).") from error
    _check_widths(path, columns, what, optional)
    for column in columns[len(columns) - optional :]:
        table[column] = table[column].mask(table[column] == "")
    return table


def numbers(table: pd.DataFrame, column: str, path: str | Path, *, integer: bool = False) -> np.ndarray:
    """A column as float64, or int64; raises InputError naming the first row that is no such number."""
    values = pd.to_numeric(table[column], errors="coerce")
    bad = ~np.isfinite(values.to_numpy(dtype=np.float64, na_value=np.nan))
    if integer and not bad.any():
        bad = values.to_numpy(dtype=np.float64) % 1 != 0
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        kind = "a whole number" if integer else "a number"
        raise InputError(f"{path}, row {row + 1}: {column} is {table[column].iloc[row]!r}, expected {kind}.")
    return values.to_numpy(dtype=np.float64).astype(np.int64 if integer else np.float64)


def _check_widths(path: Path, columns: list[str], what: str, optional: int) -> None:
    widest, narrowest = len(columns), len(columns) - optional
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            width = line.count(",") + 1
            if line.strip() and not narrowest <= width <= widest:
                raise InputError(
                    f"{what} {path}, row {number}: {width} columns, expected {','.join(columns)}: {line.strip()[:120]!r}."
                )
