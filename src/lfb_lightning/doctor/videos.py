"""The video codecs that PyAV brings: which files can be read, and whether videos can be written."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Literal

from lfb_lightning.doctor.line import Line, note, ok, problem
from lfb_lightning.doctor.settings import Settings

_NEEDED = ("h264", "mjpeg", "mpeg4")  # AVA's videos, JPEG frames and the cache
_USUAL = ("hevc", "vp9", "av1", "vp8", "mpeg2video", "prores")
_ENCODER = "libx264"
_WHEEL = "python -m pip install --force-reinstall --only-binary av av"


def check_codecs(settings: Settings) -> Iterator[Line]:
    """Say which codecs of videos can be decoded and encoded."""
    import av

    def has(name: str, mode: Literal["r", "w"]) -> bool:
        try:
            av.Codec(name, mode)
        except av.codec.codec.UnknownCodecError:
            return False
        return True

    yield decoders_line([name for name in (*_NEEDED, *_USUAL) if has(name, "r")])
    yield encoder_line(has(_ENCODER, "w"))


def decoders_line(found: Collection[str]) -> Line:
    """Say which of the usual codecs can be decoded."""
    missing = [name for name in (*_NEEDED, *_USUAL) if name not in found]
    lacking = f"; missing: {', '.join(missing)}" if missing else ""
    said = f"decoders: {', '.join(found) or 'none'}{lacking}"
    if set(missing) & set(_NEEDED):
        return problem(said, f"install PyAV's own wheel, which brings FFmpeg: {_WHEEL}")
    return note(said, "convert such videos: ffmpeg -i IN -c:v libx264 OUT.mp4") if missing else ok(said)


def encoder_line(is_there: bool) -> Line:
    """Say whether H.264 can be written: the page, the overlay and mini-AVA need it."""
    if is_there:
        return ok(f"encoder: {_ENCODER}")
    return note(
        f"encoder: {_ENCODER} is missing: no overlay, no video beside the page, no mini-AVA",
        f"install PyAV's own wheel: {_WHEEL}",
    )
