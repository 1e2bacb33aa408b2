"""Reading the elements of an XML file one after the other, in memory that does not grow with the file.

The file is not trusted: a document type declaration, which alone could define entities, is refused, and so is an element
that is nested too deeply or has too many parts. Nothing outside the file is opened.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from lfb_lightning.errors import InputError

_CHUNK = 1 << 16
_LONGEST_TAG = 1 << 22
_DEEPEST = 32
_MOST_PARTS = 1_000_000  # elements inside one element
_MOST_OTHERS = 5_000_000  # elements that are not asked for, such as tracks

Ancestors = tuple[ET.Element, ...]


def xml_parts(path: Path, *, root: str, wanted: frozenset[str]) -> Iterator[tuple[Ancestors, ET.Element]]:
    """Read the elements with certain names, each as soon as it is complete.

    Args:
        path: The file.
        root: The name that the outermost element must have.
        wanted: Names of the elements to read; one inside another is part of that and is not yielded by itself.

    Yields:
        The elements around each one, outermost first and without their contents, and the element.

    Raises:
        InputError: The file cannot be read, is no such XML, or is built to exhaust the reader.
    """
    target = _Target(path, root, wanted)
    parser = ET.XMLParser(target=target)
    try:
        with path.open("rb") as file:
            silent = 0  # bytes since the last event: an unfinished tag, which the parser reads again with every chunk
            while chunk := file.read(_CHUNK):
                parser.feed(chunk)
                silent = 0 if target.heard() else silent + len(chunk)
                if silent > _LONGEST_TAG:
                    raise InputError(f"{path}: a tag is longer than {_LONGEST_TAG} bytes; is it an annotation file?")
                yield from target.take()
        parser.close()
    except ET.ParseError as error:
        raise InputError(f"{path}: not a readable XML file ({error}).") from error
    except (OSError, LookupError) as error:  # LookupError: an encoding that Python does not know
        raise InputError(f"{path}: cannot be read ({error}).") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a readable XML file ({error}).") from error
    yield from target.take()


class _Target:
    """Receives the parser's events; keeps the open elements and the finished wanted ones."""

    def __init__(self, path: Path, root: str, wanted: frozenset[str]) -> None:
        self._path, self._root, self._wanted = path, root, wanted
        self._open: list[ET.Element] = []  # the elements around the wanted one, without their contents
        self._builder: ET.TreeBuilder | None = None
        self._depth = self._parts = self._others = 0
        self._done: list[tuple[Ancestors, ET.Element]] = []
        self._heard = False

    def heard(self) -> bool:
        """Tell whether the parser has reported an event since the last call."""
        heard, self._heard = self._heard, False
        return heard

    def take(self) -> list[tuple[Ancestors, ET.Element]]:
        done, self._done = self._done, []
        return done

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise InputError(f"{self._path}: has a document type declaration, which no annotation tool writes; refused.")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._heard = True
        if not self._open and tag != self._root:
            raise InputError(f"{self._path}: the outermost element is <{tag[:60]}>, expected <{self._root}>.")
        if len(self._open) + self._depth >= _DEEPEST:
            raise InputError(f"{self._path}: elements are nested deeper than {_DEEPEST}; is it an annotation file?")
        if self._builder is None and self._open and tag in self._wanted:
            self._builder, self._parts = ET.TreeBuilder(), 0
        if self._builder is None:
            self._others += 1
            if self._others > _MOST_OTHERS:
                raise InputError(
                    f"{self._path}: more than {_MOST_OTHERS} elements around boxes; is it an annotation file?"
                )
            self._open.append(ET.Element(tag, attributes))
            return
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise InputError(f"{self._path}: an element has more than {_MOST_PARTS} parts; is it an annotation file?")
        self._depth += 1
        self._builder.start(tag, attributes)

    def data(self, text: str) -> None:
        self._heard = True
        if self._builder is not None:
            self._builder.data(text)

    def end(self, tag: str) -> None:
        if self._builder is None:
            self._open.pop()
            return
        self._builder.end(tag)
        self._depth -= 1
        if self._depth == 0:
            self._done.append((tuple(self._open), self._builder.close()))
            self._builder = None
