"""Opening video files that are not trusted: plain local containers only, with a one-line message for what is wrong.

FFmpeg also reads playlists, picture series and devices, and some of those name other files. Here the container must be on a
short list, whatever the name's ending is, and FFmpeg may open plain files only. Pictures above `MOST_PIXELS` are refused
before one is decoded, so that a small file cannot take the machine's memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
from av.stream import Disposition

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Place, Url
from lfb_lightning.video.place import Bytes, open_bytes
from lfb_lightning.video.wholeness import why_cut_off

FORMATS = (
    "mov",
    "matroska",
    "avi",
    "mpegts",
    "mpeg",
    "flv",
    "asf",
    "ogg",
    "mxf",
    "ivf",
    "h264",
    "hevc",
    "m4v",
    "mpegvideo",
)
MOST_PIXELS = 1 << 24  # 16.8 million: a 5.7K panorama (5760 x 2880) still fits
MOST_CLIP_BYTES = 1_600_000_000
_CONTAINER_OPTIONS = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"}
_NO_PROTOCOL = {"protocol_whitelist": "none"}  # there is none of that name: FFmpeg gets bytes, and may open nothing
DECODER_OPTIONS = {"max_pixels": str(MOST_PIXELS)}
_DAMAGE = (av.FFmpegError, ValueError, OverflowError, ZeroDivisionError, MemoryError)  # PyAV on mutated files


@dataclass(frozen=True, slots=True)
class OpenVideo:
    """An open file and its first video stream.

    Args:
        path: The file.
        container: PyAV's open container.
        stream: Its first stream of moving pictures (not a cover picture).
        time_base: The unit of the stream's time stamps in seconds.
    """

    path: Place
    container: av.container.InputContainer
    stream: av.VideoStream
    time_base: Fraction

    @property
    def format(self) -> str:
        """FFmpeg's name of the container; `matroska,webm` is one name, and so is `mov,mp4,m4a,3gp,3g2,mj2`."""
        return self.container.format.name

    @property
    def decoder(self) -> str:
        """FFmpeg's name of the decoder, which is `libdav1d` for AV1."""
        return self.stream.codec_context.name


@contextmanager
def open_video(path: Place) -> Iterator[OpenVideo]:
    """Open a file for one pass, to be decoded in one thread.

    Args:
        path: The file, or the URL of an object.

    Yields:
        The open file.

    Raises:
        InputError: The file is missing, not a regular file, not a plain container, cut off or damaged, or its pictures are
            too large. Errors of FFmpeg inside the `with` block become InputErrors too.
    """
    try:
        with (
            _source(path) as (source, options),
            av.open(source, options=options, metadata_errors="replace") as container,
        ):
            yield OpenVideo(path, container, *moving_pictures(container, str(path)))
    except InputError:
        raise
    except av.ArgumentError as error:
        raise InputError(
            f"video {path}: is damaged, or no plain video container ({', '.join(FORMATS)}); convert it: "
            "`ffmpeg -i IN -c copy OUT.mkv`."
        ) from error
    except _DAMAGE as error:
        raise InputError(f"video {path}: {why_unreadable(path, error)}.") from error


@contextmanager
def _source(path: Place) -> Iterator[tuple[str | Bytes, dict[str, str]]]:
    """Give what FFmpeg reads, and what it may open."""
    options = _CONTAINER_OPTIONS | DECODER_OPTIONS
    if isinstance(path, Url):
        with open_bytes(path) as file:
            yield file, options | _NO_PROTOCOL
        return
    if not path.is_file():
        raise InputError(f"video {path}: {'is no regular file' if path.exists() else 'no such file'}.")
    yield f"file:{path}", options  # without the prefix a name such as `concat:a` would choose another protocol


def why_unreadable(path: Place, error: BaseException) -> str:
    """Say why FFmpeg or PyAV raised `error` on a file: it is cut off, if that can be seen, or else the library's words."""
    if (reason := why_cut_off(path)) is not None:
        return f"is truncated ({reason}); copy or download it again"
    return f"cannot be decoded ({getattr(error, 'strerror', None) or error or type(error).__name__})"


def moving_pictures(container: av.container.InputContainer, name: str) -> tuple[av.VideoStream, Fraction]:
    """Find the first stream of moving pictures, which is not a cover picture, and set it up for decoding in one thread.

    Args:
        container: PyAV's open container.
        name: The video, for messages.

    Returns:
        The stream, and the unit of its time stamps in seconds.

    Raises:
        InputError: There is none, or its pictures are too large.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise InputError(f"video {name}: holds no video stream.")
    stream = streams[0]
    if stream.codec_context is None:
        raise InputError(f"video {name}: there is no decoder for its video stream; convert it to H.264.")
    if not stream.time_base:
        raise InputError(f"video {name}: its header states no unit of time; it is damaged.")
    if (pixels := stream.width * stream.height) > MOST_PIXELS:
        raise InputError(
            f"video {name}: pictures of {stream.width} x {stream.height} are more than {MOST_PIXELS:,} pixels "
            f"({pixels:,}); scale it down: `ffmpeg -i IN -vf scale=-2:1080 OUT`."
        )
    stream.codec_context.thread_count = 1
    stream.codec_context.options = DECODER_OPTIONS
    return stream, stream.time_base


def refuse_large_clip(path: Place, frames: int, width: int, height: int) -> None:
    """Refuse a clip that would take more memory than `MOST_CLIP_BYTES`.

    Args:
        path: The video, for the message.
        frames: The number of frames in the clip.
        width: Their width in pixels.
        height: Their height in pixels.

    Raises:
        InputError: The clip is too large.
    """
    if (size := 3 * frames * width * height) > MOST_CLIP_BYTES:
        raise InputError(
            f"video {path}: a clip of {frames} pictures of {width} x {height} takes {size / 1e9:.1f} GB, more than "
            f"{MOST_CLIP_BYTES / 1e9:.1f}; scale it down: `ffmpeg -i IN -vf scale=-2:1080 OUT`."
        )
