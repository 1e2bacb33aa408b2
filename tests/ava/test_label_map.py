"""Label maps as protobuf's text format reads them; what they are not is named with its line."""

import pytest

from lfb_lightning.ava.label_map import read_label_map, write_label_map
from lfb_lightning.errors import InputError

FORMS = {
    "a block on a line": "item { id: 1 name: 'reading' }\nitem { id: 2 name: 'writing' }\n",
    "everything on a line": 'item{name:"reading"id:1}item{name:"writing"id:2}',
    "comments and separators": (
        "# ours\nitem {\n  name: \"reading\" # first\n  id: 1\n}\n// theirs\nitem {\n  name: 'writing',\n  id: 2;\n}\n"
    ),
    "AVA's list of 80": (
        'label {\n  name: "reading"\n  label_id: 1\n  label_type: PERSON_MOVEMENT\n}\n'
        'label {\n  name: "writing"\n  label_id: 2\n  label_type: OBJECT_MANIPULATION\n}\n'
    ),
    "a colon, and angles": 'item: < name: "reading" id: 1 >\nitem: { name: "writing" id: 2 }',
    "Windows' line ends, and a byte order mark": (
        '\ufeffitem {\r\n  name: "reading"\r\n  id: 1\r\n}\r\nitem {\r\n  name: "writing"\r\n  id: 2\r\n}\r\n'
    ),
    "strings that are one": 'item { name: \'read\' "ing" id: 1 }\nitem { name: "wri"\n"ting" id: 2 }',
    "escapes": r'item { name: "\162\x65ading" id: 1 } item { name: "writing" id: 0x2 }',
    "unknown fields": (
        "version: 3\nitem { id: 1 supercategory: 'x' keypoints { id: 7 name: 'no' } ids: [4, 5] more: [{a: 1}, <b: 2>] "
        "weight: -1.5e-3 of_us: [] name: 'reading' }\nitem { display_name: 'WRITING' name: 'writing' id: 2 frequency: RARE }"
    ),
    "a display name only": "item { id: 1 display_name: 'reading' } item { id: 2 display_name: 'writing' }",
    "blanks": '\n\n  item\n{\n\tname:\n"reading"\n id\n:\n1 }\n\nitem{\n\n  name: "writing"\n\n  id: 2\n}\n\n',
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read(tmp_path, form):
    (tmp_path / "map.pbtxt").write_bytes(FORMS[form].encode())
    assert read_label_map(tmp_path / "map.pbtxt").names == {1: "reading", 2: "writing"}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (r'"a \"b\" \\ c"', r'a "b" \ c'),
        (r"'it\'s'", "it's"),
        ('"it\'s"', "it's"),
        (r'"caf\303\251 \n"', "café \n"),
        ('"café"', "café"),
        ('"bend/bow (at the waist)"', "bend/bow (at the waist)"),
        ('"a {b} # c, d; <e>"', "a {b} # c, d; <e>"),
        ('"say "so""', 'say "so"'),  # no protobuf reads these, and people have them
        ('"the "quoted" one"', 'the "quoted" one'),
        (r'"C:\dir"', r"C:\dir"),
        ('""', ""),
    ],
)
def test_names(tmp_path, written, name):
    (tmp_path / "map.pbtxt").write_text(f"item {{\n  name: {written}\n  id: 3\n}}\n", encoding="utf-8")
    assert read_label_map(tmp_path / "map.pbtxt").names == {3: name}
    write_label_map(tmp_path / "again.pbtxt", {3: name})
    assert read_label_map(tmp_path / "again.pbtxt").names == {3: name}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("item {\n  name: 'a'\n  id: 1\n", "line 4: 'the end' found, expected a field's name or '}'"),
        ("item {\n  name: 'a'\n  id: 1\n>\n", "line 4: '>' found"),
        ("item { name: 'a' id: 1 }\n}\n", "line 2: '}' found"),
        ("item {\n  name: 'a\n  id: 1\n}\n", "line 2: a string without its end"),
        ("item {\n  name 'a'\n}\n", "line 2: 'a' found, expected the value of 'name'"),
        ("item { name: 'a' id: @ }", "line 1: '@' found"),
        ("\nitem { name: 'a' }", "block 1 (line 2): expected a name in quotation marks and a whole number as id"),
        ("item { name: a id: 1 }", "expected a name in quotation marks"),
        ("item { name: 'a' id: '1' }", "a whole number as id"),
        ("item { name: 'a' id: 1.5 }", "a whole number as id"),
        ("item { }", "block 1 (line 1)"),
        ("item { name: 'a' id: 1 }\nitem { name: 'b' id: 1 }", "block 2 (line 2): id 1 is repeated"),
        ("item { name: 'a' id: -1 }", "below 1"),
        ("item { name: 'a' id: 10000 }", "above 9999"),
        ("item { name: '\\377' id: 1 }", "not UTF-8"),
        ("things: 3", "no 'item { name: ... id: ... }' block"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, said):
    (tmp_path / "map.pbtxt").write_text(text)
    with pytest.raises(InputError, match=r"map\.pbtxt") as error:
        read_label_map(tmp_path / "map.pbtxt")
    assert said in str(error.value)
