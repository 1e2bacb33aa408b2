"""Which codec in which container is read exactly: `python -m benchmarks.codecs` prints the table of `docs/data.md`.

Each cell writes a numbered video with the codec, then asks for frames by seek (`clip`) and in one pass (`stream`). A frame
is right if it shows its number and equals, to the last bit, that frame of a plain decode of the whole file without
skipping. `tests/video/test_codecs.py` runs the same cells.
"""

import tempfile
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from lfb_lightning.video import VideoFile
from lfb_lightning.video.container import open_video
from lfb_lightning.video.first_frame import first_frame
from lfb_lightning.video.selective import EXACT_UNDER_SKIPPING

WIDTH, HEIGHT, BITS = 160, 64, 10
FPS, FRAMES, GOP = 30, 100, 20


@dataclass(frozen=True)
class Cell:
    """A codec with the encoder's settings, in containers named by their endings."""

    what: str
    encoder: str
    containers: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)
    pixels: str = "yuv420p"


X264 = {"preset": "veryfast", "crf": "20", "g": str(GOP)}
X265 = {
    "preset": "ultrafast",
    "x265-params": f"log-level=none:crf=20:keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=4",
}
VPX = {"g": str(GOP), "deadline": "realtime", "cpu-used": "8", "b": "400k", "auto-alt-ref": "1", "lag-in-frames": "8"}
SVT = {"preset": "8", "crf": "12", "g": str(GOP)}
MPEG = {"g": str(GOP), "q": "3", "sc_threshold": "1000000000"}
CELLS = [
    Cell("H.264", "libx264", ("mp4", "mov", "mkv", "ts", "flv", "avi", "h264"), X264 | {"bf": "3"}),
    Cell("H.264, no B-frames", "libx264", ("avi", "mp4"), X264 | {"bf": "0"}),
    Cell("H.264, open GOP", "libx264", ("mp4", "mkv", "ts"), X264 | {"bf": "3", "x264-params": "open-gop=1:scenecut=0"}),
    Cell("H.264, all B-frames referred to", "libx264", ("mp4",), X264 | {"bf": "3", "b-pyramid": "normal", "refs": "4"}),
    Cell("H.264, intra refresh", "libx264", ("mp4", "ts"), X264 | {"intra-refresh": "1"}),
    Cell("H.264, 10 bits", "libx264", ("mp4", "mkv"), X264 | {"bf": "3"}, "yuv420p10le"),
    Cell("H.264, interlaced (MBAFF)", "libx264", ("mp4", "ts"), X264 | {"bf": "3", "x264-params": "tff=1"}),
    Cell("HEVC, open GOP", "libx265", ("mp4", "mkv", "ts", "hevc"), X265),
    Cell("HEVC, closed GOP", "libx265", ("mp4",), X265 | {"x265-params": X265["x265-params"] + ":open-gop=0"}),
    Cell("HEVC, leading pictures that decode (RADL)", "libx265", ("mp4",), X265 | {"x265-params": X265["x265-params"] + ":open-gop=0:radl=2"}),
    Cell("HEVC, 10 bits", "libx265", ("mp4",), X265, "yuv420p10le"),
    Cell("VP8", "libvpx", ("webm", "mkv"), VPX | {"cpu-used": "16"}),
    Cell("VP9", "libvpx-vp9", ("webm", "mkv", "mp4", "ivf"), VPX),
    Cell("AV1", "libsvtav1", ("mp4", "mkv", "webm"), SVT),
    Cell("AV1, open GOP", "libsvtav1", ("mp4",), SVT | {"svtav1-params": "irefresh-type=1"}),
    Cell("MPEG-1", "mpeg1video", ("mpg",), MPEG | {"bf": "2"}),
    Cell("MPEG-2", "mpeg2video", ("mpg", "ts", "mkv", "mp4", "m2v"), MPEG | {"bf": "2"}),
    Cell("MPEG-2, interlaced", "mpeg2video", ("mpg", "ts"), MPEG | {"bf": "2", "flags": "+ildct+ilme"}),
    Cell("MPEG-4 ASP", "mpeg4", ("avi", "mp4", "mkv"), MPEG | {"bf": "2"}),
    Cell("MPEG-4 SP", "mpeg4", ("avi", "mp4"), MPEG),
    Cell("Motion JPEG", "mjpeg", ("avi", "mov", "mkv"), {"q": "3"}, "yuvj420p"),
    Cell("ProRes", "prores_ks", ("mov", "mkv"), {}, "yuv422p10le"),
    Cell("FFV1", "ffv1", ("mkv", "avi"), {"g": "1"}),
    Cell("Windows Media Video 8", "wmv2", ("wmv",), MPEG),
]  # fmt: skip
NOT_TESTED = (
    "separate fields (H.264 PAFF), packed B-frames (DivX), VC-1, VVC, Theora: no encoder at hand; decoded whole."
)


