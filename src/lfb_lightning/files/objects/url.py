"""Places that may lie in an object store: a path, or a URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from lfb_lightning.errors import InputError

SCHEMES = ("s3", "gs", "az", "file")


@dataclass(frozen=True, slots=True)
class Url:
    """A place in an object store, such as s3://bucket/banks/fp16/val.

    Args:
        text: The URL, without a slash at its end.
        root: What of it the user typed: one connection serves all places below it. Empty: all of it.
    """

    text: str
    root: str = field(default="", compare=False)

    def __truediv__(self, name: str) -> Url:
        """Give the place of a name in this one, as for a path."""
        return Url(f"{self.text}/{name}", self.root or self.text)

    def __str__(self) -> str:
        """Give the URL as text."""
        return self.text

    @property
    def name(self) -> str:
        """What stands behind its last slash."""
        return self.text.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """Its name without the ending."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The ending of its name, such as .mp4."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> Url:
        """The place that it is in."""
        above = self.text.rpartition("/")[0]
        return Url(above, self.root if len(self.root) <= len(above) else above)

    def object(self) -> tuple[str, str]:
        """Give the URL of the store that is opened to read it as an object, and the object's name in there."""
        root = self.root if self.root and self.root != self.text else self.text.rpartition("/")[0]
        return root, self.text[len(root) + 1 :]


Place = Path | Url


def place_of(text: str | Path | Url, what: str = "bank") -> Path | Url:
    """Tell a URL from a folder.

    Args:
        text: What the user typed.
        what: What lies there, for messages.

    Raises:
        InputError: It is a URL of none of the object stores that are read, or holds a secret.
    """
    if not isinstance(text, str) or "://" not in text:
        return text if isinstance(text, Url) else Path(text)
    try:
        parts = urlsplit(text)
    except ValueError as error:  # such as a bracket that is not closed
        scheme = text.partition("://")[0]
        raise InputError(f"{what} {scheme[:20]}://...: is no URL ({error}).") from error
    if parts.scheme not in SCHEMES:
        raise InputError(
            f"{what} {parts.scheme}://...: expected a folder, or a URL of {', '.join(SCHEMES)}, such as s3://bucket/{what}s."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError(
            f"{what} {parts.scheme}://...: holds more than a place; keys of an object store are given in the environment, "
            "such as AWS_ACCESS_KEY_ID."
        )
    if parts.scheme == "file" and parts.netloc:
        raise InputError(
            f"{what} {text}: expected three slashes and an absolute path, such as file:///{what}s; a folder needs no file://."
        )
    return Url(text.rstrip("/"))


def is_url(text: object) -> bool:
    """Say whether what a user typed is meant as a URL."""
    return isinstance(text, Url) or (isinstance(text, str) and "://" in text)


def refuse_url(key: str, value: object) -> None:
    """Raise InputError for a URL where a path is needed, which would make a folder called `s3:`.

    Args:
        key: The configuration key, for the message.
        value: What the user typed; it may hold a secret and is not shown.
    """
    if is_url(value):
        scheme = str(value).partition("://")[0]
        raise InputError(
            f"{key} is {scheme[:20]}://...: that is no folder or file on this machine; give a path here, and upload what is "
            "written there with the tool of your store."
        )
