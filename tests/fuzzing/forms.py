"""The forms that files come in, taken apart and put together: see `mutators.Form`."""

from __future__ import annotations

import copy
import io
import json
import pickle
import pickletools
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import torch
import yaml

from tests.fuzzing.mutators import TEXTS, Form, any_bytes, other_value


def join(parts: Any) -> bytes:
    """Every text and number in nested parts, one after the other."""
    if isinstance(parts, bytes | str):
        return parts if isinstance(parts, bytes) else parts.encode(errors="replace")
    return b"".join(map(join, parts)) if isinstance(parts, list) else str(parts).encode()


def _word(part: Any, chance: Random) -> Any:
    return chance.choice(TEXTS) if chance.random() < 0.7 or not isinstance(part, bytes) else any_bytes(part, chance)


def tokens(pattern: str, *equal: Callable[[bytes, Random], bytes]) -> Form:
    """Text, and what of it matches the pattern."""
    return Form(lambda content: re.split(pattern.encode(), content), join, _word, equal)


def shuffled(value: Any, chance: Random) -> Any:
    """The same mappings in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], chance) for key in chance.sample(list(value), len(value))}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


def _json_again(content: bytes, chance: Random) -> bytes:
    value = shuffled(json.loads(content), chance)
    text = json.dumps(value, indent=chance.choice([None, 0, 2]), ensure_ascii=chance.random() < 0.5)
    return chance.choice([b"", b"\n ", b"\xef\xbb\xbf"]) + text.encode() + chance.choice([b"", b"\r\n"])


JSON = Form(json.loads, lambda parts: json.dumps(parts).encode(), other_value, [_json_again])

# -- csv and label maps

CSV_EQUAL = [
    lambda content, chance: content.replace(b"\n", b"\r\n"),
    lambda content, chance: content.rstrip(b"\n"),
    lambda content, chance: content + b"\n\n",
    lambda content, chance: b"\xef\xbb\xbf" + content,
    lambda content, chance: content.replace(b",0902,", b",902,"),
    lambda content, chance: b"".join(chance.sample(lines := content.splitlines(keepends=True), len(lines))),
]
CSV = tokens(r"([,\n])", *CSV_EQUAL)
LABEL_MAP = tokens(
    r"(\W+)",
    lambda content, chance: content.replace(b"\n", chance.choice([b" ", b"\r\n", b" # note\n", b"\n\n\t"])),
    lambda content, chance: content.replace(b"{", chance.choice([b" {", b"{ "])).replace(b": ", b":"),
    lambda content, chance: content.replace(b"}", b"  more: 3, other: [1, 2];\n}"),
    lambda content, chance: b"\xef\xbb\xbf# heading\n" + content,
)

# -- XML


def _element(node: ET.Element) -> list[Any]:
    return [node.tag, dict(node.attrib), node.text or "", [_element(child) for child in node]]


def _node(parts: list[Any]) -> ET.Element:
    tag, attributes, text, children = parts
    node = ET.Element(str(tag), {str(key): str(value) for key, value in attributes.items()})
    node.text = str(text)
    node.extend(map(_node, children))
    return node


def _xml_again(content: bytes, chance: Random) -> bytes:
    root = ET.fromstring(content)
    for node in root.iter():
        node.attrib = shuffled(dict(node.attrib), chance)
    if chance.random() < 0.5:
        ET.indent(root)
    head = chance.choice([b"", b'<?xml version="1.0" encoding="utf-8"?>\n', b"\xef\xbb\xbf", b"<!-- note -->"])
    return head + ET.tostring(root)


XML = Form(
    lambda content: _element(ET.fromstring(content)), lambda parts: ET.tostring(_node(parts)), equal=[_xml_again]
)

# -- pickles

ODD = [
    np.zeros((0, 5)),
    np.zeros((2, 3)),
    np.full((1, 5), np.nan),
    np.array(1.5),
    np.array("x"),
    np.int64(3),
    {1},
    (1,),
]
ODD += [
    np.zeros(4, np.complex64),
    np.array([[0, 0, 1, 1, 1]], ">f4"),
    np.zeros((3, 5), np.int8)[:, ::-1],
    torch.ones(2, 4),
]


def _other_object(part: Any, chance: Random) -> Any:
    if isinstance(part, np.ndarray) and chance.random() < 0.4:
        return chance.choice(
            [part.T, part[:1], part.astype("f2"), part.astype("U"), part * 1e9, part[None], part.tolist()]
        )
    if isinstance(part, torch.Tensor) and chance.random() < 0.6:
        kinds = [torch.float64, torch.int64, torch.bool, torch.bfloat16, torch.complex64]
        shapes = [part[None], part.flatten(), part[:0], part.new_zeros(()), part.numpy(), part.expand(3, *part.shape)]
        return chance.choice([*shapes, *(part.to(kind) for kind in kinds), torch.full_like(part, 127)])
    return copy.deepcopy(chance.choice(ODD)) if chance.random() < 0.3 else other_value(part, chance)


def _opcodes(content: bytes) -> list[Any]:
    places = [place for _, _, place in pickletools.genops(content)]
    return [content[begin:end] for begin, end in zip(places, [*places[1:], len(content)], strict=True)]


def _other_opcode(part: Any, chance: Random) -> bytes:
    if isinstance(part, bytes) and chance.random() < 0.5:
        return part[:1] + any_bytes(part[1:], chance)
    return chance.choice([opcode.code.encode("latin1") for opcode in pickletools.opcodes]) + (part or b"")[1:]


OPCODES = Form(_opcodes, join, _other_opcode)


def _thawed(content: bytes) -> Any:
    value = pickle.loads(content)
    return list(value) if isinstance(value, tuple) else value


def _pickled_again(content: bytes, chance: Random) -> bytes:
    again = pickle.dumps(shuffled(pickle.loads(content), chance), chance.randrange(6))
    return pickletools.optimize(again) if chance.random() < 0.3 else again


def spoilt_pickle(content: bytes, chance: Random) -> bytes:
    form = OPCODES if chance.random() < 0.4 else PICKLE
    return form.spoilt(_pickled_again(content, chance), chance)


PICKLE = Form(_thawed, pickle.dumps, _other_object, [_pickled_again])

# -- torch files


def saved(content: Any) -> bytes:
    """What `torch.save` writes: its newer form, since the older one has memory addresses in it."""
    torch.save(content, buffer := io.BytesIO())
    return buffer.getvalue()


def _loaded(content: bytes) -> Any:
    value = torch.load(io.BytesIO(content), weights_only=True)
    return {key: dict(item) if isinstance(item, dict) else item for key, item in value.items()}


def _records(content: bytes) -> list[Any]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    return [[name, _opcodes(body) if name.endswith("data.pkl") else body] for name, body in parts.items()]


def _zipped(records: list[Any]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, body in records:
            file.writestr(zipfile.ZipInfo(join(name).decode()), join(body))  # without the time of day
    return buffer.getvalue()


TORCH = Form(
    _loaded,
    saved,
    _other_object,
    [
        lambda content, chance: saved(shuffled(_loaded(content), chance)),
        lambda content, chance: _zipped(_records(content)),
    ],
)
TORCH_RECORDS = Form(_records, _zipped, lambda part, chance: _other_opcode(part, chance))
YAML = Form(yaml.safe_load, lambda parts: yaml.safe_dump(parts).encode())


def spoilt_config(content: bytes, chance: Random) -> bytes:
    """A checkpoint whose stored configuration is another one, or no YAML."""
    value = _loaded(content)
    text = YAML.spoilt(value["hyper_parameters"]["config"].encode(), chance)
    return saved({**value, "hyper_parameters": {"config": text.decode(errors="replace")}})


# -- safetensors: the length of the header, the header, the tensors


def _safetensors(content: bytes) -> list[Any]:
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    for name, value in header.get("__metadata__", {}).items():
        header["__metadata__"][name] = json.loads(value)
    return [header, content[end:]]


def _with_header(parts: list[Any], blanks: int = 0) -> bytes:
    header, tensors = parts
    if isinstance(header, dict) and isinstance(said := header.get("__metadata__"), dict):
        header = header | {"__metadata__": {k: v if isinstance(v, str) else json.dumps(v) for k, v in said.items()}}
    text = json.dumps(header).encode() + b" " * blanks
    return len(text).to_bytes(8, "little") + text + join(tensors)


SAFETENSORS = Form(
    _safetensors,
    _with_header,
    equal=[lambda content, chance: _with_header(shuffled(_safetensors(content), chance), chance.randrange(9))],
)