def numbered_frame(number):
    """Below, ten vertical bars are the bits of the number; above, a texture moves, so that frames refer to each other."""
    bars = [255 if number >> bit & 1 else 0 for bit in range(BITS)]
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    x = np.arange(WIDTH)[None, :] + 2 * number
    y = np.arange(HEIGHT // 2)[:, None] + number
    picture[: HEIGHT // 2] = (128 + 90 * np.sin(x / 5) * np.cos(y / 4)).astype(np.uint8)[:, :, None]
    picture[HEIGHT // 2 :] = np.repeat(np.array(bars, np.uint8), WIDTH // BITS)[None, :, None]
    return picture


def read_number(frame):
    bars = frame[5 * HEIGHT // 8 : 7 * HEIGHT // 8]
    step = WIDTH // BITS
    return sum(1 << bit for bit in range(BITS) if bars[:, step * bit + 4 : step * (bit + 1) - 4].mean() > 127)


def write_cell(path, cell):
    """FRAMES numbered frames, the first at second 0, in the cell's codec; the container is the path's ending."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(cell.encoder, rate=FPS, options=cell.options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, cell.pixels
        if cell.encoder.startswith("wmv"):
            stream.bit_rate = 2_000_000
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number), format="rgb24").reformat(format=cell.pixels)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def plain_decode(path):
    """Every frame of the file, front to back."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]


def check(path):
    """The numbers of frames that differ from what they should be, by seek and by stream."""
    truth = plain_decode(path)
    assert [read_number(frame) for frame in truth] == list(range(FRAMES)), "the encoder's own work"
    video = VideoFile(path)
    clips = np.array([[first, first + 1, first + 16] for first in range(FRAMES - 16)])
    by_seek = {
        number
        for clip in clips[::3]
        for number, frame in zip(clip.tolist(), video.clip(clip / FPS), strict=True)
        if not np.array_equal(frame, truth[number])
    }
    by_stream = set()
    for some in (clips, clips[4::9]):  # every frame wanted, and most of them skipped from the first on
        for clip, frames in zip(some, video.stream(some / FPS), strict=True):
            by_stream |= {
                n for n, frame in zip(clip.tolist(), frames, strict=True) if not np.array_equal(frame, truth[n])
            }
    return sorted(by_seek), sorted(by_stream)


def skips(path):
    """Whether pictures that no moment needs are left out."""
    first = first_frame(path)
    with open_video(path) as video:
        return video.decoder in EXACT_UNDER_SKIPPING and first.time_stamp is not None and not first.interlaced


def row(path):
    """What the table says of a written cell."""
    by_seek, by_stream = ("no" if wrong else "yes" for wrong in check(path))
    from_start = "" if first_frame(path).seekable else ", from the start"
    return f"{by_seek}{from_start} | {by_stream} | {'yes' if skips(path) else 'no'}"


def main():
    print("| codec | container | exact by seek | exact by stream | skipping |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for cell in CELLS:
            endings = {}
            for ending in cell.containers:
                write_cell(path := Path(folder) / f"a.{ending}", cell)
                endings.setdefault(row(path), []).append(ending)
            for found, equal in endings.items():
                print(f"| {cell.what} | {', '.join(equal)} | {found} |", flush=True)
    print(f"\nNot tested: {NOT_TESTED}")


if __name__ == "__main__":
    main()
