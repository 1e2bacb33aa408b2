"""Csv files with named columns are read within bounds."""

import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.files.named_csv import read_named_csv


def test_rows_and_bytes_have_limits(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,n\na,1\nb,2\nc,3\n")
    read = {"what": "list", "columns": ["id"]}
    assert [row.values["id"] for row in read_named_csv(path, **read, most_rows=4)] == ["a", "b", "c"]
    with pytest.raises(InputError, match=r"list .*a\.csv, row 4: expected at most 3 rows"):
        list(read_named_csv(path, **read, most_rows=3))
    with pytest.raises(InputError, match=r"list .*a\.csv: 17 bytes, expected at most 16"):
        list(read_named_csv(path, **read, most_bytes=16))


def test_a_column_that_comes_twice_is_refused_since_either_may_be_meant(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,n,,,n\na,1,,,2\n")
    with pytest.raises(InputError, match=r"list .*a\.csv, row 1: column 'n' comes twice"):
        list(read_named_csv(path, what="list", columns=["id"]))
    path.write_text("id,,\na,1,2\n")  # columns without a name are nobody's
    assert [row.values["id"] for row in read_named_csv(path, what="list", columns=["id"])] == ["a"]
