r"""Protobuf's text format, as far as any label map needs it: fields that are words, strings, messages, or lists of these.

    item { name: 'a' "b" id: 1 }  # a comment; adjacent strings are one
    item: < name: "c\303\251", id: 2; unknown: [1, 2] other { deep: true } >

Read in one pass over the text, so the time grows with its length and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"(?P<blank>[\s,;]+|(?:\#|//)[^\n]*)"
    r"""|(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
    r"|(?P<word>[\w.+-]+)"
    r"|(?P<mark>[:{}<>\[\]])"
    r"|(?P<other>.)"
)
# What may stand after a string. Some label maps have quotation marks in names as they are; then something else does.
_AFTER_STRING = re.compile(r"""[ \t\r]*(?:$|[#/,;}>\]"']|[\w.]+[ \t]*[:{<])""", re.MULTILINE)
_ESCAPE = re.compile(rb"""\\(?:(?P<plain>[abfnrtv\\'"?])|(?P<octal>[0-7]{1,3})|[xX](?P<hex>[0-9a-fA-F]{1,2}))""")
_PLAIN_ESCAPES = dict(zip(b"abfnrtv", b"\a\b\f\n\r\t\v", strict=True))
_CLOSING = {"{": "}", "<": ">"}
_DEEPEST = 32


class TextFormatError(ValueError):
    """Says what is wrong with a text, and on which line."""


class Field(NamedTuple):
    """A field of a message, and where it stands. One of `word`, `string` and `fields` (of a message) is its value."""

    name: str
    place: int
    word: str | None = None
    string: str | None = None
    fields: list[Field] | None = None


class _Token(NamedTuple):
    kind: str  # "string", "word", "mark" or "end"
    text: str
    place: int


class TextFormat:
    """Reads one text; raises TextFormatError, with the line, for what is not in the text format."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._scan()
        self._next = next(self._tokens)

    def fields(self) -> list[Field]:
        """Read the fields of the whole text."""
        return self._fields(None, 0)

    def line(self, place: int) -> int:
        """Give the number of the line that a place in the text is on, from 1."""
        return self._text.count("\n", 0, place) + 1

    def _scan(self) -> Iterator[_Token]:
        place = 0
        while found := _TOKEN.match(self._text, place):
            kind, begin, place = str(found.lastgroup), place, found.end()
            if kind in ("string", "other") and found[0][0] in "\"'":
                place = self._end_of_string(begin, place if kind == "string" else begin)
                yield _Token("string", self._text[begin + 1 : place - 1], begin)
            elif kind == "other":
                raise self._error(begin, f"{found[0]!r} found")
            elif kind != "blank":
                yield _Token(kind, found[0], begin)
        while True:
            yield _Token("end", "the end", len(self._text))

    def _end_of_string(self, begin: int, end: int) -> int:
        """`end`, or the last such quotation mark on the line where the string cannot have ended there."""
        if end > begin and _AFTER_STRING.match(self._text, end):
            return end
        line_end = self._text.find("\n", begin)
        last = self._text.rfind(self._text[begin], begin + 1, len(self._text) if line_end < 0 else line_end)
        if last < 0 or self._text[last + 1 : line_end if line_end >= 0 else None].strip():
            raise self._error(begin, "a string without its end found")
        return last + 1

    def _take(self) -> _Token:
        token, self._next = self._next, next(self._tokens)
        return token

    def _fields(self, closing: str | None, depth: int) -> list[Field]:
        """Read the fields up to a closing mark, which is taken."""
        if depth > _DEEPEST:
            raise self._error(self._next.place, f"messages are nested more than {_DEEPEST} deep")
        found: list[Field] = []
        while (token := self._take()).kind == "word":
            has_colon = self._next.text == ":" and self._next.kind == "mark"
            if has_colon:
                self._take()
            found += self._values(token.text, has_colon, depth)
        if token.kind != ("mark" if closing else "end") or (closing and token.text != closing):
            raise self._error(token.place, f"{token.text!r} found, expected a field's name or {closing or 'the end'!r}")
        return found

    def _values(self, name: str, has_colon: bool, depth: int) -> list[Field]:
        if self._next.kind != "mark" or self._next.text != "[":
            return [self._value(name, has_colon, depth)]
        self._take()
        found: list[Field] = []
        while self._next.text != "]" or self._next.kind != "mark":
            found.append(self._value(name, True, depth))
        self._take()
        return found

    def _value(self, name: str, has_colon: bool, depth: int) -> Field:
        token = self._take()
        if token.kind == "mark" and token.text in _CLOSING:
            return Field(name, token.place, fields=self._fields(_CLOSING[token.text], depth + 1))
        if token.kind not in ("word", "string") or not has_colon:
            raise self._error(token.place, f"{token.text[:50]!r} found, expected the value of {name[:50]!r}")
        if token.kind == "word":
            return Field(name, token.place, word=token.text)
        texts = [token.text]
        while self._next.kind == "string":
            texts.append(self._take().text)
        return Field(name, token.place, string=self._unescaped("".join(texts), token.place))

    def _unescaped(self, text: str, place: int) -> str:
        try:
            return _ESCAPE.sub(_escaped_byte, text.encode()).decode() if "\\" in text else text
        except (UnicodeError, ValueError) as error:
            raise self._error(place, f"a string that is not UTF-8 found ({error})") from error

    def _error(self, place: int, message: str) -> TextFormatError:
        return TextFormatError(f"line {self.line(place)}: {message}")


def quoted(text: str) -> str:
    """Write a string as the text format has it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _escaped_byte(found: re.Match[bytes]) -> bytes:
    if plain := found["plain"]:
        return bytes([_PLAIN_ESCAPES.get(plain[0], plain[0])])
    return bytes([int(found["octal"], 8) if found["octal"] else int(found["hex"], 16)])
