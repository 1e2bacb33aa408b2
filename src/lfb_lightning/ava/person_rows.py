"""Rows of persons of which each person of a row is kept once, as long as the rows of one follow each other.

AVA's files have a row for each action, and two or three of them for a person: what is left is half as many rows to order and
to compare, and they are found while a file is read, block by block.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int32, Integer

from lfb_lightning.ava.box_rules import BOX_COLUMNS
from lfb_lightning.ava.csv_rows import join_blocks
from lfb_lightning.ava.equal_rows import narrowed

PERSON_COLUMNS = ["video_id", "timestamp", *BOX_COLUMNS, "person_id"]


class PersonRows(NamedTuple):
    """Rows of a person and an action.

    Args:
        persons: Columns above; a person may be there again, but not right behind itself.
        person_of_row: The place of each row's person in these, in order.
        actions: Each row's action.
    """

    persons: pd.DataFrame
    person_of_row: Int32[np.ndarray, " N"]
    actions: Integer[np.ndarray, " N"]


def person_rows(rows: pd.DataFrame) -> PersonRows:
    """Find the persons of rows that have the columns above and `action_id`."""
    is_new = np.zeros(len(rows), dtype=bool)
    is_new[:1] = True
    for name in PERSON_COLUMNS:
        column = rows[name].astype("category").cat.codes.to_numpy() if name == "video_id" else rows[name].to_numpy()
        is_new[1:] |= column[1:] != column[:-1]
    persons = pd.DataFrame({name: rows[name].array[is_new] for name in PERSON_COLUMNS}, copy=False)
    return PersonRows(persons, np.cumsum(is_new, dtype=np.int32) - np.int32(1), narrowed(rows["action_id"].to_numpy()))


def join_person_rows(parts: list[PersonRows]) -> PersonRows:
    """Join rows that follow each other."""
    persons, places, number, last = [], [], 0, None
    for part in parts:
        goes_on = len(part.persons) > 0 and _row(part.persons, 0) == last
        persons.append(part.persons[int(goes_on) :])
        places.append(part.person_of_row + np.int32(number - goes_on))
        number += len(persons[-1])
        last = _row(part.persons, -1) if len(part.persons) else last
    actions = np.concatenate([part.actions for part in parts])
    return PersonRows(join_blocks(persons), np.concatenate(places), actions)


def _row(persons: pd.DataFrame, place: int) -> list[object]:
    return [persons[name].iloc[place] for name in PERSON_COLUMNS]
