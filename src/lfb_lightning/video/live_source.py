"""Where live pictures come from: a camera, an address in the network, a pipe, or a file that is played like one of them.

Only the address that the user typed is opened. Each kind of source has a short list of protocols and containers, so that
what comes through it (a playlist, a session description, an HTTP redirection) cannot make FFmpeg open a file or another
address; an RTSP server may name another RTSP server.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import av

from lfb_lightning.errors import InputError, one_line
from lfb_lightning.video.container import DECODER_OPTIONS, FORMATS, OpenVideo, moving_pictures

# By scheme: the protocols that FFmpeg may open, and the containers that it may find there. No playlist is among these.
_PROTOCOLS: Mapping[str, str] = {
    "rtsp": "rtsp,tcp",
    "rtsps": "rtsps,tls,tcp",
    "udp": "udp",
    "tcp": "tcp",
    "http": "http,tcp",
    "https": "https,tls,tcp",
    "pipe": "pipe",
}
_STREAMED = ",".join(FORMATS)
_FORMATS: Mapping[str, str] = {
    "rtsp": "rtsp",
    "rtsps": "rtsp",
    "http": f"{_STREAMED},mpjpeg",
    "https": f"{_STREAMED},mpjpeg",
}
_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "rtsp": {"rtsp_transport": "tcp"},  # everything through the one connection, whatever the server describes
    "rtsps": {"rtsp_transport": "tcp"},
    "http": {"max_redirects": "0"},
    "https": {"max_redirects": "0"},
}
_LOOK = {"analyzeduration": "1000000"}  # microseconds that are looked at before the first frame is given
_CAMERAS = {"linux": "video4linux2,v4l2", "darwin": "avfoundation", "win32": "dshow"}
_CAMERA = re.compile(r"camera:(.+)|(/dev/video\d+)")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
# Up to the last @ before the path, as addresses are read; else one that was typed with a / or # in it, and is no port.
_PASSWORD = re.compile(r"^([^:]+://[^:/?#@\[]*):(?:[^/?#]*@|(?!\d+(?:[/?#]|$)).*@)")
_EXPECTED = "camera:0, rtsp://, udp://, tcp://, http://, https://, - (standard input) or a file"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSource:
    """A source of live pictures.

    Args:
        name: What messages and results call it: as it was typed, without a password.
        url: What FFmpeg opens; of a file its path.
        kind: `camera`, `network`, `pipe` or `file`.
        format: FFmpeg's name of the only format that is read; None: a plain container.
        options: FFmpeg's options.
    """

    name: str
    url: str
    kind: str
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> LiveSource:
        """Read what the user typed for `source`.

        Raises:
            InputError: It is none of the kinds of sources, or a file that is not there.
        """
        if camera := _CAMERA.fullmatch(text):
            return _camera(text, camera[1], camera[2])
        if text in ("-", "pipe:", "pipe:0"):
            return cls(name="standard input", url="pipe:0", kind="pipe", options=_guard("pipe"))
        if scheme := _SCHEME.match(text):
            return _network(text, scheme[1].lower())
        path = Path(text).expanduser()
        if not path.is_file():
            what = "is no file" if path.exists() else "no such file"
            raise InputError(f"source {text}: {what}; expected {_EXPECTED}.")
        return cls(name=text, url=str(path), kind="file")


def _guard(scheme: str) -> dict[str, str]:
    return {
        "protocol_whitelist": _PROTOCOLS[scheme],
        "format_whitelist": _FORMATS.get(scheme, _STREAMED),
        **_OPTIONS.get(scheme, {}),
        **_LOOK,
    }


def _network(text: str, scheme: str) -> LiveSource:
    shown = _PASSWORD.sub(r"\1:***@", text, count=1)
    if scheme not in _PROTOCOLS or scheme == "pipe":
        raise InputError(f"source {shown}: {scheme}:// is not read; expected {_EXPECTED}.")
    try:
        host = urlsplit(text).hostname
    except ValueError as error:
        raise InputError(f"source {shown}: is no address ({error}).") from error
    if not host and scheme != "udp":  # udp://:5000 listens
        raise InputError(f"source {shown}: names no host.")
    return LiveSource(
        name=shown,
        url=text,
        kind="network",
        format="rtsp" if scheme in ("rtsp", "rtsps") else None,
        options=_guard(scheme),
    )


def _camera(text: str, name: str | None, device: str | None) -> LiveSource:
    system = _CAMERAS.get(sys.platform)
    if system is None:
        raise InputError(f"source {text}: cameras are read on Linux, macOS and Windows only.")
    if system == "dshow":
        if name is None or name.isdecimal():
            raise InputError(f"source {text}: on Windows a camera has a name: source='camera:Integrated Camera'.")
        url = f"video={name}"
    elif system == "avfoundation":
        url = f"{name}:none"  # pictures without sound
    else:
        url = device or (f"/dev/video{name}" if name and name.isdecimal() else str(name))
        if not Path(url).exists():
            raise InputError(f"source {text}: there is no camera {url}.")
    options = {"format_whitelist": system, "protocol_whitelist": "none"}
    if system == "avfoundation":
        options["framerate"] = "30"  # it refuses to choose one
    return LiveSource(name=text, url=url, kind="camera", format=system.partition(",")[0], options=options)


@contextmanager
def open_live(source: LiveSource, *, timeout: float) -> Iterator[OpenVideo]:
    """Connect to a camera, an address or a pipe.

    Args:
        source: No file.
        timeout: Seconds without data after which it is given up.

    Yields:
        The open source. Its path is only a name.

    Raises:
        InputError: It cannot be opened, or is lost; errors of FFmpeg inside the `with` block become InputErrors too.
    """
    try:
        with av.open(
            source.url,
            format=source.format,
            options={**source.options, **DECODER_OPTIONS},
            timeout=(timeout, timeout),
            metadata_errors="replace",
        ) as container:
            yield OpenVideo(Path(source.name), container, *moving_pictures(container, source.name))
    except InputError:
        raise
    except av.ExitError as error:
        raise InputError(f"source {source.name}: sent nothing for {timeout:g} s.") from error
    except (av.FFmpegError, OSError, ValueError, OverflowError, ZeroDivisionError, MemoryError) as error:
        reason = one_line(str(getattr(error, "strerror", None) or error or type(error).__name__))
        raise InputError(f"source {source.name}: cannot be read ({reason}){_remedy(source, error)}") from error


def _remedy(source: LiveSource, error: BaseException) -> str:
    if isinstance(error, av.ArgumentError | av.InvalidDataError):
        return f"; expected a stream in a plain container ({', '.join(FORMATS)}), not a playlist."
    if source.kind == "network":
        return "; is it on, and can it be reached from here?"
    return "; does another program use it?" if source.kind == "camera" else "."
