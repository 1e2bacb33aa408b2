"""Places of banks: a folder, or a prefix in an object store that a URL names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lfb_lightning.errors import InputError

SCHEMES = ("s3", "gs", "az", "file")


@dataclass(frozen=True, slots=True)
class Url:
    """A place in an object store, such as s3://bucket/banks/fp16/val.

    Args:
        text: The URL, without a slash at its end.
    """

    text: str

    def __truediv__(self, name: str) -> Url:
        """Give the place of a name in this one, as for a path."""
        return Url(f"{self.text}/{name}")

    def __str__(self) -> str:
        """Give the URL as text."""
        return self.text


def place_of(text: str | Path | Url) -> Path | Url:
    """Tell a URL from a folder.

    Args:
        text: What the user typed.

    Raises:
        InputError: It is a URL of none of the object stores that banks are read from, or holds a secret.
    """
    if not isinstance(text, str) or "://" not in text:
        return text if isinstance(text, Url) else Path(text)
    try:
        parts = urlsplit(text)
    except ValueError as error:  # such as a bracket that is not closed
        scheme = text.partition("://")[0]
        raise InputError(f"bank {scheme[:20]}://...: is no URL ({error}).") from error
    if parts.scheme not in SCHEMES:
        raise InputError(
            f"bank {parts.scheme}://...: expected a folder, or a URL of {', '.join(SCHEMES)}, such as s3://bucket/banks."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError(
            f"bank {parts.scheme}://...: holds more than a place; keys of an object store are given in the environment, such "
            "as AWS_ACCESS_KEY_ID."
        )
    if parts.scheme == "file" and parts.netloc:
        raise InputError(
            f"bank {text}: expected three slashes and an absolute path, such as file:///banks/fp16; a folder needs no file://."
        )
    return Url(text.rstrip("/"))
