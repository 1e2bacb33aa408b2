"""The sound of a video, copied as it is stored or encoded as AAC, for an mp4 file that browsers play."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from typing import Any

import av

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Place
from lfb_lightning.video.container import open_video, why_unreadable

COPIED = {"aac", "mp3", "mp3float", "opus", "libopus"}  # what browsers play in mp4 (FFmpeg's decoder names)
_DAMAGE = (av.FFmpegError, InputError, ValueError, OverflowError, MemoryError)
_AAC_RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000}
_PRIMING = Fraction(1, 10)  # seconds of sound before the first picture that encoders need to start up


class Sound:
    """Copies or encodes a video's first sound stream beside its pictures; a `with` block closes the source.

    Args:
        path: The video; it is opened once more, so that its pictures can be read in their own order.
        container: PyAV's output container, to which a stream is added if there is sound.
        start: The second of the video's first picture on the file's own clock.

    Attributes:
        problem: One line that says what is missing, or None.
    """

    def __init__(self, path: Place, container: Any, *, start: Fraction) -> None:
        self._path, self._container, self._start = path, container, start
        self.problem: str | None = None
        self._second = 0.0
        self._waiting: tuple[float, av.Packet] | None = None
        self._open = ExitStack()
        try:
            self._packets = self._begin()
            self._advance()
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> Sound:
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def write_until(self, second: float) -> None:
        """Write sound up to a second; infinity writes the rest."""
        while self._waiting is not None and self._waiting[0] <= second:
            self._container.mux_one(self._waiting[1])
            self._advance()

    def _advance(self) -> None:
        try:
            self._waiting = next(self._packets, None)
            if self._waiting is not None:
                self._second = self._waiting[0]
        except _DAMAGE as error:
            self._waiting = None
            reason = error if isinstance(error, InputError) else why_unreadable(self._path, error)
            self.problem = f"video {self._path}: its sound is missing from {self._second:.1f} s on: {reason}."

    def _begin(self) -> Iterator[tuple[float, av.Packet]]:
        source = self._open.enter_context(open_video(self._path)).container
        stream = next(iter(source.streams.audio), None)
        if stream is None:
            return iter(())
        if stream.codec_context is None:
            self.problem = f"video {self._path}: its sound is missing: there is no decoder for it."
            return iter(())
        if stream.codec_context.name in COPIED:
            return self._copied(source, stream, self._container.add_stream_from_template(stream))
        rate = stream.codec_context.sample_rate if stream.codec_context.sample_rate in _AAC_RATES else 48_000
        target = self._container.add_stream("aac", rate=rate)
        target.codec_context.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        return self._encoded(source, stream, target)

    def _copied(self, source: Any, stream: Any, target: Any) -> Iterator[tuple[float, av.Packet]]:
        offset = round(self._start / stream.time_base)
        last = None
        for packet in source.demux(stream):
            if packet.pts is None or packet.dts is None or packet.pts - offset < -_PRIMING / stream.time_base:
                continue
            packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
            if last is not None and packet.dts <= last:
                continue  # time stamps that go back: the muxer refuses them
            last = packet.dts
            packet.stream = target
            yield float(packet.pts * stream.time_base), packet

    def _encoded(self, source: Any, stream: Any, target: Any) -> Iterator[tuple[float, av.Packet]]:
        codec = target.codec_context
        resampler = av.AudioResampler(format="fltp", layout=codec.layout.name, rate=codec.sample_rate)
        unit = Fraction(1, codec.sample_rate)
        written = 0  # samples, each one after the other

        def frames() -> Iterator[av.AudioFrame]:
            for packet in source.demux(stream):
                for frame in packet.decode():
                    second = None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
                    if second is None or second >= self._start - _PRIMING:
                        yield from resampler.resample(frame)
            yield from resampler.resample(None)

        for frame in frames():
            if written == 0 and frame.pts is not None and frame.time_base is not None:
                written = max(0, round((frame.pts * frame.time_base - self._start) / unit))
            frame.pts, frame.time_base = written, unit
            written += frame.samples
            for packet in target.encode(frame):
                yield float(packet.pts * packet.time_base), packet
        for packet in target.encode(None):
            yield float(packet.pts * packet.time_base), packet
