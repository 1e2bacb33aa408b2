"""A stored configuration is plain data within bounds, or one line that names the file."""

import time

import pytest
import torch
import yaml

from lfb_lightning.errors import InputError
from lfb_lightning.files.plain_yaml import MAX_CHARACTERS, MAX_DEPTH, read_plain_mapping, write_plain

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED = {
    "a number": 5,
    "a list": ["model"],
    "a tensor": torch.zeros(3),
    "bytes": b"model: {}",
    "nothing": None,
    "bad YAML": "model: [1, 2\nloss: }",
    "an unprintable character": "model: \x07",
    "two documents": "a: 1\n---\nb: 2\n",
    "a YAML list": "- model\n- loss\n",
    "a word": "model",
    "no text": "",
    "billion laughs": LAUGHS,
    "an alias to itself": "a: &a [*a]\n",
    "an anchor alone": "a: &a 1\n",
    "a tag that runs code": "a: !!python/object/apply:os.system [true]\n",
    "a standard tag": "a: !!binary aGVsbG8=\n",
    "an empty tag": "a: ! b\n",
    "deep lists": "a: " + "[" * 5_000 + "]" * 5_000,
    "deep mappings": "".join(f"{' ' * depth}a:\n" for depth in range(500)),
    "one level too deep": "a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH,
    "too long": "a: 1\n" + "# and so on\n" * (MAX_CHARACTERS // 10),
    "a number of many digits": f"a: {'9' * 5_000}",
    "a number to the base of sixty": f"a: 1{':59' * 50_000}",
    "a date": "a: 2020-01-01\n",
    "a date that is none": "a: 2020-99-99\n",
    "a mapping as a key": "? {b: 1}\n: 2\n",
    "a list as a key": "? [b]\n: 2\n",
    "null as a key": "a:\n  null: 2\n",
    "a number for a section": "5: 2\n",
    "a fraction as a key": "a:\n  0.5: 2\n",
    "a broken merge": "<<: 3\n",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_anything_else_is_one_line_that_names_the_file(text):
    started = time.monotonic()
    with pytest.raises(InputError, match=r"^checkpoint x\.ckpt: its configuration ") as refused:
        read_plain_mapping(text, source="checkpoint x.ckpt")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500
    assert time.monotonic() - started < 10


def test_plain_data_is_read_and_interpolations_are_characters():
    content = {
        "a": {"b": [1, 2.5, True, None, "${oc.env:HOME}", {}], 3: []},
        "${c}": "ünï",
        "d": "1e-3",
        "e": "2020-01-01",
    }
    assert read_plain_mapping(write_plain(content), source="x") == content


def test_what_is_written_has_no_aliases():
    shared = [1, [2]]
    text = write_plain({"a": shared, "b": shared})
    assert yaml.safe_load(text) == {"a": shared, "b": shared} == read_plain_mapping(text, source="x")
