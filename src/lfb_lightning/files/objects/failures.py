"""Turns what obstore says of a failed request into one line for the user."""

from __future__ import annotations

import re
from typing import Any

from lfb_lightning.errors import InputError

_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_ADDRESS = re.compile(r"(?:GET|PUT|POST|HEAD|DELETE) (https?://[^/ ]+)")
_LOGIN = re.compile(r"(?<=://)[^/\s\"']*@")  # of an address such as AWS_ENDPOINT_URL=http://user:word@host
_KEYS = (
    "check the keys in the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, "
    "AZURE_STORAGE_ACCOUNT_KEY), and what they may do"
)


class ChangedError(InputError):
    """An object is another one than when it was opened."""


def errors_of(obstore: Any) -> tuple[type[Exception], ...]:
    """Give what obstore raises where a request fails."""
    return (obstore.exceptions.BaseError, OSError, ValueError)


def failure(what: str, error: Exception, *, done: str = "read") -> InputError:
    """Make the line of a request that failed.

    Args:
        what: What was asked for, such as "bank shard s3://bucket/banks/val/00000.shard".
        error: What obstore raised.
        done: What cannot be done to it.
    """
    reason, remedy = _explained(_LOGIN.sub("", str(error)))
    return InputError(f"{what}: cannot be {done} ({reason}); {remedy}.")


def is_refusal(error: Exception) -> bool:
    """Say whether the store gave an answer, and it was that the keys do not allow it."""
    found = _STATUS.search(str(error))
    return found is not None and found[1] in ("401", "403")


def is_without_bucket(error: Exception) -> bool:
    """Say whether the store answered that it has no such bucket."""
    found = _CODE.search(str(error))
    return found is not None and found[1] in _NO_BUCKET


def _explained(text: str) -> tuple[str, str]:
    """Give the reason and the next step."""
    status, code, address = _STATUS.search(text), _CODE.search(text), _ADDRESS.search(text)
    words = f"{status[1]} {code[1] if code else ''}".strip() if status else ""
    if code and code[1] in _NO_BUCKET:
        return f"there is no such bucket: {words}", "make it, or correct the URL"
    if status and status[1] in ("401", "403"):
        return f"the store refuses the key: {words}", _KEYS
    if "allocating credentials" in text or "169.254.169.254" in text:
        return "no keys were found in the environment", _KEYS
    if "builder error" in text and address and address[1].startswith("http:"):
        return (
            f"{address[1]} is not encrypted",
            "AWS_ALLOW_HTTP=true (GOOGLE_ALLOW_HTTP, AZURE_ALLOW_HTTP) allows an endpoint without TLS",
        )
    if status and status[1] == "404":
        return f"there is no such object: {words}", "correct the URL"
    if "UnableToCanonicalize" in text:
        return "there is no such folder", "correct the path"
    if not status and "HTTP error" in text and address:
        return (
            f"no whole answer came from {address[1]}",
            "check the connection and the address (such as AWS_ENDPOINT_URL), then run the command again",
        )
    reason = words or " ".join(text.split("Debug source")[0].split())[:300]
    return reason, "check the connection and the keys, then run the command again"
