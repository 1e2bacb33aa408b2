"""JSON files are read whole or refused in one line."""

import json

import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.files.json_file import read_json, read_json_object

CONTENT = {"a": [1, -2.5, None, True, "é😀"], "b": {"c": {}}, "large": 2**70}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_content(tmp_path, encoding):
    (tmp_path / "a.json").write_text(json.dumps(CONTENT, ensure_ascii=False), encoding=encoding)
    assert read_json_object(tmp_path / "a.json", what="file") == CONTENT


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a readable json"),
        (b"{", "not a readable json"),
        (b'{"a": ' * 5000, "nested too deeply"),
        (b"[" + b"9" * 301 + b"]", "a number of 301 digits"),
        (b"[1]", r"holds a list, expected an object \{\.\.\.\}"),
        (b'"\xff"', "not a readable json"),
    ],
)
def test_what_is_wrong_is_said_with_the_remedy(tmp_path, content, said):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"file .*a\.json: .*{said}.*; make it again\.$"):
        read_json_object(tmp_path / "a.json", what="file", remedy="make it again")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "a.json", tmp_path):
        with pytest.raises(InputError, match="no such file"):
            read_json(path, what="file")
