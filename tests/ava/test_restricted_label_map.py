"""A subset of the actions keeps its ids and the columns of the whole."""

import pytest

from lfb_lightning.ava.label_map import LabelMap
from lfb_lightning.errors import InputError

WHOLE = LabelMap({1: "stand", 4: "sit", 80: "watch"})


def test_ids_names_and_columns():
    part = WHOLE.restricted_to([4, 1])
    assert part.names == {1: "stand", 4: "sit"}
    assert part.ids == [1, 4]
    assert part.num_columns == part.restricted_to([1]).num_columns == 81


@pytest.mark.parametrize(("ids", "found"), [([4, 2, 9], "[2, 9] found"), ([], "an empty list found")])
def test_ids_that_are_not_there(ids, found):
    with pytest.raises(InputError) as error:
        WHOLE.restricted_to(ids)
    assert found in str(error.value)
    assert "[1, 4, 80]" in str(error.value)
