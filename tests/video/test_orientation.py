"""Pictures are given out as players show them: turned and mirrored by the file's display matrix."""

import av
import numpy as np
import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.video import VideoFile

STORED = np.array([["red", "green"], ["blue", "white"]])  # the corners of the stored picture, 96 wide and 64 high
COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
ONE = 1 << 16
UNIT = 1 << 30
# (a, b, c, d) of the matrix: a stored point (x, y), y downwards, is shown at (a x + c y, b x + d y). Corners by hand.
MATRICES = {
    "upright": ((1, 0, 0, 1), [["red", "green"], ["blue", "white"]]),
    "a quarter clockwise": ((0, 1, -1, 0), [["blue", "red"], ["white", "green"]]),
    "upside down": ((-1, 0, 0, -1), [["white", "blue"], ["green", "red"]]),
    "a quarter counter-clockwise": ((0, -1, 1, 0), [["green", "white"], ["red", "blue"]]),
    "mirrored left to right": ((-1, 0, 0, 1), [["green", "red"], ["white", "blue"]]),
    "mirrored top to bottom": ((1, 0, 0, -1), [["blue", "white"], ["red", "green"]]),
    "sides exchanged": ((0, 1, 1, 0), [["red", "blue"], ["green", "white"]]),
    "sides exchanged the other way": ((0, -1, -1, 0), [["white", "green"], ["blue", "red"]]),
}
ROTATION = {"a quarter clockwise": -90, "upside down": 180, "a quarter counter-clockwise": 90, "upright": 0}


def write_corners(path, matrix, *, frames=30):
    picture = np.array([[COLORS[name] for name in row] for row in STORED.tolist()], np.uint8)
    picture = picture.repeat(32, axis=0).repeat(48, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        a, b, c, d = matrix
        stream.set_display_matrix([int(a * ONE), int(b * ONE), 0, int(c * ONE), int(d * ONE), 0, 0, 0, UNIT])
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def corners(frame):
    def name(color):
        return min(COLORS, key=lambda key: np.abs(np.array(COLORS[key]) - color).sum())

    height, width = frame.shape[:2]
    return [
        [name(frame[y, x].astype(int)) for x in (width // 4, 3 * width // 4)] for y in (height // 4, 3 * height // 4)
    ]


@pytest.mark.parametrize("ending", ["mp4", "mov"])
@pytest.mark.parametrize("name", MATRICES)
def test_the_display_matrix_is_applied_in_both_ways_of_reading(tmp_path, name, ending):
    matrix, shown = MATRICES[name]
    write_corners(tmp_path / f"a.{ending}", matrix)
    video = VideoFile(tmp_path / f"a.{ending}")
    clip = video.clip(np.array([1.0, 2.0]))
    assert corners(clip[0]) == corners(clip[1]) == shown
    (streamed,) = video.stream(np.array([[1.0, 2.0]]))
    np.testing.assert_array_equal(streamed, clip)
    properties = video.properties()
    assert clip.shape == (2, properties.height, properties.width, 3)
    assert (properties.width, properties.height) == ((96, 64) if matrix[0] else (64, 96))
    if name in ROTATION:
        assert properties.rotation == ROTATION[name]


@pytest.mark.parametrize("name", ROTATION)
def test_matroska_turns_too(tmp_path, name):
    matrix, shown = MATRICES[name]
    write_corners(tmp_path / "a.mkv", matrix)
    assert corners(VideoFile(tmp_path / "a.mkv").clip(np.array([1.0]))[0]) == shown


def test_a_matrix_written_into_the_track_header_by_hand_is_applied(tmp_path):
    """The encoder's own way of writing a matrix plays no part here."""
    write_corners(tmp_path / "a.mp4", (1, 0, 0, 1))
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    place = content.index(b"tkhd") + 44  # 4 name, 4 version and flags, 32 times and ids, 8 reserved ...
    place = content.index(bytes([0, 1, 0, 0] + [0] * 12 + [0, 1, 0, 0]), place - 12)
    numbers = [0, ONE, 0, -ONE, 0, 0, 64 * ONE, 0, UNIT]  # what a phone held upright writes
    content[place : place + 36] = b"".join(number.to_bytes(4, "big", signed=True) for number in numbers)
    (tmp_path / "a.mp4").write_bytes(content)
    clip = VideoFile(tmp_path / "a.mp4").clip(np.array([1.0]))
    assert corners(clip[0]) == MATRICES["a quarter clockwise"][1]


def test_a_slanted_picture_is_refused_with_what_to_do(tmp_path):
    slope = np.sqrt(0.5)
    write_corners(tmp_path / "a.mp4", (slope, slope, -slope, slope))
    with pytest.raises(InputError, match=r"a\.mp4: its display matrix turns it by -45 degrees; only right angles"):
        VideoFile(tmp_path / "a.mp4").clip(np.array([1.0]))
    write_corners(tmp_path / "b.mp4", (0.99995, 0.01, -0.01, 0.99995))
    assert corners(VideoFile(tmp_path / "b.mp4").clip(np.array([1.0]))[0]) == STORED.tolist(), (
        "half a degree is upright"
    )


def test_a_matrix_of_zeros_turns_nothing(tmp_path):
    write_corners(tmp_path / "a.mp4", (0, 0, 0, 0))
    assert corners(VideoFile(tmp_path / "a.mp4").clip(np.array([1.0]))[0]) == STORED.tolist()
